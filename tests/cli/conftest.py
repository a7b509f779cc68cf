"""The command line as a user meets it: words in, exit status and lines out."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pinxit.cli.main import main


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


@pytest.fixture
def pinxit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    def run(*words: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["pinxit", *words])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Answer(end.value.code, said.out, said.err)

    return run
