"""Several processes fill one study: each trial is claimed by one of them, until it is done or that process ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def claim(file: Path, *, patient: bool = False) -> Iterator[bool]:
    """Whether the file is this process's own while this is entered; `patient`, it waits until it is.

    The system lets go of it when the process ends, however that comes about.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX if patient else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
