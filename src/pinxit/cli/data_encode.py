"""`pinxit data encode RECORDS`: pictures and captions through the encoders, once.

pinxit data encode data/own --resolution 64
pinxit data encode data/own --captions-only
"""

import shlex
from pathlib import Path

from pydantic import Field
from rich.table import Table
from tyro.conf import Positional

from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.config import Config
from pinxit.log import console
from pinxit.models.config import AutoencoderConfig, MiniLMConfig, SmallCodecConfig, TextConfig


class Arguments(Config):
    """Encodes imported pictures, once, to where `pinxit train` looks; it does so by itself where it was not done.

    Example: pinxit data encode data/own --resolution 64 --buckets
    """

    records: Positional[Path] = Field(description="what `pinxit data import` wrote")
    out: Path | None = Field(None, description="the cache; none: beside the records, in RECORDS.cache")
    resolution: int = Field(64, gt=0, description="side of the nominal square in pixels")
    buckets: bool = Field(False, description="keep aspect ratios, in buckets of the same area")
    patch: int = Field(2, gt=0, description="of the network that will be trained; sides are multiples of it")
    captions_only: bool = Field(False, description="the pictures are encoded, by a former import; captions are new")
    device: str = Field("auto", description="cpu, cuda, cuda:1; auto: a CUDA GPU where there is one")
    autoencoder: AutoencoderConfig = SmallCodecConfig()
    text: TextConfig = MiniLMConfig()


def main(verb: str, words: list[str]) -> None:
    """Encodes what the words name."""
    run(parse(Arguments, verb, words))


def run(arguments: Arguments) -> None:
    """Encodes, and prints what became of the pictures and captions."""
    from pinxit.data.cache import cache_beside, read_account
    from pinxit.data.config import Fingerprint
    from pinxit.data.encode import encode
    from pinxit.data.recaption import recaption, recaption_beside
    from pinxit.data.records import read_records
    from pinxit.models.autoencoder import load_autoencoder
    from pinxit.models.device import choose_device
    from pinxit.models.identity import identify_autoencoder
    from pinxit.models.text import load_text

    records, device = read_records(arguments.records), choose_device(arguments.device)
    text = load_text(arguments.text, device=device)
    autoencoder = identify_autoencoder(arguments.autoencoder)
    fingerprint = Fingerprint(
        autoencoder=autoencoder, text=text.identity, resolution=arguments.resolution,
        buckets=arguments.buckets, multiple=autoencoder.factor * arguments.patch,
    )  # fmt: skip
    out = arguments.out or cache_beside(arguments.records, fingerprint)
    if not arguments.captions_only:
        encode(records, load_autoencoder(arguments.autoencoder, device), text, out, fingerprint)
    elif arguments.out:
        recaption(records, text, out)
    else:
        recaption_beside(records, text, out, fingerprint)
    console.print(_table(read_account(out)))
    say(f"next: pinxit data verify {shlex.quote(str(out))}")


def _table(account: dict[str, object]) -> Table:
    table = Table(title="Encoded", show_header=False)
    for name, value in account.items():
        parts = [f"{size}: {count}" for size, count in value.items()] if isinstance(value, dict) else value
        table.add_row(name, ", ".join(map(str, parts)) if isinstance(parts, list) else str(parts))
    return table
