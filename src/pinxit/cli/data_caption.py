"""`pinxit data caption RECORDS`: a vision-language model writes captions, beside the old ones.

pinxit data caption data/own --model models/llava-1.5-7b-hf --memory 8bit
pinxit data caption data/own --endpoint http://localhost:8000/v1 --at-once 64
pinxit data caption data/own --model models/llava-1.5-7b-hf --engine ray
"""

import shlex
from pathlib import Path

from pydantic import Field, model_validator
from rich.table import Table
from tyro.conf import Positional

from pinxit.cli.engine import Working
from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.cli.stop import going_on
from pinxit.data.caption import (
    REQUEST,
    REQUEST_WITH_CAPTION,
    SLOT,
    Account,
    Captioner,
    caption,
    place_beside,
)
from pinxit.data.config import CaptionerMemory
from pinxit.data.journal import CaptionerIdentity
from pinxit.data.records import Records
from pinxit.errors import ConfigError
from pinxit.log import console


class Arguments(Working):
    """Asks a model for a caption of every picture; may be stopped anywhere, and goes on where it stopped.

    Example: pinxit data caption data/own --endpoint http://localhost:8000/v1
    """

    records: Positional[Path] = Field(description="what `pinxit data import` wrote")
    model: str | None = Field(None, description="folder of an image-text-to-text model; with --endpoint its name there")
    endpoint: str | None = Field(None, description="address of a server with the OpenAI chat form, up to /v1")
    request: Path | None = Field(
        None, description="file with your own request, {caption} in it for the old caption; none: the paper's"
    )
    share: float = Field(0.5, ge=0, le=1, description="of a picture's draws in training that fall on new captions")
    add: bool = Field(False, description="keep the captions of former captioners too; they stay in the journal anyway")
    temperature: float = Field(0.2, ge=0, description="0: always the likeliest word")
    tokens: int = Field(1024, gt=0, description="most of a caption")
    batch: int = Field(32, gt=0, description="pictures at once, of a local model")
    memory: CaptionerMemory = Field("full", description="8bit, 4bit: a local model's weights take less")
    device: str = Field("auto", description="of a local model: cpu, cuda, cuda:1; auto: a GPU where there is one")
    at_once: int = Field(32, gt=0, description="most requests that a server gets at the same time")
    seconds: float = Field(300, gt=0, description="that a server has for one request")

    @model_validator(mode="after")
    def _somebody_captions(self) -> "Arguments":
        if self.model is None and self.endpoint is None:
            raise ValueError("nobody is there to caption; name a model's folder with --model, or a server: --endpoint")
        if self.engine == "ray" and self.endpoint is not None:
            raise ValueError("a server shares out its own work; leave out --engine, or name a model's folder: --model")
        return self


def main(verb: str, words: list[str]) -> None:
    """Captions what the words name."""
    run(parse(Arguments, verb, words), shlex.join([*verb.split(), *words]))


def run(arguments: Arguments, command: str) -> None:
    """Captions, and prints what became of the pictures."""
    from pinxit.data.records import read_records

    records, place = read_records(arguments.records), place_beside(arguments.records)
    with going_on(lambda: command):
        account = caption(records, open_captioner(arguments, records, place), place, arguments.share, add=arguments.add)
    console.print(account_table(account))
    if account.failed:
        say(f"why pictures got no caption: {place / 'failed.jsonl'}; the same command asks about them again")
    say(f"next: pinxit data audit {shlex.quote(str(arguments.records))}")


def open_captioner(arguments: Arguments, records: Records, place: Path) -> Captioner:
    """The model or the server that the arguments name."""
    if arguments.endpoint is not None:
        from pinxit.data.endpoint import RemoteCaptioner, Server, find_model

        server = Server(arguments.endpoint, arguments.at_once, arguments.seconds)
        return RemoteCaptioner(server, identify(arguments, arguments.model or find_model(server), server.base))
    from pinxit.data.captioner import LocalCaptioner, identify_model
    from pinxit.models.device import choose_device

    assert arguments.model is not None, "one of the two was given"
    folder = Path(arguments.model).resolve()
    identity = identify(arguments, folder.name, identify_model(folder))
    if arguments.engine == "ray":
        from pinxit.data.cluster_caption import Captioning, ClusterCaptioner

        captioning = Captioning(records.folder.resolve(), folder, identity, arguments.batch, arguments.memory)
        return ClusterCaptioner(records, captioning, place / f"blocks-{identity.name}", arguments.device)
    return LocalCaptioner(folder, identity, choose_device(arguments.device), arguments.batch, arguments.memory)


def identify(arguments: Arguments, model: str, source: str) -> CaptionerIdentity:
    """Who captions, and how it is asked."""
    plain, rewording = REQUEST, REQUEST_WITH_CAPTION
    if arguments.request is not None:
        rewording = arguments.request.read_text(encoding="utf-8").strip()
        if not rewording:
            raise ConfigError("--request", str(arguments.request), "the file is empty", "write what is to be asked")
        plain = REQUEST if SLOT in rewording else rewording
    return CaptionerIdentity(
        model=model, source=source, request=plain, request_with_caption=rewording,
        temperature=arguments.temperature, tokens=arguments.tokens,
    )  # fmt: skip


def account_table(account: Account) -> Table:
    """What became of the pictures."""
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column("")
    table.add_column("", justify="right")
    table.add_row("pictures", f"{account.pictures:,}", style="bold")
    for name, count in (
        ("  captioned before", account.before),
        ("  captioned now", account.now),
        ("    of these cut at the most tokens", account.cut),
        ("  without an answer", account.failed),
        ("  without a caption, not asked about", account.silent),
    ):
        if count:
            table.add_row(name, f"{count:,}")
    return table
