"""`pinxit data verify CACHE`: sums, joins, and values that are not finite.

pinxit data verify runs/own/cache/0123456789ab
"""

from pathlib import Path

from pydantic import Field
from tyro.conf import Positional

from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.config import Config
from pinxit.errors import DataError

SHOWN = 20  # complaints


class Arguments(Config):
    """Checks every shard of a cache of encoded pictures and captions.

    Example: pinxit data verify runs/own/cache/0123456789ab
    """

    folder: Positional[Path] = Field(description="the cache")


def main(verb: str, words: list[str]) -> None:
    """Checks the cache that the words name."""
    run(parse(Arguments, verb, words))


def run(arguments: Arguments) -> None:
    """Says how much is well, or raises DataError with what is wrong."""
    from pinxit.data.cache import Cache, verify

    wrong = verify(arguments.folder)
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise DataError(arguments.folder, "; ".join(wrong[:SHOWN]) + more, "encode again into another folder")
    cache = Cache(arguments.folder)
    say(f"{len(cache)} pictures and {len(list(cache.captions))} captions, all well")
