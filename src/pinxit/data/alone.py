"""One process at a time writes into a folder; another one waits until it is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pinxit.errors import DataError
from pinxit.log import console


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """The folder is there, and no other process writes into it meanwhile; one that does is waited for."""
    import fcntl

    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("w")
    except OSError as error:
        raise DataError(folder, f"it cannot be written ({error.strerror})", "name another folder: --out") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print(f"another process writes into {folder}: waiting for it", markup=False, soft_wrap=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
