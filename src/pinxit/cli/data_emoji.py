"""`pinxit data emoji`: the emoji art and its words, fetched once, checked and rendered.

pinxit data emoji
pinxit data emoji --styles Noto "Fluent 3D"
"""

from pathlib import Path

from pydantic import Field
from rich.table import Table

from pinxit.cli.parse import parse
from pinxit.config import Config
from pinxit.data.emoji import DEFAULT_STYLES, LICENCES, STYLES, count_pieces, prepare
from pinxit.log import console


class Arguments(Config):
    """Brings the art of every style that asks for nothing but its notice; what is there already is left alone.

    Example: pinxit data emoji --with-attribution
    """

    styles: tuple[str, ...] = Field(DEFAULT_STYLES, min_length=1, description="which styles to bring")
    with_attribution: bool = Field(False, description="also those that ask for credit wherever they are shown")
    tones: bool = Field(False, description="also the variants in each skin tone")


def main(verb: str, words: list[str]) -> None:
    """Brings what the words name."""
    run(parse(Arguments, verb, words))


def run(arguments: Arguments) -> None:
    """Brings the art, and prints how much there is of each style, where it lies and on which terms."""
    credited = [style.name for style in STYLES.values() if style.attribution] if arguments.with_attribution else []
    names = tuple(dict.fromkeys([*arguments.styles, *credited]))
    root = prepare(names, tones=arguments.tones)
    console.print(_table(count_pieces(names, tones=arguments.tones), root))


def _table(counts: dict[str, int], root: Path) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold")
    for name, count in counts.items():
        table.add_row(name, f"{count:,} pieces of art, {STYLES[name].spdx}")
    table.add_row("the art", str(root), style="dim")
    table.add_row("its terms", str(root / LICENCES), style="dim")
    return table
