"""`pinxit reproduce pixart`: the study of cheap training; missing rows are trained and examined, tables redrawn.

pinxit reproduce pixart
pinxit reproduce pixart --only sparse
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.cli.stop import going_on
from pinxit.config import Config


class Arguments(Config):
    """Fills the rows of docs/evidence/pixart.jsonl that are missing, redraws tables and plots; run it again to go on.

    Two of these side by side, each with OMP_NUM_THREADS=1, share the trials between them.

    Example: pinxit reproduce pixart --only sparse
    """

    evidence: Path = Field(Path("docs/evidence"), description="of a clone: finished rows and plots")
    page: Path = Field(Path("docs/evidence.md"), description="where the tables stand")
    work: Path = Field(Path("runs/reproduce/pixart"), description="runs that are not kept")
    only: str = Field("", description="trials whose name has this in it")
    fill: bool = Field(True, description="--no-fill: redraw tables and plots alone")
    quick: bool = Field(False, description="a smoke test of twenty minutes, whose rows are written elsewhere")


def main(verb: str, words: Sequence[str]) -> None:
    """Runs the study, and prints where its tables are."""
    arguments = parse(Arguments, verb, words)
    with going_on(lambda: shlex.join([*verb.split(), *words])):
        run(arguments)


def run(arguments: Arguments) -> None:
    """Every chosen trial has its rows, and the page its tables."""
    from pinxit.recipes.pixart_page import QUICK, Place, quick_place, reproduce
    from pinxit.recipes.pixart_trial import Scale

    place, scale = Place(arguments.evidence, arguments.page, arguments.work), Scale()
    if arguments.quick:
        say("a smoke test: it shows that everything runs, and measures nothing")
        place, scale = quick_place(arguments.work), QUICK
    finished, all_ = reproduce(place, scale, arguments.only, fill=arguments.fill)
    say(f"{finished} of {all_} trials have all of their rows")
    say(f"the tables: {place.page.resolve()}")
