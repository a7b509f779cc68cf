"""`pinxit demo` hands over what was asked for, and says how it goes on after a stop, whenever that comes."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pinxit.errors import Stopped
from pinxit.ledger.budget import Budget
from tests.cli.conftest import Answer

Run = Callable[..., Answer]


def demo(monkeypatch: pytest.MonkeyPatch, run: Callable[[Path, float, Budget | None], Path]) -> None:
    monkeypatch.setitem(sys.modules, "pinxit.recipes.demo", SimpleNamespace(run_demo=run))
    monkeypatch.setattr("pinxit.data.emoji.prepare", lambda styles: None)


def test_the_folder_and_the_minutes_reach_the_demo(pinxit: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Path, float, Budget | None]] = []

    def run(folder: Path, minutes: float, budget: Budget | None) -> Path:
        asked.append((folder, minutes, budget))
        return folder / "report.html"

    demo(monkeypatch, run)
    answer = pinxit("demo", "--out", "a [b]", "--minutes", "2.5")
    assert asked == [(Path("a [b]"), 2.5, None)]
    assert f"the page:    {Path('a [b]/report.html').resolve()}" in answer.out.splitlines()


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("status", "stop"),
    [
        (130, lambda: signal.raise_signal(signal.SIGINT)),
        (143, lambda: os.kill(os.getpid(), signal.SIGTERM)),
        (130, interrupt),
    ],
)
def test_a_stop_before_the_loop_prints_the_command_that_goes_on(
    pinxit: Run, monkeypatch: pytest.MonkeyPatch, status: int, stop: Callable[[], None]
) -> None:
    def run(folder: Path, minutes: float, budget: Budget | None) -> Path:
        stop()
        raise AssertionError("it was not stopped")

    demo(monkeypatch, run)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    answer = pinxit("demo", "--out", "my runs/demo")
    signal.signal(signal.SIGINT, before)
    assert (answer.status, answer.out, answer.err) == (status, "go on with: pinxit demo --out 'my runs/demo'\n", "")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_in_the_loop_prints_it_too(
    pinxit: Run, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    def run(folder: Path, minutes: float, budget: Budget | None) -> Path:
        raise Stopped(number, 640)

    demo(monkeypatch, run)
    answer = pinxit("demo")
    assert (answer.status, answer.out) == (status, "go on with: pinxit demo\n")
    assert answer.err == "stopped and saved at 640 pictures seen\n"


def test_a_budget_reaches_the_demo_and_the_command_that_goes_on_is_without_it(
    pinxit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Budget | None] = []

    def run(folder: Path, minutes: float, budget: Budget | None) -> Path:
        asked.append(budget)
        raise Stopped(0, 64, why="the budget of 10 min 00 s is spent")

    demo(monkeypatch, run)
    answer = pinxit("demo", "--stop-at", "10 min", "--out", "a")
    assert asked == [Budget(kind="seconds", limit=600)]
    assert (answer.status, answer.out) == (0, "go on with: pinxit demo --out a\n")
    assert answer.err == "the budget of 10 min 00 s is spent: stopped and saved at 64 pictures seen\n"


def test_minutes_that_cannot_be_are_refused(pinxit: Run) -> None:
    assert pinxit("demo", "--minutes", "0").err == "pinxit demo: --minutes = '0': it should be greater than 0\n"
