"""Joules of this machine: read from its counters through codecarbon, estimated by a stated formula elsewhere.

codecarbon's readers are used, not its tracker: the tracker starts threads, takes settings from the environment that can
make it send data, and adds guessed watts to counted joules in one sum. Its readers do nothing of the kind.
"""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from pinxit.ledger.config import MeterConfig

Source = Literal["measured", "estimated"]
JOULES_PER_KWH = 3.6e6


Counter = Callable[[float], float]  # seconds since the last reading -> joules since then


def open_counters() -> dict[str, Counter]:
    """The counters that can be read here, under what they count: "processor" packages, "accelerator" boards."""
    if find_spec("codecarbon") is None:
        return {}
    logging.getLogger("codecarbon").disabled = True  # its level is set again on import; this stays
    from codecarbon.core import cpu, gpu
    from codecarbon.core.config import normalize_gpu_ids
    from codecarbon.external.hardware import CPU, GPU

    readers = {}
    if cpu.is_rapl_available():
        readers["processor"] = CPU.from_utils(".", "intel_rapl", model="", tdp=0)
    if gpu.is_nvidia_system() or gpu.is_rocm_system():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES") or os.environ.get("ROCR_VISIBLE_DEVICES")
        readers["accelerator"] = GPU.from_utils(normalize_gpu_ids(visible))
    for reader in readers.values():
        reader.start()

    def counter(part: str) -> Counter:
        return lambda seconds: float(readers[part].measure_power_and_energy(seconds)[1].kWh) * JOULES_PER_KWH

    return {part: counter(part) for part in readers}


def processor_seconds() -> float:
    """Seconds of processor time that this process and its finished children have used, over all cores."""
    return sum(os.times()[:4])


@dataclass(frozen=True)
class Joules:
    """Energy of a stretch of time; `source` is "measured" only where every part was read from a counter."""

    value: float
    source: Source
    method: str


class Gauge:
    """Joules since the last reading, by counter where there is one and by formula where there is none.

    The formulas: core_watts x processor seconds + rest_watts x seconds, and accelerator_watts x accelerators x seconds.
    Counters are of the whole machine's packages and boards; what they do not see (fans, supply) is left out. They
    overflow after minutes at full load, so read at least once in a minute or two.
    """

    def __init__(self, config: MeterConfig, accelerators: int) -> None:
        self._config = config
        self._accelerators = accelerators
        self._counters = open_counters()
        self._clock, self._processor = time.perf_counter(), processor_seconds()

    def read(self) -> Joules:
        """The energy since the last reading, or since the start."""
        clock, processor = time.perf_counter(), processor_seconds()
        seconds, busy = clock - self._clock, processor - self._processor
        self._clock, self._processor = clock, processor
        parts = [self._read_processor(seconds, busy)]
        if self._accelerators:
            parts.append(self._read_accelerator(seconds))
        is_measured = all(part.source == "measured" for part in parts)
        return Joules(
            sum(part.value for part in parts),
            "measured" if is_measured else "estimated",
            "; ".join(part.method for part in parts),
        )

    def _read_processor(self, seconds: float, busy: float) -> Joules:
        if "processor" in self._counters:
            return self._count("processor", seconds)
        watts = self._config
        joules = watts.core_watts * busy + watts.rest_watts * seconds
        return Joules(
            joules,
            "estimated",
            f"processor: {watts.core_watts:g} W a busy core and {watts.rest_watts:g} W for the rest",
        )

    def _read_accelerator(self, seconds: float) -> Joules:
        if "accelerator" in self._counters:
            return self._count("accelerator", seconds)
        watts = self._config.accelerator_watts
        return Joules(
            watts * self._accelerators * seconds, "estimated", f"accelerator: {self._accelerators} of {watts:g} W"
        )

    def _count(self, part: str, seconds: float) -> Joules:
        return Joules(self._counters[part](seconds), "measured", f"{part}: its counter, read by codecarbon")
