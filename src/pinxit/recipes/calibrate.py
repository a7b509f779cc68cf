"""The rate of this machine: each stage of a recipe is tried for seconds on made-up pictures, and the rate kept.

What is kept stands in a file of the user's cache folder, a line a work, with the machine and the day; the last counts.
"""

import os
import tempfile
import time
from datetime import UTC, datetime
from itertools import pairwise
from math import log
from pathlib import Path
from statistics import median

import torch

from pinxit.data.conditioned import condition_channels
from pinxit.data.encode import encode
from pinxit.data.kind import Batch
from pinxit.errors import PinxitError
from pinxit.ledger.machine import HERE, Machine, find_machine
from pinxit.ledger.tariff import Rate
from pinxit.log import append_line, console, read_lines
from pinxit.models.autoencoder import load_autoencoder
from pinxit.models.null import NullCondition
from pinxit.models.text import load_text
from pinxit.recipes.build import begin_stage, objective_for
from pinxit.recipes.material import read_data, wanted_fingerprint
from pinxit.recipes.recipe import Recipe, StageConfig
from pinxit.recipes.work import ENCODING, FACTOR, caption_tokens, classes, encoding, work_of
from pinxit.train.compute import Compute, choose_compute
from pinxit.train.hook import follow_average
from pinxit.train.loop import fit
from pinxit.train.run import Run, StepReport
from pinxit.train.state import TrainState

SECONDS = 20.0  # for all trials together, about
SLOWEST = 2.0  # seconds of a step; a batch that would take longer is tried in part
ENCODED = 48  # pictures
TRIAL = "trial"  # the stage that is tried
FEWEST = 3  # steps that count, after one that does not
PRODUCT = "a large product"  # how the labels of a machine's peak begin
SIDE, SIDE_ON_GPU = 2048, 8192  # of its matrices


def rates_file() -> Path:
    """Where measured rates are kept."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "pinxit" / "rates.jsonl"


class Rates:
    """The rates that were measured on one machine, with as many threads as now."""

    def __init__(self, machine: Machine, file: Path) -> None:
        self.machine, self.file = machine, file
        self.name = f"{machine.say()}, {torch.get_num_threads()} threads"
        self._rows = {str(row["work"]): row for row in read_lines(file) if row.get("machine") == self.name}

    def __call__(self, label: str, operations: float) -> Rate | None:
        """Of each accelerator or core: that of the same work, else of the one that is nearest in its operations."""
        rows = [row for work, row in self._rows.items() if _kind(work) == _kind(label)]
        if not rows:
            return None
        found = self._rows.get(label) or min(rows, key=lambda row: abs(log(float(str(row["of"])) / operations)))
        is_same = found["work"] == label
        return Rate(
            name="this machine",
            value=float(str(found["rate"])),
            unit="operations/s",
            date=str(found["date"]),
            source=f"measured: {found['work']}" if is_same else f"assumption: as measured of {found['work']}",
            is_assumed=not is_same,
        )

    def peak(self, dtype: torch.dtype) -> Rate | None:
        """What the machine can do at most, all of it together: as a table has it, else as it was measured."""
        if self.machine.peak is not None and dtype.itemsize == self.machine.item:
            return self.machine.peak
        found = self._rows.get(_product(dtype))
        if found is None:
            return None
        return Rate(
            name="this machine at most", value=float(str(found["rate"])) * self.machine.count, unit="operations/s",
            date=str(found["date"]), source=f"measured: {found['work']}",
        )  # fmt: skip

    def note(self, label: str, operations: float, seconds: float) -> None:
        """So many operations took so long; it is kept."""
        rate = operations / seconds / self.machine.count
        day = datetime.now(UTC).date().isoformat()
        row = {"machine": self.name, "work": label, "of": operations, "rate": rate, "date": day}
        append_line(self.file, row)
        self._rows[label] = row


def rate_here(label: str, operations: float) -> Rate | None:
    """What was measured on this machine of that work, or of the one nearest to it."""
    return Rates(find_machine(HERE), rates_file())(label, operations)


def peak_here(compute: Compute) -> Rate | None:
    """The most that a run can compute on this machine in a second; None where neither table nor calibration says."""
    machine = find_machine(HERE)
    if (machine.kind == "processor") != (compute.device.type == "cpu"):
        return None
    return Rates(machine, rates_file()).peak(compute.dtype)


def _product(dtype: torch.dtype) -> str:
    return f"{PRODUCT} in {str(dtype).removeprefix('torch.')}"


def _kind(label: str) -> str:
    """Works of another kind have rates of another kind."""
    return next((kind for kind in (ENCODING, PRODUCT) if label.startswith(kind)), "")


def calibrate(recipe: Recipe, rates: Rates) -> None:
    """Every kind of work of the recipe has a rate measured now, and the machine a peak; what cannot be tried here is
    named.
    """
    compute = choose_compute(recipe.compute)
    if rates.machine.peak is None:
        rates.note(_product(compute.dtype), *time_product(compute))
    is_padded, patience = compute.device.type != "cpu", SECONDS / len(recipe.stages)
    done = set[str]()
    for name, stage in recipe.stages.items():
        label = work_of(recipe, stage, is_padded=is_padded).label
        if label not in done:
            console.print(f"calibrating: {name}", highlight=False)
            tried = _affordable(recipe, stage, rates.machine, is_padded=is_padded)
            work = work_of(tried, tried.stages[TRIAL], is_padded=is_padded)
            operations = float(tried.stages[TRIAL].batch * work.picture + work.step)
            rates.note(label, operations, time_step(tried, compute, patience))
        a_picture, like = encoding(recipe, stage)
        if like not in done:
            try:
                rates.note(like, a_picture, time_encoding(recipe, stage, compute))
            except PinxitError as error:
                console.print(f"encoding was not tried: {error}", style="yellow", markup=False, soft_wrap=True)
        done |= {label, like}


def _affordable(recipe: Recipe, stage: StageConfig, machine: Machine, *, is_padded: bool) -> Recipe:
    """The stage alone, in part where a step would take too long: fewer pictures first, then two blocks of all."""
    trial = stage.model_copy(update={"accumulation": 1, "batch": stage.batch // stage.accumulation, "images": 10**9})
    alone = recipe.model_copy(update={"stages": {TRIAL: trial}})

    def is_slow() -> bool:
        work = work_of(alone, trial, is_padded=is_padded)
        return trial.batch * work.picture + work.step > SLOWEST * machine.speed

    while is_slow() and trial.batch > 1:
        trial = trial.model_copy(update={"batch": trial.batch // 2})
    if is_slow() and stage.branch is None:
        alone = alone.model_copy(update={"network": recipe.network.model_copy(update={"depth": 2})})
    return alone.model_copy(update={"stages": {TRIAL: trial}})


class Invented:
    """A loader of one made-up batch, again and again: as large as the stage's, with captions of its length."""

    waited = 0.0

    def __init__(self, recipe: Recipe, stage: StageConfig, device: torch.device) -> None:
        side, network, b = stage.resolution // FACTOR, recipe.network, stage.batch
        shape = (b, network.channels, side, side)
        length = caption_tokens(recipe, stage, is_padded=device.type != "cpu")
        made = condition_channels(stage.branch.condition.task, network.channels, FACTOR) if stage.branch else ()
        self._batch = Batch(
            mean=torch.randn(shape, device=device),
            std=torch.zeros(shape, device=device),
            caption=torch.randn(b, length, network.caption_width, device=device),
            keep=torch.ones(b, length, dtype=torch.bool, device=device),
            size=torch.full((b, 2), float(stage.resolution), device=device),
            aspect=torch.ones(b, device=device),
            label=torch.zeros(b, dtype=torch.long, device=device),
            position=tuple(range(b)),
            keys=("invented",) * b,
            condition=torch.randn(b, sum(made), side, side, device=device) if made else None,
        )

    def next_step(self, seen: int) -> list[Batch]:
        """The batch."""
        return [self._batch]


def time_step(recipe: Recipe, compute: Compute, patience: float) -> float:
    """Seconds of a step of the recipe's first stage, the median of those that fit into `patience`."""
    stage = next(iter(recipe.stages.values()))
    state = begin_stage(recipe, 0, factor=FACTOR, classes=classes(stage), before=None, compute=compute)
    null = NullCondition("empty", torch.randn(2, recipe.network.caption_width, device=compute.device))
    objective = objective_for(recipe, stage, state, null)
    loader = Invented(recipe, stage, compute.device)
    moments = [time.perf_counter()]

    def note(_: TrainState, __: StepReport) -> None:
        if compute.device.type == "cuda":
            torch.cuda.synchronize()
        moments.append(time.perf_counter())

    hooks = [follow_average(stage.batch), note]
    begun = time.perf_counter()
    while len(moments) < FEWEST + 2 or time.perf_counter() - begun < patience:
        fit(Run(state, objective, loader, state.seen + stage.batch, stage.batch, hooks, compute=compute))
    return median(then - now for now, then in pairwise(moments[1:]))  # the first step plans its products


def time_product(compute: Compute) -> tuple[float, float]:
    """Operations and seconds of one product of large matrices, the fastest of some."""
    side = SIDE_ON_GPU if compute.device.type == "cuda" else SIDE
    one, other = (torch.randn(side, side, device=compute.device, dtype=compute.dtype) for _ in range(2))
    found = []
    for _ in range(1 + FEWEST):
        begun = time.perf_counter()
        float((one @ other)[0, 0])  # which waits for it
        found.append(time.perf_counter() - begun)
    return 2.0 * side**3, min(found)


def time_encoding(recipe: Recipe, stage: StageConfig, compute: Compute) -> float:
    """Seconds of one picture of the stage's data: read or drawn, through both encoders, into a cache."""
    made, _ = wanted_fingerprint(recipe, stage)
    records = read_data(stage.data, stage, recipe.seed, made.multiple)
    some = [records[place] for place in range(min(ENCODED, len(records)))]
    autoencoder = load_autoencoder(recipe.autoencoder, compute.device)
    text = load_text(recipe.text, device=compute.device)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        encode(some, autoencoder, text, Path(folder), made)
    return (time.perf_counter() - begun) / len(some)
