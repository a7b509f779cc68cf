"""The meter: what a run spends, in lines of `ledger.jsonl`, each with the stage and phase that it was spent on."""

import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from pinxit.config import Config
from pinxit.errors import DataError
from pinxit.ledger.config import MeterConfig
from pinxit.ledger.energy import Gauge, Source
from pinxit.ledger.tariff import Rate
from pinxit.log import append_line, read_lines

LEDGER = "ledger.jsonl"
TRAIN = "train"  # the phase whose pictures are the run's pictures
WRITE_EVERY = 60.0  # seconds, less than any energy counter takes to overflow


class Hardware(Config):
    """What the work was done on."""

    processor: str
    cores: int
    accelerators: tuple[str, ...] = ()

    def say(self) -> str:
        """The hardware in one line."""
        cores = f"{self.cores} cores of {self.processor}"
        return f"{len(self.accelerators)} x {self.accelerators[0]}, {cores}" if self.accelerators else cores


class Line(Config):
    """One stretch of work as the ledger keeps it; `waited` is the part of `seconds` in which data was late.

    `operations` are those of matrix products, None where nobody counted; `peak` is the most that the machine could have
    done of them in a second, None where that is not known.
    """

    ended: str
    stage: str
    phase: str
    pictures: int
    seconds: float
    waited: float
    bytes_read: int
    joules: float
    joules_source: Source
    joules_method: str
    peak_bytes: int
    peak_accelerator_bytes: int
    hardware: Hardware
    operations: float | None = None
    peak: Rate | None = None


class Meter:
    """Writes what is spent within `stage` to the ledger, every minute and at the end, whatever the end.

    Lines are appended, and stay when a run is interrupted and resumed: work that is done again is paid again.
    `peak` is what the machine can do at most, for work whose operations are counted.
    """

    def __init__(self, folder: Path, config: MeterConfig | None = None, *, peak: Rate | None = None) -> None:
        self.file, self.peak = folder / LEDGER, peak
        self.hardware = find_hardware()
        self._gauge = Gauge(config or MeterConfig(), len(self.hardware.accelerators))
        self._work: tuple[str, str] | None = None  # stage and phase that time is spent on now
        self._waited_before = 0.0
        self._operations: float | None = None
        self._restart()

    @contextmanager
    def stage(self, name: str, phase: str = TRAIN) -> Iterator[Self]:
        """Time within is spent on this phase of this stage; one within another takes its time out of the outer one."""
        outer = self._switch((name, phase))
        try:
            yield self
        finally:
            self._switch(outer)

    def note(
        self, pictures: int = 0, bytes_read: int = 0, waited: float | None = None, operations: float | None = None
    ) -> None:
        """So many more pictures were done, bytes read, operations computed; `waited` is all that the loader has waited
        since it opened.

        To be called at least once a minute, or the energy counters may overflow unseen.
        """
        self._pictures += pictures
        self._bytes += bytes_read
        if operations is not None:
            self._operations = (self._operations or 0.0) + operations
        if waited is not None:  # a loader that shows less than before is a new one
            self._waited += waited - self._waited_before if waited >= self._waited_before else waited
            self._waited_before = waited
        if self._work and time.perf_counter() - self._start > WRITE_EVERY:
            self._write(*self._work)

    @property
    def running(self) -> float:
        """Seconds that are not on the ledger yet."""
        return time.perf_counter() - self._start if self._work else 0.0

    def _switch(self, work: tuple[str, str] | None) -> tuple[str, str] | None:
        """What was spent until now is on the ledger, if on any work; from now on it is spent on `work`."""
        if self._work:
            self._write(*self._work)
        else:
            self._gauge.read()
            self._restart()
        before, self._work = self._work, work
        return before

    def _write(self, stage: str, phase: str) -> None:
        joules = self._gauge.read()
        line = Line(
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            stage=stage,
            phase=phase,
            pictures=self._pictures,
            seconds=time.perf_counter() - self._start,
            waited=self._waited,
            bytes_read=self._bytes,
            joules=joules.value,
            joules_source=joules.source,
            joules_method=joules.method,
            peak_bytes=peak_memory(),
            peak_accelerator_bytes=peak_accelerator_memory(),
            hardware=self.hardware,
            operations=self._operations,
            peak=self.peak,
        )
        append_line(self.file, line.model_dump())
        self._restart()

    def _restart(self) -> None:
        self._start = time.perf_counter()
        self._pictures, self._bytes, self._waited = 0, 0, 0.0
        self._operations = None


def read_ledger(folder: Path) -> list[Line]:
    """Every line of a run's ledger; raises DataError where there is none."""
    file = folder / LEDGER
    rows = read_lines(file)
    if not rows:
        raise DataError(file, "there is no bill yet", "name the folder of a run that has taken a step")
    try:
        return [Line.model_validate(row) for row in rows]
    except ValidationError as error:
        raise unreadable(file, error) from error


def unreadable(file: Path, error: ValidationError) -> DataError:
    """What to raise for a file of a run folder that does not hold what it should: its first fault, in one line."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"])) or "it"
    return DataError(file, f"{place}: {first['msg']}, found {first['input']!r}", "mend or remove the file")


def peak_memory() -> int:
    """The most bytes that this process has had in memory so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def peak_accelerator_memory() -> int:
    """The most bytes that this process has reserved on any one accelerator so far."""
    import torch

    return max((torch.cuda.max_memory_reserved(i) for i in range(torch.cuda.device_count())), default=0)


def find_hardware() -> Hardware:
    """The processor's name, the cores that this process may use, the names of the accelerators."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    names = tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return Hardware(processor=_processor_name(), cores=cores, accelerators=names)


def _processor_name() -> str:
    described = Path("/proc/cpuinfo")
    if described.is_file():
        for line in described.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
