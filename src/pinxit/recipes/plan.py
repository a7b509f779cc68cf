"""The bill before: what each stage of a recipe will take of time, memory, disk, energy and money on a machine."""

from collections.abc import Callable, Mapping
from math import ceil
from pathlib import Path

from pinxit.config import Config
from pinxit.ledger.config import TariffConfig
from pinxit.ledger.energy import JOULES_PER_KWH
from pinxit.ledger.machine import Machine
from pinxit.ledger.meter import TRAIN
from pinxit.ledger.quantity import say_bytes
from pinxit.ledger.report import PLAN, Plan, Planned
from pinxit.ledger.tariff import Rate, Tariff, settle
from pinxit.models.count import FLOAT
from pinxit.recipes.material import cache_folder
from pinxit.recipes.recipe import Recipe, StageConfig
from pinxit.recipes.work import Work, cached, encoding, pictures, tokens, work_of

CONTEXT = 600 * 10**6  # bytes of a GPU that its driver and its libraries take: assumption
PROGRAM = 550 * 10**6  # of Python with its libraries and what encoding leaves behind: measured
UNUSED = 1.13  # what a processor's allocator takes for activations, over what they are: measured
FEATURES = "features"
RateOf = Callable[[str, float], Rate | None]  # label and operations of a work -> its rate, where it was measured


class Spending(Config):
    """Seconds and what follows from them: own electricity or rent in dollars, grams of CO2; None without a price."""

    seconds: float
    joules: float
    electricity: float
    rent: float | None
    grams: float

    def __add__(self, other: "Spending") -> "Spending":
        rent = None if self.rent is None or other.rent is None else self.rent + other.rent
        names = ("seconds", "joules", "electricity", "grams")
        return Spending(rent=rent, **{name: getattr(self, name) + getattr(other, name) for name in names})


class StagePlan(Config):
    """One stage. `memory` is by part, of each accelerator; encoding is None where its pictures are not known.

    `checkpointed` are the activations if each block kept no more than what it is given, which no setting does yet.
    `unfit` is empty where the stage fits, else it says what does not, and the nearest setting that does.
    """

    stage: str
    pictures: int
    steps: int
    operations: float
    rate: Rate
    training: Spending
    parameters: int
    memory: Mapping[str, int]
    checkpointed: int
    encoded: int | None
    cache: int | None
    encoding: Spending | None
    unfit: str

    @property
    def spent(self) -> Spending:
        """Of training and, as far as it is known, of encoding."""
        return self.training if self.encoding is None else self.training + self.encoding

    @property
    def peak(self) -> int:
        """Bytes held at once, at most."""
        return sum(self.memory.values())


class RecipePlan(Config):
    """All stages of a recipe on a machine, and the prices that were used."""

    recipe: str
    machine: Machine
    tariff: Tariff
    stages: tuple[StagePlan, ...]

    @property
    def total(self) -> Spending:
        """Of all stages."""
        first, *rest = (stage.spent for stage in self.stages)
        return sum(rest, first)

    @property
    def parameters(self) -> int:
        """Of the largest network."""
        return max(stage.parameters for stage in self.stages)

    @property
    def rates(self) -> list[Rate]:
        """The machine's rates and the prices that were used, each once."""
        unused = self.tariff.core if self.machine.kind == "accelerator" else self.tariff.accelerator
        prices = [rate for rate in self.tariff.rates if rate is not unused]
        return list(dict.fromkeys([*(stage.rate for stage in self.stages), *prices]))

    def keep(self, folder: Path) -> None:
        """The run folder holds it, for `pinxit cost` to set beside what was taken."""
        rows = []
        for one in self.stages:
            if one.encoding is not None and one.encoded:
                rows.append(_planned(one.stage, "encode", one.encoded, one.encoding))
            trained = _planned(one.stage, TRAIN, one.pictures, one.training)
            rows.append(trained.model_copy(update={"peak_bytes": one.peak, "operations": one.operations}))
        rate = max((one.rate for one in self.stages), key=lambda rate: rate.is_assumed)
        on = f"{self.machine.say()}; {rate.say()}"
        (folder / PLAN).write_text(Plan(on=on, stages=tuple(rows)).model_dump_json(indent=1), encoding="utf-8")


def plan(
    recipe: Recipe, machine: Machine, tariff: TariffConfig | None = None, rate_of: RateOf | None = None
) -> RecipePlan:
    """The plan of a recipe; `rate_of` gives the rate of a work where it was measured, else the machine's holds.

    Several accelerators are taken to be so many times as fast as one, and to share each batch.
    """
    settled = settle(tariff or TariffConfig(), [machine.name] if machine.kind == "accelerator" else [])
    known: set[Path] = set()
    stages = []
    for name, stage in recipe.stages.items():
        place = cache_folder(recipe, stage, Path())
        stages.append(_stage(recipe, name, machine, settled, rate_of, is_encoded=place in known))
        known.add(place)
    return RecipePlan(recipe=recipe.name, machine=machine, tariff=settled, stages=tuple(stages))


def _stage(
    recipe: Recipe, name: str, machine: Machine, tariff: Tariff, rate_of: RateOf | None, *, is_encoded: bool
) -> StagePlan:
    stage = recipe.stages[name]
    work = work_of(recipe, stage, is_padded=machine.kind == "accelerator")
    operations = float(work.operations(stage, recipe.probe_every))
    measured = rate_of or (lambda *_: None)
    rate = measured(work.label, float(stage.batch * work.picture + work.step)) or machine.rate
    different = pictures(stage)
    encoded = 0 if is_encoded else different
    a_picture, label = encoding(recipe, stage)
    at = measured(label, a_picture) or machine.rate
    spent = None if encoded is None else _spend(encoded * a_picture / (machine.count * at.value), machine, tariff)
    size = None if different is None else different * cached(recipe, stage)
    memory = memory_of(work, recipe, stage, machine, size)
    return StagePlan(
        stage=name,
        pictures=stage.images,
        steps=ceil(stage.images / stage.batch),
        operations=operations,
        rate=rate,
        training=_spend(operations / (machine.count * rate.value), machine, tariff),
        parameters=work.network.parameters,
        memory=memory,
        checkpointed=_micro(stage, machine) * work.network.activations(machine.item, checkpointed=True),
        encoded=encoded,
        cache=0 if is_encoded else size,
        encoding=spent,
        unfit=_unfit(work, recipe, name, machine, size),
    )


def _micro(stage: StageConfig, machine: Machine) -> int:
    """Pictures that one accelerator, or the processor, has in hand at once."""
    share = machine.count if machine.kind == "accelerator" else 1
    return ceil(stage.batch / (stage.accumulation * share))


def memory_of(work: Work, recipe: Recipe, stage: StageConfig, machine: Machine, cache: int | None) -> dict[str, int]:
    """Bytes of every part, on each accelerator or on the machine. Their sum is a little more than is held at once:
    gradients come while activations go.
    """
    has_gpu, network, micro = machine.kind == "accelerator", work.network, _micro(stage, machine)
    hidden = int(recipe.network.width * recipe.network.mlp_ratio)
    passing = FLOAT * micro * tokens(recipe, stage) * (2 * hidden + 4 * recipe.network.width)
    activations = micro * network.activations(machine.item) + passing
    resident = cache if cache is not None and has_gpu and cache < machine.memory / 2 else 0
    return {
        "weights": FLOAT * (network.parameters + work.beside) + (machine.item % FLOAT) * network.parameters,
        "gradients": FLOAT * work.trained,
        "optimiser": work.moments + 5 * FLOAT * work.largest,
        "average": FLOAT * network.parameters,
        "activations": activations if has_gpu else round(UNUSED * activations),
        FEATURES: resident,
        "libraries": CONTEXT if has_gpu else PROGRAM,
    }


def _unfit(work: Work, recipe: Recipe, name: str, machine: Machine, cache: int | None) -> str:
    """What does not fit and the nearest setting that does; empty where all fits."""
    stage = recipe.stages[name]

    def peak(accumulation: int) -> int:
        smaller = stage.model_copy(update={"accumulation": accumulation})
        return sum(memory_of(work, recipe, smaller, machine, cache).values())

    if peak(stage.accumulation) <= machine.memory:
        return ""
    said = f"{name} takes {say_bytes(peak(stage.accumulation))} of {say_bytes(machine.memory)}"
    choices = (parts for parts in range(stage.accumulation + 1, stage.batch + 1) if stage.batch % parts == 0)
    for parts in choices:
        if peak(parts) <= machine.memory:
            return f"{said}; it fits with --stages.{name}.accumulation {parts}"
    return f"{said}, and one picture at a time takes {say_bytes(peak(stage.batch))}: it needs more memory"


def _spend(seconds: float, machine: Machine, tariff: Tariff) -> Spending:
    kilowatt_hours = machine.watts * seconds / JOULES_PER_KWH
    price = tariff.accelerator if machine.kind == "accelerator" else tariff.core
    return Spending(
        seconds=seconds,
        joules=machine.watts * seconds,
        electricity=kilowatt_hours * tariff.electricity.value,
        rent=None if price is None else machine.count * price.value * seconds / 3600,
        grams=kilowatt_hours * tariff.grid.value,
    )


def _planned(stage: str, phase: str, seen: int, spent: Spending) -> Planned:
    return Planned(stage=stage, phase=phase, pictures=seen, seconds=spent.seconds, joules=spent.joules)
