"""A long verb that is stopped says how it goes on, wherever the stop found it; some stop themselves at a budget."""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from pydantic import Field

from pinxit.cli.parse import spell
from pinxit.cli.say import say
from pinxit.config import Config
from pinxit.errors import Stopped
from pinxit.ledger.budget import Budget, read_budget


class Stopping(Config):
    """When a run saves itself and stops."""

    stop_at: str | None = Field(
        None, description='save and stop once the run has taken so much, stops included: "2 h", "$5", "1 kWh"'
    )

    @property
    def budget(self) -> Budget | None:
        """The budget, if there is one; ConfigError for words that are none."""
        return None if self.stop_at is None else read_budget(self.stop_at)


def without_budget(words: Sequence[str]) -> list[str]:
    """The words of a command without their budget, which would be found spent."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        name, is_attached, _ = word.partition("=")
        if not word.startswith("-") or spell(name.lstrip("-")) != "--stop-at":
            kept.append(word)
        elif not is_attached:
            next(rest, None)
    return kept


@contextmanager
def going_on(command: Callable[[], str]) -> Iterator[None]:
    """At Ctrl-C and SIGTERM the command that goes on is printed; the exit status is 128 + the signal.

    While the loop trains it takes both signals itself, and raises Stopped once it has saved.
    """
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    except (Stopped, KeyboardInterrupt, SystemExit):
        say(f"go on with: {command()}")
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
