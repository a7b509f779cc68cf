"""`pinxit report RUN`: the page of a run, written again.

pinxit report runs/demo
"""

from pathlib import Path

from pydantic import Field
from tyro.conf import Positional

from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.config import Config


class Arguments(Config):
    """Writes `report.html` from what the run folder holds; works while the run goes on.

    Example: pinxit report runs/demo
    """

    folder: Positional[Path] = Field(description="the run folder")


def main(verb: str, words: list[str]) -> None:
    """Writes the page that the words name."""
    run(parse(Arguments, verb, words))


def run(arguments: Arguments) -> None:
    """Writes, and prints the path."""
    from pinxit.recipes.page import write_page

    say(str(write_page(arguments.folder).resolve()))
