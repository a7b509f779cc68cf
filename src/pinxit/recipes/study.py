"""The study of tools: trials trained and examined one after another; finished rows are lines of a file, and a table."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from pinxit.generate.adapter import ADAPTER
from pinxit.generate.config import SamplingConfig
from pinxit.generate.load import load_pipeline
from pinxit.generate.pipeline import Pipeline
from pinxit.log import append_line, console, read_lines
from pinxit.recipes.exam import Question, answer, questions
from pinxit.recipes.measure import Marker
from pinxit.recipes.own import train_recipe
from pinxit.recipes.sheet import grid
from pinxit.recipes.strip import seen_of
from pinxit.recipes.trial import TASKS, Trial

COUNT = 2_000  # pictures of an exam
FEW = (1, 2, 4, 8)
MANY = 50
WHOLE = 192  # thousands of evaluations
AT_ONCE = 100
SHOWN = 12


@dataclass
class Study:
    """`work` keeps runs, answers and features; `evidence` is the file of finished rows; `backbones` the weights."""

    work: Path
    evidence: Path
    backbones: Mapping[str, Path]
    count: int = COUNT
    marker: Marker = field(default_factory=Marker)
    exams: dict[str, tuple[list[Question], Float[Tensor, "n d"]]] = field(default_factory=dict)
    pipelines: dict[str, Pipeline] = field(default_factory=dict)

    def fill(self, trials: Sequence[Trial]) -> None:
        """Every trial has its rows; those that stand are left as they are."""
        for trial in trials:
            if self.missing(trial):
                console.print(f"{trial.name}: {trial.images} pictures", style="bold", highlight=False, soft_wrap=True)
                folder = self.train(trial)
                self.examine(trial, folder)

    def missing(self, trial: Trial) -> list[tuple[str, int]]:
        """The ways of drawing, as solver and steps, that have no row yet."""
        done = {(row["name"], row["solver"], row["steps"]) for row in read_lines(self.evidence)}
        return [(solver, steps) for solver, steps in ways(trial) if (trial.name, solver, steps) not in done]

    def train(self, trial: Trial) -> Path:
        """The run folder of the trial, finished; the trial before it first. Goes on where it was stopped."""
        folder = self.work / trial.slug
        if (folder / ADAPTER).is_file():
            return folder
        begins = self.train(trial.before) if trial.before else None
        backbone = self.backbones[trial.backbone]
        shared = self.work / "cache"
        shared.mkdir(parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)
        if not (folder / "cache").exists():
            (folder / "cache").symlink_to(shared.resolve())
        train_recipe(trial.recipe(self.pipeline(trial).card, backbone, begins), folder)
        return folder

    def examine(self, trial: Trial, folder: Path) -> None:
        """Every way of drawing of the trial has its row, its features, and its first pictures on a sheet."""
        tool = self.pipeline(trial).use(folder / ADAPTER)
        asked, truth = self.exam(trial)
        shown = [("condition", [seen_of(question.condition) for question in asked[:SHOWN]])]
        for solver, steps in self.missing(trial):
            begun = time.perf_counter()
            changes = {"solver": solver, "steps": steps, "batch": AT_ONCE, "guidance": 1.0}
            drawn = answer(tool, asked, SamplingConfig.model_validate(tool.card.sampling.model_dump() | changes))
            seconds = time.perf_counter() - begun
            marks = self.marker.mark(TASKS[trial.task], asked, drawn)
            save_file(vars(marks), folder / f"{solver}-{steps}.safetensors")
            row = {
                "name": trial.name, "solver": solver, "steps": steps, **marks.summary(truth), "n": len(asked),
                "images": trial.images, "seconds": seconds / len(asked), "trial": trial.model_dump(),
            }  # fmt: skip
            append_line(self.evidence, row)
            console.print(told(row), highlight=False, soft_wrap=True)
            shown.append((f"{solver} {steps}", list(drawn[:SHOWN])))
        shown.append(("truth", [question.picture for question in asked[:SHOWN]]))
        rows = [(label, "", [Image.fromarray(picture) for picture in pictures]) for label, pictures in shown]
        grid(rows, SHOWN).save(folder / "exam.png")

    def exam(self, trial: Trial) -> tuple[list[Question], Float[Tensor, "n d"]]:
        """The questions of the trial's task, and the features of the true pictures."""
        if trial.task not in self.exams:
            card = self.pipeline(trial).card
            asked = questions(TASKS[trial.task], card.styles, card.resolution, self.count)
            truth = self.marker.features(np.stack([question.picture for question in asked]))
            self.exams[trial.task] = asked, truth
        return self.exams[trial.task]

    def pipeline(self, trial: Trial) -> Pipeline:
        """The backbone's."""
        if trial.backbone not in self.pipelines:
            self.pipelines[trial.backbone] = load_pipeline(self.backbones[trial.backbone])
        return self.pipelines[trial.backbone]


def ways(trial: Trial) -> list[tuple[str, int]]:
    """Solver and steps of every row of a trial; a fine-tune has its best solvers (of up to two steps they are one), and
    with the whole of the computing many steps too.
    """
    if trial.method == "fine-tune":
        first = "euler" if trial.backbone == "flow" else "ddim"
        many = [(first, MANY)] if trial.compute >= WHOLE else []
        return [*((first, steps) for steps in FEW), ("dpm", 4), ("dpm", 8), *many]
    if trial.method == "GD-II":
        return [("codi", trial.final)]
    return [("consistency" if trial.method == "CM-II" else "codi", steps) for steps in FEW]


def told(row: Mapping[str, object]) -> str:
    """A row in a line."""
    numbers = [
        f"{name} {row[name]:.4g}" for name in ("kernel", "frechet", "hed", "psnr", "ssim", "edges") if name in row
    ]
    return f"  {row['solver']} {row['steps']}: {', '.join(numbers)}"
