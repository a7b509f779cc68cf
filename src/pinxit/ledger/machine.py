"""Dated rates of known machines, each with its source: operations a second in training, memory, watts."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pinxit.config import Config
from pinxit.errors import ConfigError
from pinxit.ledger.config import MeterConfig
from pinxit.ledger.meter import Hardware, find_hardware
from pinxit.ledger.tariff import Rate

HERE = "this machine"
CORE_RATE = 25e9  # operations a second of a core nobody has measured, in float32
PAPER_RATIO = 2.2  # A100 to V100, by which the paper turns its days from one to the other


class Machine(Config):
    """What a run is planned on: `count` alike accelerators, or the cores of one processor."""

    name: str
    kind: Literal["accelerator", "processor"] = "accelerator"
    count: int = 1
    rate: Rate  # operations a second of each in training, without what checkpointing repeats
    memory: int  # bytes of each accelerator, or of the machine
    watts: float  # of all of it, busy
    item: int = 2  # bytes of a number in a product
    peak: Rate | None = None  # operations a second of each at most, with such numbers; None where nobody says

    @property
    def speed(self) -> float:
        """Operations a second of all together."""
        return self.count * self.rate.value

    def say(self) -> str:
        """The machine in a few words."""
        return f"{self.count} cores of {self.name}" if self.kind == "processor" else f"{self.count} x {self.name}"


def _known(name: str, speed: float, gigabytes: int, watts: int, rate: Mapping[str, object]) -> Machine:
    about = {"name": f"{name} in training", "value": speed, "unit": "operations/s", **rate}
    item = 4 if name == "V100" else 2  # it has no bfloat16, and there is no float16 here
    most, date = PEAKS[name]
    peak = Rate(
        name=f"{name} at most", value=most, unit="operations/s", date=date,
        source=f"its datasheet, dense products in {'float32' if item == 4 else 'bfloat16'}",
    )  # fmt: skip
    return Machine(
        name=name, rate=Rate.model_validate(about), memory=gigabytes * 10**9, watts=watts, item=item, peak=peak
    )


PEAKS: Mapping[str, tuple[float, str]] = {  # of H100 and H200 the SXM form
    "V100": (15.7e12, "2017"),
    "A100": (312e12, "2020"),
    "H100": (989e12, "2022"),
    "H200": (989e12, "2023"),
    "RTX 4090": (165e12, "2022"),
}
V100_SPEED = 26e12
KNOWN: Sequence[Machine] = (  # watts and memory: datasheets
    _known("V100", V100_SPEED, 32, 300, {
        "date": "2023-09-20",
        "source": "derived from Chen et al. 2023 (arXiv 2310.00426): its text stage at 256 pixels, in float16",
    }),
    _known("A100", PAPER_RATIO * V100_SPEED, 80, 400, {
        "date": "2023-09-20",
        "source": "derived from Chen et al. 2023: 2.2 V100; fast-DiT published 76e12 for DiT-XL/2 at 256 pixels",
    }),
    _known("H100", 200e12, 80, 700, {
        "date": "2025-01",
        "source": "derived from LightningDiT (CVPR 2025): 285 pictures/s a GPU of the H800 class at 256 tokens",
    }),
    _known("H200", 200e12, 141, 700, {
        "date": "2026-11-28", "source": "assumption: as an H100", "is_assumed": True
    }),
    _known("RTX 4090", 40e12, 24, 450, {
        "date": "2026-11-28", "is_assumed": True,
        "source": "assumption: a quarter of the datasheet's 165e12; published training reaches a fifth to a third",
    }),
)  # fmt: skip


def find_machine(said: str, hardware: Hardware | None = None, meter: MeterConfig | None = None) -> Machine:
    """The machine of words such as "8xH100", "RTX 4090", "this machine"; ConfigError with all known names for others.

    An accelerator of this machine that no table knows is taken to be as fast as a V100, and said to be assumed.
    """
    if said.strip().lower() == HERE:
        return this_machine(hardware or find_hardware(), meter or MeterConfig())
    found = re.fullmatch(r"\s*(?:(\d+)\s*[x×]\s*)?(.+?)\s*", said)
    count, name = (int(found[1] or 1), found[2]) if found else (1, said)
    known = next((each for each in KNOWN if _plain(each.name) == _plain(name)), None)
    if known is None or not count:
        names = ", ".join(each.name for each in KNOWN)
        raise ConfigError("on", said, f"no such machine is known, only {names}", f"say 8xH100, or {HERE!r}")
    return known.model_copy(update={"count": count, "watts": count * known.watts})


def this_machine(hardware: Hardware, meter: MeterConfig) -> Machine:
    """The machine at hand: its first accelerator, on which a run computes, else its processor."""
    if hardware.accelerators:
        name = hardware.accelerators[0]
        known = next((each for each in KNOWN if _plain(each.name) in _plain(name)), None)
        guess = Rate(
            name=f"{name} in training", value=V100_SPEED, unit="operations/s", date="2026-11-28",
            source="assumption: as a V100; --calibrate measures it", is_assumed=True,
        )  # fmt: skip
        return Machine(
            name=name,
            rate=known.rate if known else guess,
            memory=_accelerator_memory(),
            watts=known.watts if known else meter.accelerator_watts,
            item=known.item if known else 2,
            peak=known.peak if known else None,
        )
    cores = hardware.cores
    rate = Rate(
        name="a core in training", value=CORE_RATE, unit="operations/s", date="2026-11-28",
        source="assumption; --calibrate measures it", is_assumed=True,
    )  # fmt: skip
    watts = cores * meter.core_watts + meter.rest_watts
    return Machine(
        name=hardware.processor, kind="processor", count=cores, rate=rate, memory=_memory(), watts=watts, item=4
    )  # fmt: skip


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def _memory() -> int:
    """Bytes of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _accelerator_memory() -> int:
    """Bytes of the accelerator that a run would compute on."""
    import torch

    return int(torch.cuda.get_device_properties(0).total_memory) if torch.cuda.is_available() else 0
