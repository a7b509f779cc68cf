"""`pinxit reproduce STUDY`: one of three studies; missing rows are trained and examined, tables and plots redrawn.

pinxit reproduce codi
pinxit reproduce codi --only "inpaint, CoDi"
pinxit reproduce pit
pinxit reproduce pit --only "seed 0"
pinxit reproduce pixart
pinxit reproduce pixart --only sparse
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.cli.stop import going_on
from pinxit.config import Config


class Study(Config):
    """Where a study has its rows, tables and runs, and what of it is asked for."""

    evidence: Path = Field(Path("docs/evidence"), description="of a clone: finished rows")
    page: Path = Field(Path("docs/evidence.md"), description="where the tables stand")
    work: Path
    only: str = Field("", description="trials whose name has this in it")
    fill: bool = Field(True, description="--no-fill: redraw the tables alone")

    def run(self) -> tuple[str, Path]:
        """What of the chosen rows is there by now, in a line, and the page that has their tables."""
        raise NotImplementedError


class Codi(Study):
    """Fills the rows of docs/evidence/codi.jsonl that are missing and redraws their tables; run it again to go on.

    Example: pinxit reproduce codi --only "inpaint, CoDi"
    """

    evidence: Path = Field(
        Path("docs/evidence"), description="of a clone: finished rows, and the weights they begin with"
    )
    work: Path = Field(Path("runs/reproduce/codi"), description="runs and answers that are not kept")

    def run(self) -> tuple[str, Path]:
        """Every chosen trial has its rows, and the page its tables."""
        from pinxit.recipes.codi_study import reproduce

        done, all_ = reproduce(self.evidence, self.page, self.work, self.only, self.fill)
        return f"{done} of {all_} trials have all of their rows", self.page


class Pit(Study):
    """Fills the rows of docs/evidence/pit.jsonl that are missing, redraws tables and plot; run it again to go on.

    Example: pinxit reproduce pit --only "seed 0"
    """

    work: Path = Field(Path("runs/reproduce/pit"), description="runs and answers that are not kept")
    only: str = Field("", description="rows whose name has this in it")

    def run(self) -> tuple[str, Path]:
        """Every chosen row is there, and the page has its tables."""
        from pinxit.recipes.pit_study import reproduce

        done, all_ = reproduce(self.evidence, self.page, self.work, self.only, self.fill)
        return f"{done} of {all_} rows are there", self.page


class Pixart(Study):
    """Fills the rows of docs/evidence/pixart.jsonl that are missing, redraws tables and plots; run it again to go on.

    Two of these side by side, each with OMP_NUM_THREADS=1, share the trials between them.

    Example: pinxit reproduce pixart --only sparse
    """

    evidence: Path = Field(Path("docs/evidence"), description="of a clone: finished rows and plots")
    work: Path = Field(Path("runs/reproduce/pixart"), description="runs that are not kept")
    fill: bool = Field(True, description="--no-fill: redraw tables and plots alone")
    improver: Path | None = Field(
        None, description="rewrites sparse captions: what `pinxit improve train` wrote; none: the one that ships"
    )
    quick: bool = Field(False, description="a smoke test of twenty minutes, whose rows are written elsewhere")

    def run(self) -> tuple[str, Path]:
        """Every chosen trial has its rows, and the page its tables."""
        from pinxit.recipes.pixart_page import QUICK, Place, quick_place, reproduce
        from pinxit.recipes.pixart_trial import Scale

        place, scale = Place(self.evidence, self.page, self.work), Scale()
        if self.quick:
            say("a smoke test: it shows that everything runs, and measures nothing")
            place, scale = quick_place(self.work), QUICK
        scale = scale.model_copy(update={"improver": find_improver(self.improver)})
        done, all_ = reproduce(place, scale, self.only, fill=self.fill)
        return f"{done} of {all_} trials have all of their rows", place.page


def find_improver(named: Path | None) -> str | None:
    """Its folder; None, and a line, where none was named and none ships."""
    from pinxit.improve import folder

    if named is None and not (folder.SHIPPED / folder.CARD).is_file():
        say("no improver ships yet, so the arm of improved captions is left out; --improver DIR puts it in")
        return None
    return str(folder.find_improver(named).resolve())


STUDIES: Mapping[str, type[Study]] = {"codi": Codi, "pit": Pit, "pixart": Pixart}


def read(verb: str, words: Sequence[str]) -> Study:
    """The study that the verb names, with its settings."""
    return parse(STUDIES[verb.rsplit(maxsplit=1)[-1]], verb, words)


def main(verb: str, words: Sequence[str]) -> None:
    """Runs the study, and prints where its tables are."""
    study = read(verb, words)
    with going_on(lambda: shlex.join([*verb.split(), *words])):
        said, page = study.run()
        say(said)
        say(f"the tables: {page.resolve()}")
