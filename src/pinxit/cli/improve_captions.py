"""`pinxit improve captions RECORDS`: the captions of a whole data set improved, beside the old ones.

pinxit improve captions data/own --improver runs/improver
pinxit improve captions data/own --improver runs/improver --rounds 1 --share 1
"""

import shlex
from pathlib import Path

from pydantic import Field
from tyro.conf import Positional

from pinxit.cli.data_caption import account_table
from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.cli.stop import going_on
from pinxit.config import Config
from pinxit.data.caption import caption, place_beside
from pinxit.log import console


class Arguments(Config):
    """Improves the caption that each picture was imported with; may be stopped anywhere, and goes on where it stopped.

    Example: pinxit improve captions data/own --improver runs/improver
    """

    records: Positional[Path] = Field(description="what `pinxit data import` wrote")
    improver: Path | None = Field(None, description="what `pinxit improve train` wrote; none: the one that ships")
    rounds: int | None = Field(None, ge=0, description="most improvements; none: the improver's own number")
    share: float = Field(0.5, ge=0, le=1, description="of a picture's draws in training that fall on new captions")
    add: bool = Field(False, description="keep the captions of former captioners too; they stay in the journal anyway")
    seed: int = Field(0, ge=0)
    device: str = Field("auto", description="cpu, cuda, cuda:1; auto: a CUDA GPU where there is one")


def main(verb: str, words: list[str]) -> None:
    """Improves the captions of what the words name."""
    run(parse(Arguments, verb, words), shlex.join([*verb.split(), *words]))


def run(arguments: Arguments, command: str) -> None:
    """Improves, and prints what became of the captions."""
    from pinxit.data.records import read_records
    from pinxit.improve.caption import ImprovingCaptioner
    from pinxit.improve.folder import find_improver
    from pinxit.improve.refine import Improver
    from pinxit.models.device import choose_device

    records, place = read_records(arguments.records), place_beside(arguments.records)
    folder, device = find_improver(arguments.improver), choose_device(arguments.device)
    improver = Improver.load(folder, rounds=arguments.rounds, seed=arguments.seed, device=device)
    captioner = ImprovingCaptioner(improver, folder)
    with going_on(lambda: command):
        account = caption(records, captioner, place, arguments.share, add=arguments.add)
    console.print(account_table(account))
    if account.failed:
        say(f"why pictures got no caption: {place / 'failed.jsonl'}")
    say(f"next: pinxit data audit {shlex.quote(str(arguments.records))}")
