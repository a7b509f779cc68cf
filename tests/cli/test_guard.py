"""What goes wrong is a line and an exit status."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pinxit.cli.guard import guarded
from pinxit.errors import ConfigError, DataError, Stopped


def end(action: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    def run() -> int:
        action()
        return 0

    return guarded("pinxit verb", run), capsys.readouterr().err


def failing(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ConfigError("--a", 1, "it is odd", "say 2"), 2, "pinxit verb: --a = 1: it is odd; say 2\n"),
        (DataError("here", "it is gone", "bring it"), 1, "pinxit verb: here: it is gone; bring it\n"),
        (Stopped(2, 7), 130, "stopped and saved at 7 pictures seen\n"),
        (Stopped(15, 7), 143, "stopped and saved at 7 pictures seen\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_is_its_lines_and_its_status(
    error: BaseException, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end(failing(error), capsys) == (status, said)


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "nothing"
    assert end(file.read_text, capsys) == (1, f"pinxit verb: {file}: No such file or directory\n")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_names_the_file_that_was_in_hand(
    error: Exception, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def save(file: Path) -> None:
        raise error

    def outer() -> None:
        save(tmp_path / "model")

    assert end(outer, capsys) == (1, f"pinxit verb: {tmp_path / 'model'}: No space left on device\n")


def test_an_error_of_ours_in_the_code_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        guarded("pinxit verb", lambda: 1 // 0)


CONTENTS = "import sys; sys.argv = ['pinxit', '--help']\nfrom pinxit.cli.main import main\nmain()"
SAID = (
    "import sys\nfrom pinxit.cli.guard import guarded\nfrom pinxit.cli.say import say\n"
    "sys.exit(guarded('pinxit verb', lambda: say('a line') or 0))"
)


def into(output: int, code: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", code], stdout=output, stderr=subprocess.PIPE, text=True, check=False)
    os.close(output)
    return done.returncode, done.stderr


@pytest.mark.parametrize("code", [CONTENTS, SAID])
def test_a_reader_that_has_gone_is_no_error(code: str) -> None:
    read, write = os.pipe()
    os.close(read)
    assert into(write, code) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_an_output_that_is_full_is_one_line() -> None:
    output = os.open("/dev/full", os.O_WRONLY)
    assert into(output, CONTENTS) == (1, "pinxit: standard output: No space left on device\n")


def test_a_full_gpu_is_a_line_that_says_what_takes_less(capsys: pytest.CaptureFixture[str]) -> None:
    from torch import OutOfMemoryError

    status, said = end(failing(OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")), capsys)
    assert status == 1
    assert said.startswith("pinxit verb: the GPU's memory is full; ")
    assert "accumulation" in said
    assert said.count("\n") == 1
