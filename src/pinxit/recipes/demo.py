"""The demo: an overfit check, three stages on one style sized to this machine, scores, and the page that shows it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from statistics import mean, median

import torch

from pinxit.data.emoji import load_art
from pinxit.data.loader import CacheLoader, plan
from pinxit.data.split import split
from pinxit.errors import CheckpointError, DivergenceError
from pinxit.ledger.budget import Budget
from pinxit.ledger.machine import HERE, find_machine
from pinxit.ledger.meter import TRAIN, Meter, read_ledger
from pinxit.ledger.tariff import Rate
from pinxit.log import Bar, console
from pinxit.recipes.build import begin_stage, objective_for
from pinxit.recipes.calibrate import rate_here
from pinxit.recipes.course import Course, StageEnd
from pinxit.recipes.emoji import demo
from pinxit.recipes.finish import known_prompt, next_commands, save_model
from pinxit.recipes.material import Material, open_material
from pinxit.recipes.page import write_page
from pinxit.recipes.plan import RateOf
from pinxit.recipes.recipe import EmojiDataConfig, Recipe, StageConfig
from pinxit.recipes.score import Scorer
from pinxit.recipes.table import load_recipe
from pinxit.recipes.work import ENCODING, work_of
from pinxit.train.compute import choose_compute
from pinxit.train.config import OptimizerConfig
from pinxit.train.hook import follow_average
from pinxit.train.loop import fit
from pinxit.train.run import Run, StepReport
from pinxit.train.state import TrainState

OVERFIT = 8  # pictures of the check
OVERFIT_STEPS = 60
OVERFIT_SHARE = 0.35  # of its first value, below which the loss must have fallen
BESIDE = 30.0  # seconds that a stage takes besides its training: encoding, drawing, scoring


@dataclass(frozen=True)
class Check:
    """What the overfit check saw: the loss at its start and end, and how fast the network trains."""

    first: float
    last: float
    pictures_per_second: float


def overfit(recipe: Recipe, material: Material) -> Check:
    """A fresh network learns eight pictures by heart; DivergenceError, with what looks wrong, if it does not."""
    stage = recipe.stages["alignment"]
    batch = stage.batch
    quick = OptimizerConfig(kind="muon", learning_rate=2e-3, matrix_rate=2e-2, warmup=5 * batch, decay=0.3)
    stage = stage.model_copy(update={"images": OVERFIT_STEPS * batch, "dropout": 0.0, "optimizer": quick})
    alone = recipe.model_copy(update={"stages": {"alignment": stage}})
    compute = material.adapt(choose_compute(recipe.compute))
    state = begin_stage(alone, 0, factor=material.factor, classes=material.classes, before=None, compute=compute)
    objective = objective_for(alone, stage, state, material.null)
    eight = plan(material.cache, batch, list(range(OVERFIT)))
    loader = CacheLoader(material.source, eight, recipe.seed, accumulation=stage.accumulation)
    losses: list[float] = []
    moments: list[float] = []
    with Bar("overfit check", stage.images) as bar:

        def note(now: TrainState, report: StepReport) -> None:
            losses.append(report.mean)
            moments.append(time.monotonic())
            bar.move(now.seen, f"loss {report.mean:.3f}")

        fit(Run(state, objective, loader, stage.images, batch, [follow_average(batch), note], compute=compute))
    speed = batch / median(then - now for now, then in pairwise(moments))
    loader.close()
    check = Check(mean(losses[:5]), mean(losses[-10:]), speed)
    if check.last > OVERFIT_SHARE * check.first:
        raise DivergenceError(
            "overfit check",
            f"on {OVERFIT} pictures the loss only went from {check.first:.3f} to {check.last:.3f}",
            "latents, captions, times or the loss do not fit each other: look at the data with `pinxit data verify`",
        )
    return check


def sized(recipe: Recipe, pictures_per_second: float, minutes: float) -> Recipe:
    """The recipe with its pictures scaled to train for `minutes` at a speed measured at the size of `alignment`."""
    cost = {name: _operations(recipe, stage) for name, stage in recipe.stages.items()}
    rate = pictures_per_second * cost["alignment"]
    scale = minutes * 60 * rate / sum(stage.images * cost[name] for name, stage in recipe.stages.items())
    return _scaled(recipe, dict.fromkeys(recipe.stages, scale))


def resized(recipe: Recipe, ended: str, rate: float, seconds: float) -> Recipe:
    """The recipe with the stages after `ended` scaled to end in so many seconds at `rate` operations a second: between
    half and twice their pictures.
    """
    names = list(recipe.stages)
    left = names[names.index(ended) + 1 :]
    cost = {name: _operations(recipe, recipe.stages[name]) for name in left}
    scale = seconds * rate / max(1.0, sum(recipe.stages[name].images * cost[name] for name in left))
    scale = min(2.0, max(0.5, scale))
    return _scaled(recipe, dict.fromkeys(left, scale))


@dataclass(frozen=True)
class Pace:
    """Called at the end of each stage: what is left is sized anew by how fast that stage was trained, so that the whole
    run takes `minutes` though the check was too short to tell, or other work came between.
    """

    course: Course
    minutes: float

    def __call__(self, end: StageEnd) -> None:
        """The stages that follow have their new sizes, in `recipe.yaml` too."""
        lines = read_ledger(end.folder)
        seconds = sum(line.seconds for line in lines if (line.stage, line.phase) == (end.name, TRAIN))
        rate = end.stage.images * _operations(end.recipe, end.stage) / seconds
        names = list(end.recipe.stages)
        left = seconds_left(end.folder, self.minutes, len(names) - 1 - names.index(end.name))
        left -= self.course.meter.running  # scoring, which is not on the ledger yet
        self.course.change(resized(end.recipe, end.name, rate, left))


def seconds_left(folder: Path, minutes: float, stages: int) -> float:
    """What a run of so many minutes has left to train the stages that are left; negative where it is late."""
    return 60 * minutes - sum(line.seconds for line in read_ledger(folder)) - BESIDE * stages


def _scaled(recipe: Recipe, scale: Mapping[str, float]) -> Recipe:
    """The recipe with so many times the pictures in these stages, in whole batches and at least one."""
    stages = dict(recipe.stages)
    for name, times in scale.items():
        stage = stages[name]
        images = max(stage.batch, round(stage.images * times / stage.batch) * stage.batch)
        stages[name] = stage.model_copy(update={"images": images})
    return recipe.model_copy(update={"stages": stages})


def _operations(recipe: Recipe, stage: StageConfig) -> float:
    """Of one picture, with its share of the optimiser's step."""
    work = work_of(recipe, stage, is_padded=False)
    return work.picture + work.step / stage.batch


def _rate(recipe: Recipe, pictures_per_second: float) -> RateOf:
    """What the overfit check has measured, for the plan of all training; of encoding it knows nothing."""
    stage = recipe.stages["alignment"]
    machine, speed = find_machine(HERE), pictures_per_second * _operations(recipe, stage)
    rate = Rate(
        name=HERE, value=speed / machine.count, unit="operations/s", date=f"{date.today()}", source="the overfit check"
    )
    return lambda label, _: None if label.startswith(ENCODING) else rate


def run_demo(folder: Path, minutes: float, budget: Budget | None = None) -> Path:
    """The page of a whole run on real pictures, which takes about `minutes`; goes on where it was stopped.

    Raises Stopped once it has saved itself, if that was asked for or the budget is spent.
    """
    torch.manual_seed(0)
    recipe = demo()
    saved = folder / "recipe.yaml"
    rate_of: RateOf = rate_here
    if saved.is_file():
        recipe = load_recipe(str(saved))
        if recipe.name != demo().name:
            raise CheckpointError(folder, f"it holds a run of the recipe {recipe.name!r}", "choose another folder")
    else:
        meter = Meter(folder)
        with meter.stage("before", "encode"):
            device = choose_compute(recipe.compute).device
            material = open_material(recipe, recipe.stages["alignment"], folder, device)
        with meter.stage("before", "overfit check"):
            check = overfit(recipe, material)
        console.print(
            f"overfit check passed: loss {check.first:.3f} -> {check.last:.3f}; "
            f"{check.pictures_per_second:.0f} pictures/s",
            highlight=False,
        )
        left = seconds_left(folder, minutes, len(recipe.stages)) / 60
        recipe = sized(recipe, check.pictures_per_second, max(left, minutes / 2))
        rate_of = _rate(recipe, check.pictures_per_second)
    data = recipe.stages["alignment"].data
    assert isinstance(data, EmojiDataConfig)
    parts = split(load_art(data.styles))
    scorer = Scorer(parts.training, parts.unseen_style)
    course = Course(recipe, folder, budget=budget, rate_of=rate_of)
    course.after_stage = [scorer, Pace(course, minutes)]
    state = course.run()
    save_model(course.recipe, state, folder)
    *commands, _ = next_commands(course.recipe, folder, known_prompt(data))
    return write_page(folder, [*commands, "pinxit data import ~/pictures --out data/own"])
