"""`pinxit data encode RECORDS`: pictures and captions through the encoders, once.

pinxit data encode data/own --resolution 64
pinxit data encode data/own --captions-only
pinxit data encode data/own --engine ray
"""

import shlex
from pathlib import Path
from typing import TypeVar

from pydantic import Field, model_validator
from rich.table import Table
from tyro.conf import Positional

from pinxit.cli.engine import Working
from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.config import Config
from pinxit.data.config import Fingerprint
from pinxit.log import console
from pinxit.models.config import AutoencoderConfig, MiniLMConfig, SmallCodecConfig, TextConfig
from pinxit.models.identity import TextIdentity

C = TypeVar("C", bound=Config)


class Arguments(Working):
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

    @model_validator(mode="after")
    def _one_engine_encodes(self) -> "Arguments":
        if self.engine == "ray" and self.captions_only:
            raise ValueError("captions alone are encoded on one machine; leave out --engine, or --captions-only")
        return self


def main(verb: str, words: list[str]) -> None:
    """Encodes what the words name."""
    run(parse(Arguments, verb, words))


def run(arguments: Arguments) -> None:
    """Encodes, and prints what became of the pictures and captions."""
    from pinxit.data.cache import read_account

    out = _on_cluster(arguments) if arguments.engine == "ray" else _here(arguments)
    console.print(_table(read_account(out)))
    say(f"next: pinxit data verify {shlex.quote(str(out))}")


def _here(arguments: Arguments) -> Path:
    """The cache, made by this process."""
    from pinxit.data.encode import encode
    from pinxit.data.recaption import recaption, recaption_beside
    from pinxit.data.records import read_records
    from pinxit.models.autoencoder import load_autoencoder
    from pinxit.models.device import choose_device
    from pinxit.models.text import load_text

    records, device = read_records(arguments.records), choose_device(arguments.device)
    text = load_text(arguments.text, device=device)
    out, fingerprint = _place(arguments, text.identity)
    if not arguments.captions_only:
        encode(records, load_autoencoder(arguments.autoencoder, device), text, out, fingerprint)
    elif arguments.out:
        recaption(records, text, out)
    else:
        recaption_beside(records, text, out, fingerprint)
    return out


def _on_cluster(arguments: Arguments) -> Path:
    """The cache, made by the workers of a cluster: nothing is opened here."""
    from pinxit.data.cluster_encode import Encoding, encode_on_cluster
    from pinxit.data.records import read_records
    from pinxit.models.text import identify_text

    out, fingerprint = _place(arguments, identify_text(arguments.text))
    autoencoder, text = _absolute(arguments.autoencoder), _absolute(arguments.text)
    encoding = Encoding(arguments.records.resolve(), out.resolve(), fingerprint, autoencoder, text)
    encode_on_cluster(read_records(arguments.records), encoding, arguments.device)
    return out


def _place(arguments: Arguments, text: TextIdentity) -> tuple[Path, Fingerprint]:
    """Where the cache is, and what it is made of."""
    from pinxit.data.cache import cache_beside
    from pinxit.models.identity import identify_autoencoder

    autoencoder = identify_autoencoder(arguments.autoencoder)
    fingerprint = Fingerprint(
        autoencoder=autoencoder, text=text, resolution=arguments.resolution,
        buckets=arguments.buckets, multiple=autoencoder.factor * arguments.patch,
    )  # fmt: skip
    return arguments.out or cache_beside(arguments.records, fingerprint), fingerprint


def _absolute(config: C) -> C:
    """The settings with the paths in them written out, for machines with another current folder."""
    paths = {name: getattr(config, name, None) for name in ("folder", "file", "tokenizer")}
    return config.model_copy(update={name: str(Path(path).resolve()) for name, path in paths.items() if path})


def _table(account: dict[str, object]) -> Table:
    table = Table(title="Encoded", show_header=False)
    for name, value in account.items():
        parts = [f"{size}: {count}" for size, count in value.items()] if isinstance(value, dict) else value
        table.add_row(name, ", ".join(map(str, parts)) if isinstance(parts, list) else str(parts))
    return table
