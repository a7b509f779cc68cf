"""The study of PixArt-α: which trials there are; each is trained and examined, and its rows are lines of a file."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from PIL import Image
from pydantic import Field

from pinxit.config import Config
from pinxit.data.emoji import Art, load_art
from pinxit.data.kind import Pixels
from pinxit.data.pixel import through
from pinxit.data.split import split
from pinxit.evaluate.alignment import Judge
from pinxit.evaluate.feature import Lite0
from pinxit.generate.pipeline import Pipeline
from pinxit.generate.stored import read_model
from pinxit.ledger.machine import HERE, find_machine
from pinxit.log import append_line, console, read_lines
from pinxit.models.autoencoder import Autoencoder, load_autoencoder
from pinxit.models.text import TextEncoder, load_text
from pinxit.recipes.calibrate import rate_here
from pinxit.recipes.claim import claim
from pinxit.recipes.course import Course
from pinxit.recipes.finish import save_model
from pinxit.recipes.material import open_material
from pinxit.recipes.pixart_exam import NAMES, PAIRS, SENTENCES, Asked, Marks, mark, questions
from pinxit.recipes.pixart_trial import HIGH, PixartTrial, Scale, operations, spent
from pinxit.recipes.recipe import Recipe
from pinxit.recipes.sheet import grid
from pinxit.recipes.work import work_of
from pinxit.train.run import Hook, StepReport
from pinxit.train.state import TrainState

SHOWN = 12
HEADLINE = "pixels bits"  # of bare names: what the best rate is told by
ARMS: Mapping[str, Sequence[PixartTrial]] = {  # tables, and what stands in each beside the base
    "captions": tuple(PixartTrial(captions=each) for each in ("sparse", "mixed", "improved")),
    "stages": tuple(PixartTrial(stages=each) for each in ("growing", "classes", "unmatched")),
    "network": tuple(PixartTrial(modulation=each) for each in ("shared", "block")),
    "beyond": (
        PixartTrial(optimizer="adamw"),
        *(PixartTrial(process=each) for each in ("flow, usual times", "iddpm", "iddpm, min-SNR")),
    ),
    "two things": tuple(PixartTrial(captions=each, things=2) for each in ("dense", "sparse", "mixed")),
}


class Row(Config):
    """A finished row: one point of one run. Marks are by kind of prompt; so are ceilings."""

    name: str
    trial: PixartTrial
    part: float = Field(description="of the computing")
    operations: float
    seen: int
    captioned: int
    marks: Mapping[str, Mapping[str, float]]
    ceilings: Mapping[str, Mapping[str, float]]
    n: int

    @property
    def bits(self) -> float:
        """What is compared first."""
        return self.marks[NAMES][HEADLINE]


def arms(scale: Scale) -> list[PixartTrial]:
    """The base, then all others, each at the first rate and seed; of improved captions where there is an improver."""
    every = [PixartTrial(), *(arm for group in ARMS.values() for arm in group)]
    return [arm for arm in every if arm.captions != "improved" or scale.improver is not None]


def plan(scale: Scale, rows: Iterable[Row]) -> list[PixartTrial]:
    """Every trial that is known by now, the base's first: an arm at all rates with the first seed, then at the best of
    these with the others. With two things in a picture an arm takes the rate that was best for it with one.
    """
    known, trials = list(rows), []
    for arm in arms(scale):
        first, *others = scale.seeds
        lone = arm.but(things=1)
        best = best_rate(scale, known, lone)
        if arm == lone:
            trials += [arm.but(rate=rate, seed=first) for rate in scale.rates]
        elif best is not None:
            trials.append(arm.but(rate=best, seed=first))
        if best is not None:
            trials += [arm.but(rate=best, seed=seed) for seed in others]
    return trials


def best_rate(scale: Scale, rows: Iterable[Row], arm: PixartTrial) -> float | None:
    """The rate at which the arm's run of the first seed ends best; None while one is missing."""
    ends = {row.trial: row.bits for row in rows if row.part == 1}
    tried = {rate: ends.get(arm.but(rate=rate, seed=scale.seeds[0])) for rate in scale.rates}
    found = {rate: bits for rate, bits in tried.items() if bits is not None}
    return min(found, key=lambda rate: found[rate]) if len(found) == len(tried) else None


def whole_plan(scale: Scale) -> list[PixartTrial]:
    """As many trials as there will be, for counting: as if the first rate were always the best."""
    first = scale.rates[0]
    return list(dict.fromkeys(
        arm.but(rate=rate, seed=seed)
        for arm in arms(scale)
        for rate, seed in [
            *((rate, scale.seeds[0]) for rate in (scale.rates if arm.things == 1 else (first,))),
            *((first, seed) for seed in scale.seeds[1:]),
        ]
    ))  # fmt: skip


def kinds(trial: PixartTrial, part: float) -> list[str]:
    """The kinds of prompts that a model is asked at a point: bare names always, at the end also its own kind."""
    own = [SENTENCES, *([PAIRS] if trial.things == 2 else [])] if trial.captions != "sparse" else []
    return [NAMES, *(own if part == 1 else [])]


@dataclass
class PixartStudy:
    """`work` keeps runs while they go on; `evidence` is the file of finished rows."""

    work: Path
    evidence: Path
    scale: Scale

    def rows(self) -> list[Row]:
        """Those that are finished."""
        return [Row.model_validate(row) for row in read_lines(self.evidence)]

    def fill(self, only: str = "") -> None:
        """Every trial whose name holds `only` has its rows, but for those that another process has at work."""
        while any(self._fill_one(trial) for trial in plan(self.scale, self.rows()) if only in trial.name):
            pass

    def _fill_one(self, trial: PixartTrial) -> bool:
        """Whether it was missing and now has its rows."""
        if not self.missing(trial):
            return False
        folder = self.work / trial.slug
        with claim(folder / ".claim") as is_ours:
            if not is_ours or not self.missing(trial):
                return False
            console.print(trial.name, style="bold", highlight=False, soft_wrap=True)
            self.train(trial, folder)
            self.examine(trial, folder)
        return True

    def missing(self, trial: PixartTrial) -> dict[int, float]:
        """The points that have no row yet, as pictures seen and the share of the computing."""
        done = {row.part for row in self.rows() if row.trial == trial}
        return {seen: part for seen, part in trial.marks(self.scale).items() if part not in done}

    def train(self, trial: PixartTrial, folder: Path) -> None:
        """The folder has the average weights at every point that is missing. Goes on where it was stopped."""
        wanted = {seen: folder / model_at(seen) for seen in self.missing(trial)}
        if all(file.is_file() for file in wanted.values()):
            return
        recipe = trial.recipe(self.scale)
        cache = folder / "cache"
        if not cache.exists():
            (self.work / "cache").mkdir(exist_ok=True)
            cache.symlink_to((self.work / "cache").resolve())
        course = Course(recipe, folder, after_step=[keep_at(recipe, folder, set(wanted))])
        with claim(self.work / ".encoding", patient=True):  # two processes would write one cache
            for stage in recipe.stages.values():
                open_material(recipe, stage, folder, course.compute.device)
        course.run()

    def examine(self, trial: PixartTrial, folder: Path) -> None:
        """Every point of the trial has its row; weights that are no longer needed are gone."""
        recipe, shown = trial.recipe(self.scale), []
        for seen, part in self.missing(trial).items():
            pipeline = self.pipeline(folder / model_at(seen))
            marks, ceilings = {}, {}
            for kind in kinds(trial, part):
                asked = self.asked(kind, trial.seed)
                drawn = draw(pipeline, asked)
                marks[kind], ceilings[kind] = mark(kind, self.judge, drawn, asked), self.ceiling(kind, trial.seed)
                shown.append((f"{kind}, {part:.0%}", drawn[:SHOWN]))
            row = Row(
                name=trial.name, trial=trial, part=part, operations=spent(recipe, seen), seen=seen,
                captioned=trial.captioned(self.scale, seen), marks=marks, ceilings=ceilings, n=self.scale.prompts,
            )  # fmt: skip
            append_line(self.evidence, row.model_dump())
            console.print(f"  {part:.0%}: {row.bits:.2f} bits by pixels", highlight=False)
        sheet = [(label, "", [Image.fromarray(picture) for picture in pictures]) for label, pictures in shown]
        grid(sheet, SHOWN).save(folder / "exam.png")
        for name in ("points", "checkpoint"):
            shutil.rmtree(folder / name, ignore_errors=True)

    def pipeline(self, file: Path) -> Pipeline:
        """A model file's weights with encoders that all of them share."""
        network, null, card, sha256 = read_model(file)
        return Pipeline(network, null, card, self._autoencoder, self._text, sha256=sha256)

    def asked(self, kind: str, seed: int) -> list[Asked]:
        """The prompts of a kind for a seed, of pieces for training that are among the candidates; made once."""
        if (kind, seed) not in self._asked:
            known = {piece.concept for piece in self.candidates}
            art = split(self._art).training.where(lambda piece: piece.concept in known)
            self._asked[kind, seed] = questions(kind, art, HIGH, self.scale.prompts, seed)
        return self._asked[kind, seed]

    def ceiling(self, kind: str, seed: int) -> Marks:
        """The judge's word on a kind's true pictures, through the autoencoder: no drawing can do better. Asked once."""
        if (kind, seed) not in self._ceilings:
            asked = self.asked(kind, seed)
            seen = through(self._autoencoder, [each.scene.picture for each in asked])
            self._ceilings[kind, seed] = mark(kind, self.judge, seen, asked)
        return self._ceilings[kind, seed]

    @cached_property
    def candidates(self) -> Art:
        """What drawings are held against: the style's art, or the first so many pieces for training."""
        known = self.scale.known
        return self._art if known is None else Art(split(self._art).training[:known])

    @cached_property
    def judge(self) -> Judge:
        """The one judge."""
        return Judge(self.candidates, Lite0(HIGH).features, partial(through, self._autoencoder))

    @cached_property
    def _art(self) -> Art:
        return load_art((self.scale.style,))

    @cached_property
    def _asked(self) -> dict[tuple[str, int], list[Asked]]:
        return {}

    @cached_property
    def _ceilings(self) -> dict[tuple[str, int], Marks]:
        return {}

    @cached_property
    def _autoencoder(self) -> Autoencoder:
        return load_autoencoder(PixartTrial().recipe(self.scale).autoencoder)

    @cached_property
    def _text(self) -> TextEncoder:
        return load_text(PixartTrial().recipe(self.scale).text)


def draw(pipeline: Pipeline, asked: Sequence[Asked]) -> list[Pixels]:
    """A picture a prompt, each with its own noise."""
    drawn = pipeline.draw([each.prompt for each in asked], [each.seed for each in asked], pipeline.card.sampling)
    return [each.picture for each in drawn]


def model_at(seen: int) -> str:
    """The name, in a run folder, of the average weights at a point."""
    return f"points/{seen}.safetensors"


def keep_at(recipe: Recipe, folder: Path, seen: set[int]) -> Hook:
    """A hook: the average weights are kept whenever so many pictures were seen."""

    def hook(state: TrainState, _: StepReport) -> None:
        if state.seen in seen:
            save_model(recipe, state, folder, name=model_at(state.seen))

    return hook


@dataclass(frozen=True)
class Bill:
    """What trials take: operations of training and of drawing, and hours of this process alone at its measured rate."""

    trials: int
    training: float
    drawing: float
    hours: float

    def say(self) -> str:
        """In a line."""
        total = (self.training + self.drawing) / 1e15
        return f"{self.trials} runs, {total:.2f} x 10^15 operations: about {self.hours:.1f} hours of this process alone"


def estimate(scale: Scale, trials: Sequence[PixartTrial]) -> Bill:
    """The bill of trials, before the first."""
    training = drawing = 0.0
    for trial in trials:
        recipe = trial.recipe(scale)
        training += spent(recipe, sum(stage.images for stage in recipe.stages.values()))
        pictures = scale.prompts * sum(len(kinds(trial, part)) for part in trial.marks(scale).values())
        forward = work_of(recipe, recipe.stages["high"], is_padded=False).network.forward
        drawing += pictures * 2 * scale.steps * forward  # with the caption and without
    base, machine = PixartTrial().recipe(scale), find_machine(HERE)
    label = work_of(base, base.stages["high"], is_padded=False).label
    rate = rate_here(label, operations(base, "high")) or machine.rate
    return Bill(len(trials), training, drawing, (training + drawing) / (rate.value * machine.count) / 3600)
