"""The stages of a recipe, one after another, in a run folder; may be stopped and started anywhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pinxit.errors import CheckpointError
from pinxit.ledger.budget import Budget, Purse, never_spent
from pinxit.ledger.machine import HERE, find_machine
from pinxit.ledger.meter import Meter
from pinxit.ledger.report import PLAN
from pinxit.log import Bar, console, drop_lines_after
from pinxit.models.transformer import Transformer
from pinxit.recipes.build import begin_stage, objective_for
from pinxit.recipes.calibrate import peak_here, rate_here
from pinxit.recipes.material import Material, open_material
from pinxit.recipes.plan import RateOf, plan
from pinxit.recipes.probe import probe, say_what_is_off
from pinxit.recipes.recipe import Recipe, StageConfig
from pinxit.recipes.table import dump_recipe, load_recipe
from pinxit.recipes.work import work_of
from pinxit.train.checkpoint import (
    complete_checkpoints,
    name_newest,
    read_checkpoint,
    read_place,
    write_checkpoint,
)
from pinxit.train.compute import Compute, choose_compute
from pinxit.train.hook import Checkpointer, Every, StepLog, Stopper, follow_average
from pinxit.train.loop import fit
from pinxit.train.run import Hook, Run
from pinxit.train.state import TrainState


@dataclass(frozen=True)
class StageEnd:
    """What is at hand when a stage has ended."""

    recipe: Recipe
    folder: Path
    name: str
    stage: StageConfig
    state: TrainState
    material: Material


@dataclass
class Course:
    """A recipe in its run folder; `after_step` are more hooks, which a stop at their step does not skip, and
    `after_stage` is called at the end of each stage, before the border is crossed.

    A new run keeps its plan, at the rates that `rate_of` knows. One whose `budget` is spent has saved itself and raises
    Stopped.
    """

    recipe: Recipe
    folder: Path
    start: Transformer | None = None
    after_stage: Sequence[Callable[[StageEnd], None]] = field(default_factory=list)
    after_step: Sequence[Hook] = field(default_factory=list)
    budget: Budget | None = None
    rate_of: RateOf = rate_here
    compute: Compute = field(init=False)

    def __post_init__(self) -> None:
        self.compute = choose_compute(self.recipe.compute)

    def run(self) -> TrainState:
        """All stages are done; goes on from the newest checkpoint of the folder, if there is one."""
        self._claim_folder()
        self.meter = Meter(self.folder, peak=peak_here(self.compute))
        self._spent = Purse(self.budget, self.folder, self.meter) if self.budget else never_spent
        saved = complete_checkpoints(self.folder)
        place = read_place(saved[-1]) if saved else None
        state: TrainState | None = None
        with Stopper() as stopper:
            for index, name in enumerate(self.recipe.stages):
                stage = self.recipe.stages[name]  # as it is by now: see `change`
                if place and place["stage"] > index:
                    continue
                with self.meter.stage(name, "encode"):
                    material = open_material(self.recipe, stage, self.folder, self.compute.device)
                compute = material.adapt(self.compute)
                state = begin_stage(
                    self.recipe, index, factor=material.factor, classes=material.classes, before=state,
                    start=self.start, compute=compute,
                )  # fmt: skip
                if place:
                    read_checkpoint(state, saved[-1])
                    self._forget_after(state.seen)
                    place = None
                else:
                    write_checkpoint(state, self.folder)  # a border is a checkpoint
                self._train(name, stage, state, material, stopper, compute)
        assert state is not None
        return state

    def change(self, recipe: Recipe) -> None:
        """From the next stage on the run is of another recipe, which may differ in stages that have not begun."""
        self.recipe = recipe
        self._write_recipe()

    def _train(  # noqa: PLR0917  (all of a stage)
        self, name: str, stage: StageConfig, state: TrainState, material: Material, stopper: Stopper, compute: Compute
    ) -> None:
        objective = objective_for(self.recipe, stage, state, material.null)
        work = work_of(self.recipe, stage, is_padded=compute.device.type != "cpu")
        a_step = float(stage.batch * work.picture + work.step)
        measure = probe(objective, material.probes, self.folder / "probe.jsonl", name)
        looked_at = sum(len(batch.position) for batches in material.probes.values() for batch in batches)

        def look(now: TrainState) -> None:
            measure(now)
            self.meter.note(operations=float(looked_at * work.network.forward))

        compute.prepare(state.model)
        console.print(f"{name}: {material.plan}", markup=False, highlight=False, soft_wrap=True)
        loader = material.loader(state.started)
        with Bar(name, stage.images, state.seen_in_stage) as bar, self.meter.stage(name) as meter:
            hooks: list[Hook] = [
                follow_average(stage.batch),
                StepLog(self.folder / "steps.jsonl", name, bar),
                lambda _, report: meter.note(stage.batch, waited=report.waited, operations=a_step),
                Every(self.recipe.probe_every, state.seen, look),
                *self.after_step,
                Checkpointer(self.folder, stopper, self.recipe.save_every, spent=self._spent),
            ]
            begun, end = state.seen, state.started + stage.images
            last_good = partial(name_newest, self.folder)
            fit(Run(state, objective, loader, end, stage.batch, hooks, last_good, compute))
            if begun < end and end % self.recipe.probe_every:
                look(state)
        loader.close()
        if off := say_what_is_off(self.folder / "probe.jsonl", name):
            console.print(off, markup=False, highlight=False, soft_wrap=True)
        write_checkpoint(state, self.folder)
        with self.meter.stage(name, "evaluate"):
            for action in self.after_stage:
                action(StageEnd(self.recipe, self.folder, name, stage, state, material))

    def _claim_folder(self) -> None:
        file = self.folder / "recipe.yaml"
        if file.is_file() and complete_checkpoints(self.folder) and self._is_another(load_recipe(str(file))):
            raise CheckpointError(
                self.folder, "it holds a run of another recipe", "choose another folder, or go on with its recipe.yaml"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_recipe()
        if not (self.folder / PLAN).is_file():
            plan(self.recipe, find_machine(HERE), rate_of=self.rate_of).keep(self.folder)

    def _write_recipe(self) -> None:
        part = self.folder / ".recipe.part"
        part.write_text(dump_recipe(self.recipe), encoding="utf-8")
        part.rename(self.folder / "recipe.yaml")

    def _is_another(self, recipe: Recipe) -> bool:
        """Whether it would train something else, wherever it computes."""
        return recipe.model_copy(update={"compute": self.recipe.compute}) != self.recipe

    def _forget_after(self, seen: int) -> None:
        """Lines that will be written again are gone, so that no step stands twice."""
        for file in ("steps.jsonl", "probe.jsonl", "scores.jsonl"):
            drop_lines_after(self.folder / file, seen)
