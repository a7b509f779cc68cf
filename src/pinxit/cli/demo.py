"""`pinxit demo --out FOLDER`: a small model on real emoji art in three stages, and the page that shows it.

pinxit demo --out runs/demo
"""

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.cli.stop import Stopping, going_on, without_budget
from pinxit.ledger.budget import Budget


class Arguments(Stopping):
    """Trains on one style of emoji art for some minutes and writes `report.html`; goes on where it was stopped.

    Example: pinxit demo --out runs/demo --minutes 18
    """

    out: Path = Field(Path("runs/demo"), description="the run folder")
    minutes: float = Field(18.0, gt=0, description="of all of it; the pictures are counted from this machine's speed")


def main(verb: str, words: Sequence[str]) -> None:
    """Runs the demo that the words ask for, and prints where its page is."""
    arguments = parse(Arguments, verb, words)
    budget = arguments.budget
    with going_on(lambda: shlex.join([*verb.split(), *without_budget(words)])):
        run(arguments, budget)


def run(arguments: Arguments, budget: Budget | None) -> None:
    """Trains, and prints where the page is."""
    from pinxit.data.emoji import prepare
    from pinxit.recipes.demo import run_demo
    from pinxit.recipes.emoji import DEMO_STYLE

    begun = time.monotonic()
    prepare((DEMO_STYLE,))
    page = run_demo(arguments.out, arguments.minutes, budget)
    say(f"done in {(time.monotonic() - begun) / 60:.1f} minutes")
    say(f"the page:    {page.resolve()}")
    say(f"the samples: {(page.parent / 'samples' / 'grid.png').resolve()}")
