"""The bill of a run: seconds, joules, money and CO2 of every phase, stage and picture, planned beside measured."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pinxit.config import Config
from pinxit.ledger.config import TariffConfig
from pinxit.ledger.energy import JOULES_PER_KWH, Source
from pinxit.ledger.meter import TRAIN, Hardware, Line, read_ledger, unreadable
from pinxit.ledger.tariff import Rate, Tariff, settle

PLAN = "plan.json"
MARKS = (
    "≈ is estimated, all else measured. “At home” is the price of the electricity on a machine of your own, “rented” "
    "the price of the same hours on a rented one: one or the other, not both."
)


class Item(Config):
    """What some of the work took: dollars if run on own electricity, dollars if rented, grams of CO2.

    Seconds are always measured. Energy, its price and its CO2 are as `joules_source` says. `rent` is None where the
    accelerator has no price. `operations` are those of training, None where nobody counted; `utilisation` is their
    share of what the machine could have done in the time of training, None where its peak is not known.
    """

    stage: str
    phase: str
    pictures: int
    seconds: float
    waited: float
    bytes_read: int
    peak_bytes: int
    peak_accelerator_bytes: int
    joules: float
    joules_source: Source
    electricity: float
    rent: float | None
    grams: float
    operations: float | None
    utilisation: float | None


class Planned(BaseModel):
    """What the plan said of one phase of a stage, before its first step; other fields of a plan are left alone."""

    model_config = ConfigDict(frozen=True)

    stage: str
    phase: str = TRAIN
    pictures: int
    seconds: float
    joules: float
    peak_bytes: int = 0
    operations: float | None = None

    @property
    def label(self) -> str:
        """The stage, and the phase unless it is training."""
        return self.stage if self.phase == TRAIN else f"{self.stage}, {self.phase}"


class Plan(BaseModel):
    """The part of `plan.json` that is set beside what was measured."""

    model_config = ConfigDict(frozen=True)

    stages: tuple[Planned, ...]
    on: str = ""  # the machine and its rate

    @property
    def peak(self) -> int:
        """Bytes of memory at most, of all that is planned."""
        return max((planned.peak_bytes for planned in self.stages), default=0)


class Bill(Config):
    """What a run took by phase, by stage and in all; the pictures of a stage and of the whole are those trained on."""

    items: tuple[Item, ...]
    stages: tuple[Item, ...]
    total: Item
    tariff: Tariff
    methods: tuple[str, ...]
    hardware: tuple[Hardware, ...]
    peaks: tuple[Rate, ...]
    ended: str
    plan: Plan = Plan(stages=())

    def share(self, pictures: int) -> Item | None:
        """What so many pictures took, of all those trained on; None before the first one."""
        if not self.total.pictures:
            return None
        ratio = pictures / self.total.pictures
        parts = ("seconds", "waited", "joules", "electricity", "grams")
        shared: dict[str, object] = {name: getattr(self.total, name) * ratio for name in parts}
        shared |= {
            "pictures": pictures,
            "bytes_read": round(self.total.bytes_read * ratio),
            "rent": None if self.total.rent is None else self.total.rent * ratio,
            "operations": None if self.total.operations is None else self.total.operations * ratio,
        }
        return self.total.model_copy(update=shared)

    def phases(self, stage: str) -> list[Item]:
        """The items of one stage."""
        return [item for item in self.items if item.stage == stage]

    @property
    def beside_plan(self) -> list[tuple[Planned, Item]]:
        """Each planned phase of a stage that has begun, with what it took."""
        taken = {(item.stage, item.phase): item for item in self.items}
        both = [(planned, taken.get((planned.stage, planned.phase))) for planned in self.plan.stages]
        return [(planned, item) for planned, item in both if item is not None]


def bill(folder: Path, config: TariffConfig | None = None) -> Bill:
    """The bill of the run in `folder`, over all its interruptions; raises DataError where nothing was metered."""
    lines = read_ledger(folder)
    hardware = tuple(dict.fromkeys(line.hardware for line in lines))
    tariff = settle(config or TariffConfig(), [name for one in hardware for name in one.accelerators])
    stages = _grouped(lines, lambda line: line.stage)
    return Bill(
        items=tuple(
            _item(stage, phase, of_phase, tariff)
            for stage, of_stage in stages.items()
            for phase, of_phase in _grouped(of_stage, lambda line: line.phase).items()
        ),
        stages=tuple(_item(stage, "", of_stage, tariff) for stage, of_stage in stages.items()),
        total=_item("total", "", lines, tariff),
        tariff=tariff,
        methods=tuple(dict.fromkeys(line.joules_method for line in lines)),
        hardware=hardware,
        peaks=tuple(dict.fromkeys(line.peak for line in lines if line.peak and line.operations is not None)),
        ended=max(line.ended for line in lines),
        plan=_read_plan(folder / PLAN),
    )


def _grouped(lines: Iterable[Line], name: Callable[[Line], str]) -> dict[str, list[Line]]:
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(name(line), []).append(line)
    return groups


def _item(stage: str, phase: str, lines: Sequence[Line], tariff: Tariff) -> Item:
    kilowatt_hours = sum(line.joules for line in lines) / JOULES_PER_KWH
    is_measured = all(line.joules_source == "measured" for line in lines)
    return Item(
        stage=stage,
        phase=phase,
        pictures=sum(line.pictures for line in lines if phase or line.phase == TRAIN),
        seconds=sum(line.seconds for line in lines),
        waited=sum(line.waited for line in lines),
        bytes_read=sum(line.bytes_read for line in lines),
        peak_bytes=max(line.peak_bytes for line in lines),
        peak_accelerator_bytes=max(line.peak_accelerator_bytes for line in lines),
        joules=kilowatt_hours * JOULES_PER_KWH,
        joules_source="measured" if is_measured else "estimated",
        electricity=kilowatt_hours * tariff.electricity.value,
        rent=_rent(lines, tariff),
        grams=kilowatt_hours * tariff.grid.value,
        operations=_sum(line.operations for line in lines),
        utilisation=_utilisation(lines),
    )


def _sum(counts: Iterable[float | None]) -> float | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _utilisation(lines: Iterable[Line]) -> float | None:
    """Over all time of training, waiting included."""
    trained = [(line, line.peak) for line in lines if line.phase == TRAIN and line.peak is not None]
    could = sum(line.seconds * peak.value for line, peak in trained)
    did = _sum(line.operations for line, _ in trained)
    return None if did is None or not could else did / could


def _rent(lines: Iterable[Line], tariff: Tariff) -> float | None:
    total = 0.0
    for line in lines:
        hourly = line.hardware.cores * tariff.core.value
        if line.hardware.accelerators:
            if tariff.accelerator is None:
                return None
            hourly = len(line.hardware.accelerators) * tariff.accelerator.value
        total += hourly * line.seconds / 3600
    return total


def _read_plan(file: Path) -> Plan:
    if not file.is_file():
        return Plan(stages=())
    try:
        return Plan.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise unreadable(file, error) from error
