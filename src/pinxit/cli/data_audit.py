"""`pinxit data audit RECORDS`: what training will get of pictures and captions, on one page.

pinxit data audit data/own --resolution 256 --buckets
pinxit data audit data/own --test data/test --sample 10000
"""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field
from tyro.conf import Positional

from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.data.config import AuditConfig
from pinxit.errors import MissingExtra
from pinxit.log import console
from pinxit.models.config import MiniLMConfig, TextConfig

if TYPE_CHECKING:
    from pinxit.data.phrasing import Reader


class Arguments(AuditConfig):
    """Counts pictures, sizes, captions, nouns, repetitions and leaks; encodes nothing, changes nothing.

    Example: pinxit data audit data/own --resolution 256 --buckets
    """

    records: Positional[Path] = Field(description="what `pinxit data import` wrote")
    out: Path | None = Field(None, description="folder of the page and its JSON; none: beside the records")
    test: Path | None = Field(None, description="other records, of which none should be in these")
    text: TextConfig = MiniLMConfig()


def main(verb: str, words: list[str]) -> None:
    """Audits what the words name."""
    run(parse(Arguments, verb, words))


def run(arguments: Arguments) -> None:
    """Audits, and prints where the page is."""
    from pinxit.recipes.audit import audit
    from pinxit.recipes.audit_page import write_audit

    folder = arguments.records.resolve()
    out = arguments.out or folder.with_name(f"{folder.name}.audit")
    how = AuditConfig(**{name: getattr(arguments, name) for name in AuditConfig.model_fields})
    found = audit(arguments.records, how, reader(arguments.text), arguments.test)
    say(str(write_audit(found, out).resolve()))


def reader(config: TextConfig) -> "Reader | None":
    """The text encoder as a counter of tokens; none, with a remark, where it is not installed."""
    from pinxit.data.phrasing import Reader
    from pinxit.models.text import load_text

    try:
        return Reader(load_text(config).count_all, config.length)
    except MissingExtra as error:
        console.print(f"tokens of captions are not counted: {error}", style="yellow", soft_wrap=True)
        return None
