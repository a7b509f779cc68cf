"""`pinxit data encode RECORDS --out CACHE`: pictures and captions through the encoders, once.

pinxit data encode data/own --out data/own-cache --resolution 64
"""

from pathlib import Path

from pydantic import Field
from rich.table import Table
from tyro.conf import Positional

from pinxit.cli.parse import parse
from pinxit.config import Config
from pinxit.log import console
from pinxit.models.config import AutoencoderConfig, MiniLMConfig, SmallCodecConfig, TextConfig


class Arguments(Config):
    """Encodes imported pictures into a cache, once; `pinxit train` does it by itself where it was not done.

    Example: pinxit data encode data/own --out data/own-cache --resolution 64 --buckets
    """

    records: Positional[Path] = Field(description="what `pinxit data import` wrote")
    out: Path = Field(description="the cache")
    resolution: int = Field(64, gt=0, description="side of the nominal square in pixels")
    buckets: bool = Field(False, description="keep aspect ratios, in buckets of the same area")
    patch: int = Field(2, gt=0, description="of the network that will be trained; sides are multiples of it")
    captions_only: bool = Field(False, description="the pictures are encoded; only their captions are new")
    autoencoder: AutoencoderConfig = SmallCodecConfig()
    text: TextConfig = MiniLMConfig()


def main(verb: str, words: list[str]) -> None:
    """Encodes what the words name."""
    run(parse(Arguments, verb, words))


def run(arguments: Arguments) -> None:
    """Encodes, and prints what became of the pictures and captions."""
    from pinxit.data.cache import read_account
    from pinxit.data.config import Fingerprint
    from pinxit.data.encode import encode, recaption
    from pinxit.data.records import read_records
    from pinxit.models.autoencoder import load_autoencoder
    from pinxit.models.text import load_text

    records, text = read_records(arguments.records), load_text(arguments.text)
    if arguments.captions_only:
        recaption(records, text, arguments.out)
    else:
        autoencoder = load_autoencoder(arguments.autoencoder)
        fingerprint = Fingerprint(
            autoencoder=autoencoder.identity, text=text.identity, resolution=arguments.resolution,
            buckets=arguments.buckets, multiple=autoencoder.identity.factor * arguments.patch,
        )  # fmt: skip
        encode(records, autoencoder, text, arguments.out, fingerprint)
    console.print(_table(read_account(arguments.out)))
    console.print(f"next: pinxit data verify {arguments.out}", highlight=False, soft_wrap=True)


def _table(account: dict[str, object]) -> Table:
    table = Table(title="Encoded", show_header=False)
    for name, value in account.items():
        parts = [f"{size}: {count}" for size, count in value.items()] if isinstance(value, dict) else value
        table.add_row(name, ", ".join(map(str, parts)) if isinstance(parts, list) else str(parts))
    return table
