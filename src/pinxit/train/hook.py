"""What happens after a step: average, log, meter, checkpoint, sample, evaluate."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from pinxit.errors import Stopped
from pinxit.ledger.budget import never_spent
from pinxit.log import Bar, append_line
from pinxit.train.checkpoint import write_checkpoint
from pinxit.train.run import StepReport
from pinxit.train.state import TrainState


def follow_average(examples_per_step: int) -> Callable[[TrainState, StepReport], None]:
    """A hook: the average follows the weights."""

    def hook(state: TrainState, _: StepReport) -> None:
        state.average.update(state.model, examples_per_step, state.seen_in_stage)

    return hook


class StepLog:
    """A hook: one JSON line a step in `steps.jsonl`, and the progress bar."""

    def __init__(self, file: Path, stage: str, bar: Bar) -> None:
        self.file, self.stage, self.bar = file, stage, bar

    def __call__(self, state: TrainState, report: StepReport) -> None:
        """The step is on disk and on the bar."""
        weight = sum(loss.weight for loss in report.losses)
        parts = {
            name: sum(loss.parts[name] * loss.weight for loss in report.losses) / weight
            for name in report.losses[0].parts
        }
        self.bar.move(state.seen_in_stage, f"loss {report.mean:.4f}")
        row = {
            "seen": state.seen, "stage": self.stage, "loss": report.mean, "norm": report.norm,
            "learning_rate": report.rate, f"{self.bar.unit}_per_second": round(self.bar.speed, 2),
            "waited": round(report.waited, 3), **parts,
        }  # fmt: skip
        append_line(self.file, row)


class Stopper:
    """While it is entered, Ctrl-C and SIGTERM are remembered in place of killing the process."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __enter__(self) -> "Stopper":
        self._before = {s: signal.signal(s, self._remember) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _remember(self, number: int, _: FrameType | None) -> None:
        if self.signal == number == signal.SIGINT:
            raise KeyboardInterrupt  # asked twice: stop at once
        self.signal = number


class Checkpointer:
    """A hook: the state is saved every so many seconds, and when a stop was asked for, which then stops the run.

    A stop is asked for by a signal, or by words from `spent`: they say which budget is spent.
    """

    def __init__(
        self,
        folder: Path,
        stopper: Stopper,
        every: float,
        *,
        unit: str = "pictures",
        spent: Callable[[], str] = never_spent,
    ) -> None:
        self.folder, self.stopper, self.every, self.unit, self.spent = folder, stopper, every, unit, spent
        self._last = time.monotonic()

    def __call__(self, state: TrainState, _: StepReport) -> None:
        """Saved if it was time; raises Stopped if that was asked for."""
        stopped, why = self.stopper.signal, self.spent()
        if stopped is not None or why or time.monotonic() - self._last > self.every:
            write_checkpoint(state, self.folder)
            self._last = time.monotonic()
        if stopped is not None or why:
            raise Stopped(stopped or 0, state.seen, unit=self.unit, why=why)


class Every:
    """A hook: calls `action` each time another `interval` of examples was seen."""

    def __init__(self, interval: int, seen: int, action: Callable[[TrainState], None]) -> None:
        self.interval, self.action = interval, action
        self._done = seen // interval

    def __call__(self, state: TrainState, _: StepReport) -> None:
        """The action ran if its time came."""
        due = state.seen // self.interval
        if due > self._done:
            self.action(state)
        self._done = due
