"""`pinxit report RUN`: the page of a run, written again.

pinxit report runs/demo
"""

from pathlib import Path

from pydantic import Field
from tyro.conf import Positional

from pinxit.cli.parse import parse
from pinxit.config import Config
from pinxit.log import console


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

    page = write_page(arguments.folder, [f"pinxit cost {arguments.folder}"])
    console.print(str(page.resolve()), highlight=False, soft_wrap=True)
