"""The outer edge: what goes wrong becomes a line on standard error and an exit status, never a traceback."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from traceback import walk_tb

from pinxit.errors import ConfigError, PinxitError, Stopped

INTERRUPTED = 130  # what a shell says of a process that Ctrl-C ended
BROKEN_PIPE = 141  # the same, of one whose reader has gone
OUTPUT = "standard output"
OUT_OF_MEMORY = (
    "the GPU's memory is full; train with a larger --stages.NAME.accumulation, draw with --memory offload, or compute "
    "on the processor: --compute.device cpu, --device cpu"
)


def guarded(name: str, action: Callable[[], int]) -> int:
    """The exit status: the action's, 2 where a setting cannot work, 1 for any other error, 128 + signal for a stop."""
    try:
        status = action()
        sys.stdout.flush()
    except Stopped as stop:
        sys.stderr.write(f"{stop}\n")
        return 128 + stop.signal if stop.signal else 0
    except PinxitError as error:
        sys.stderr.writelines(f"{name}: {line}\n" for line in str(error).splitlines())
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except (SystemExit, BrokenPipeError) as end:
        if BrokenPipeError not in {type(end), type(end.__context__)}:  # of which rich makes an exit
            raise
        return _without_output(BROKEN_PIPE)
    except Exception as error:
        why, place = reason(error), file_of(error)
        if why is None:
            raise
        sys.stderr.write(f"{name}: {place}: {why}\n" if place else f"{name}: {why}\n")
        return _without_output(1) if place == OUTPUT else 1
    return status


def reason(error: Exception) -> str | None:
    """What the system said of a full disk or GPU, or of a file that cannot be opened; none for any other error."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported here
        return OUT_OF_MEMORY
    wrapped = re.search(r"\(os error (\d+)\)", str(error))  # as libraries written in Rust wrap it
    return os.strerror(int(wrapped[1])) if wrapped else None


def file_of(error: Exception) -> str:
    """The file that the error names; where it names none, as on a full disk, the one in hand; empty for a full GPU."""
    if isinstance(error, OSError) and error.filename is not None:
        return str(error.filename)
    if reason(error) == OUT_OF_MEMORY:
        return ""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    held = (value for frame in reversed(frames) for value in frame.f_locals.values())
    return next((str(value) for value in held if isinstance(value, Path)), OUTPUT)


def _without_output(status: int) -> int:
    """The status; what is left to write at exit goes nowhere, so that it cannot fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status
