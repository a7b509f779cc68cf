"""`pinxit data import PATH --out RECORDS`: your own pictures and captions, every rejected one named.

pinxit data import ~/pictures --out data/own
pinxit data import shards/ --out data/own --rules.least-side 64
"""

import shlex
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field
from rich.table import Table
from rich.text import Text
from tyro.conf import Positional

from pinxit.cli.parse import parse
from pinxit.config import Config
from pinxit.data.account import ImportReport, TokenLimit
from pinxit.data.original import Found, SourceRules
from pinxit.data.records import import_records
from pinxit.data.source import read_source
from pinxit.errors import MissingExtra
from pinxit.log import Bar, console


class Arguments(Config):
    """Reads a folder of pictures with captions, WebDataset tars or parquet; says what was used and what was not.

    Example: pinxit data import ~/pictures --out data/own
    """

    path: Positional[Path] = Field(description="a folder, a tar or a parquet file")
    out: Path = Field(description="the folder to write")
    rules: SourceRules = SourceRules()
    force: bool = Field(False, description="replace another import that is there")


def main(verb: str, words: list[str]) -> None:
    """Imports what the words name."""
    run(parse(Arguments, verb, words))


def run(arguments: Arguments) -> None:
    """Imports, and prints the account and the next command."""
    found = read_source(arguments.path, class_from_folder=arguments.rules.class_from_folder)
    report = import_records(
        _shown(found), arguments.out, str(arguments.path.resolve()), arguments.rules,
        tokens=_token_limit(), force=arguments.force,
    )  # fmt: skip
    console.print(_table(report))
    console.print(_where(report, arguments.out), soft_wrap=True)


def _token_limit() -> TokenLimit | None:
    """How the default text encoder counts; None, with a remark, where it is not installed."""
    from pinxit.models.config import MiniLMConfig
    from pinxit.models.text import load_text

    config = MiniLMConfig()
    try:
        return TokenLimit(load_text(config).count, config.length)
    except MissingExtra as error:
        console.print(f"tokens of captions are not counted: {error}", style="yellow", soft_wrap=True)
        return None


def _shown(found: Iterator[Found]) -> Iterator[Found]:
    """The same, with their count and speed."""
    with Bar("reading", None, unit="files and rows") as bar:
        for number, item in enumerate(found, 1):
            yield item
            bar.move(number)


def _table(report: ImportReport) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column("")
    table.add_column("", justify="right")
    table.add_row("in", f"{report.found:,}", style="bold")
    table.add_row("used", f"{report.used:,}", style="bold")
    if report.duplicates:
        table.add_row("  the same as an earlier one", f"{report.duplicates:,}")
    if report.classed:
        table.add_row("  with a class", f"{report.classed:,}")
    if report.strange_labels:
        table.add_row("  whose label is no whole number, and so no class", f"{report.strange_labels:,}")
    table.add_row("rejected", f"{report.rejected:,}", style="bold")
    for reason, count in report.reasons.items():
        table.add_row(f"  {reason}", f"{count:,}")
    if report.ignored:
        table.add_row("other files, ignored", f"{sum(report.ignored.values()):,}")
    table.add_row("captions", f"{report.captions:,}", style="bold")
    if report.caption_limit is not None:
        share = f"{report.captions_over_limit:,} ({report.share_over_limit:.1%})"
        table.add_row(f"  over the encoder's {report.caption_limit} tokens: it reads only so far", share)
        if report.tokens_over_limit:
            table.add_row("  tokens that it will not read", f"{report.tokens_over_limit:,}")
    return table


def next_command(records: Path) -> str:
    """A run that trains on what was just written."""
    out = Path("runs") / records.resolve().name
    return shlex.join(["pinxit", "train", "own", "--stages.own.data.folder", str(records), "--out", str(out)])


def _where(report: ImportReport, out: Path) -> Text:
    lines = [f"written to {out}"]
    if report.rejected:
        lines.append(f"why pictures were rejected: {out / 'rejected.jsonl'}")
    lines.append(f"next: {next_command(out)}")
    return Text("\n".join(lines), style="dim")
