"""The meter: every second of a run is written to one line of `ledger.jsonl`, with what it was spent on."""

import os
import platform
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from pinxit.config import Config
from pinxit.errors import DataError
from pinxit.ledger.config import MeterConfig
from pinxit.ledger.energy import Gauge, Joules, Source
from pinxit.log import append_line, read_lines

LEDGER = "ledger.jsonl"
TRAIN = "train"  # the phase whose pictures are the run's pictures
READ_EVERY = 60.0  # seconds between two readings of the energy counters within a lap


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
    """One stretch of work as the ledger keeps it; `waited` is the part of `seconds` in which data was late."""

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


class Meter:
    """A lap counter: each lap takes all that was spent and counted since the last one, so nothing is billed twice.

    Lines are appended, and stay when a run is interrupted and resumed: work that is done again is paid again.
    """

    def __init__(self, folder: Path, config: MeterConfig) -> None:
        self.file = folder / LEDGER
        self.hardware = find_hardware()
        self._gauge = Gauge(config, len(self.hardware.accelerators))
        self._lap_start = self._last_reading = time.perf_counter()
        self._clear()

    def count(self, pictures: int = 0, bytes_read: int = 0, waited: float = 0.0) -> None:
        """The current lap has so many more pictures, bytes read, and seconds waited for data."""
        self._pictures += pictures
        self._bytes += bytes_read
        self._waited += waited
        if time.perf_counter() - self._last_reading > READ_EVERY:
            self._read()

    def lap(self, stage: str, phase: str) -> Line:
        """All since the last lap was spent on this phase of this stage, and is on disk; the next lap has begun."""
        joules = self._read()
        now = self._last_reading
        line = Line(
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            stage=stage,
            phase=phase,
            pictures=self._pictures,
            seconds=now - self._lap_start,
            waited=self._waited,
            bytes_read=self._bytes,
            joules=self._joules,
            joules_source=joules.source,
            joules_method=joules.method,
            peak_bytes=peak_memory(),
            peak_accelerator_bytes=peak_accelerator_memory(),
            hardware=self.hardware,
        )
        append_line(self.file, line.model_dump())
        self._lap_start = now
        self._clear()
        return line

    def _read(self) -> Joules:
        joules = self._gauge.read()
        self._joules += joules.value
        self._last_reading = time.perf_counter()
        return joules

    def _clear(self) -> None:
        self._pictures, self._bytes, self._waited, self._joules = 0, 0, 0.0, 0.0


def read_ledger(folder: Path) -> list[Line]:
    """Every line of a run's ledger; raises DataError where there is none."""
    rows = read_lines(folder / LEDGER)
    if not rows:
        raise DataError(folder / LEDGER, "there is no bill yet", "name the folder of a run that has taken a step")
    return [Line.model_validate(row) for row in rows]


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
