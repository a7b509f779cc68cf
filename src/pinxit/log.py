"""One line a step to the run folder, progress to the terminal: a rich bar there, plain lines in a file."""

import json
import time
from collections.abc import Iterator, Mapping
from os import SEEK_END
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PLAIN_EVERY = 20.0  # seconds between plain lines

console = Console()


def append_line(file: Path, row: Mapping[str, object]) -> None:
    """`file` has one more line of JSON, on a line of its own even where a kill left the last one torn."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab+") as opened:
        if opened.tell():
            opened.seek(-1, SEEK_END)
            torn = opened.read(1) != b"\n"
        else:
            torn = False
        opened.write(("\n" * torn + json.dumps(row, ensure_ascii=False) + "\n").encode())


def stream_lines(file: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Every complete line of a file of JSON lines with the byte where it starts; torn lines are passed over."""
    place = 0
    with file.open("rb") as opened:
        for line in opened:
            try:
                row = json.loads(line)
            except ValueError:  # torn, within a letter even
                row = None
            if isinstance(row, dict):
                yield place, row
            place += len(line)


def read_lines(file: Path) -> list[dict[str, object]]:
    """Every complete line of a file of JSON lines; none if there is no such file, torn lines are passed over."""
    return [row for _, row in stream_lines(file)] if file.is_file() else []


def drop_lines_after(file: Path, seen: int) -> None:
    """Lines that a resumed run will write again (`seen` above the given one) are gone."""
    rows = [row for row in read_lines(file) if int(str(row.get("seen", 0))) <= seen]
    if file.is_file():
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


class Bar:
    """Progress of one long piece of work: speed, time left where the `total` is known, and a note such as the loss."""

    def __init__(self, title: str, total: int | None, done: int = 0, unit: str = "pictures") -> None:
        self.title, self.total, self.done, self.unit = title, total, done, unit
        self._start, self._first, self._said, self._last_plain = time.monotonic(), done, done, 0.0
        self._rich: Progress | None = None
        if console.is_terminal:
            self._rich = Progress(
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}{task.fields[whole]}"),
                TextColumn("{task.fields[note]}"), TimeElapsedColumn(), TimeRemainingColumn(), console=console,
            )  # fmt: skip
            self._task = self._rich.add_task(
                title, total=total, completed=done, note="", whole="" if total is None else f"/{total}"
            )

    def __enter__(self) -> "Bar":
        if self._rich:
            self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._rich:
            self._rich.stop()
        elif self.done > self._said and kind is None:
            self._plain("")

    @property
    def speed(self) -> float:
        """Units a second since the start of this bar."""
        return (self.done - self._first) / max(1e-9, time.monotonic() - self._start)

    def move(self, done: int, note: str = "") -> None:
        """The bar stands at `done`."""
        self.done = done
        if self._rich:
            self._rich.update(self._task, completed=done, note=f"{self.speed:.0f} {self.unit}/s {note}")
        elif time.monotonic() - self._last_plain > PLAIN_EVERY:
            self._plain(note)

    def _plain(self, note: str) -> None:
        self._last_plain, self._said = time.monotonic(), self.done
        whole, left = "", ""
        if self.total is not None:
            whole, left = f"/{self.total}", f", {max(0, self.total - self.done) / max(1e-9, self.speed):.0f} s left"
        text = f"{self.title}: {self.done}{whole} {self.unit}, {self.speed:.0f}/s{left} {note}"
        console.print(text.rstrip(), highlight=False, soft_wrap=True)
