"""`pinxit reproduce pit`: the study of self-improvement; missing rows are trained and examined, tables redrawn.

pinxit reproduce pit
pinxit reproduce pit --only "seed 0"
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
    """Fills the rows of docs/evidence/pit.jsonl that are missing, redraws tables and plot; run it again to go on.

    Example: pinxit reproduce pit --only "seed 0"
    """

    evidence: Path = Field(Path("docs/evidence"), description="of a clone: finished rows and the plot")
    page: Path = Field(Path("docs/evidence.md"), description="where the tables stand")
    work: Path = Field(Path("runs/reproduce/pit"), description="runs and answers that are not kept")
    only: str = Field("", description="rows whose name has this in it")
    fill: bool = Field(True, description="--no-fill: redraw tables and plot alone")


def main(verb: str, words: Sequence[str]) -> None:
    """Runs the study, and prints where its tables are."""
    arguments = parse(Arguments, verb, words)
    with going_on(lambda: shlex.join([*verb.split(), *words])):
        run(arguments)


def run(arguments: Arguments) -> None:
    """Every chosen row is there, and the page has its tables."""
    from pinxit.recipes.pit_study import reproduce

    done, all_ = reproduce(arguments.evidence, arguments.page, arguments.work, arguments.only, arguments.fill)
    say(f"{done} of {all_} rows are there")
    say(f"the tables: {arguments.page.resolve()}")
