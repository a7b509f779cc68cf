"""A long verb that is stopped says how it goes on, wherever the stop found it."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from pinxit.cli.say import say
from pinxit.errors import Stopped


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
