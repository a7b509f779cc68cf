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

from pinxit.evaluate.distance import frechet_distance, kernel_distance, measure_floor
from pinxit.generate.adapter import ADAPTER
from pinxit.generate.config import SamplingConfig
from pinxit.generate.load import load_pipeline
from pinxit.generate.pipeline import Pipeline
from pinxit.log import append_line, console, read_lines
from pinxit.recipes.exam import Pictures, Question, answer, questions
from pinxit.recipes.measure import SEED, Marker
from pinxit.recipes.own import train_recipe
from pinxit.recipes.sheet import grid
from pinxit.recipes.strip import seen_of
from pinxit.recipes.trial import TASKS, Trial

COUNT = 2_000  # pictures of an exam
PICTURES = 16_000  # different ones to learn from; of 8,000 a fine-tune of 64,000 pictures learned much by heart
FEW = (1, 2, 4, 8)
MANY = 50
WHOLE = 192  # thousands of evaluations
AT_ONCE = 100
SHOWN = 12
MEASURES = ("kernel", "frechet", "hed", "psnr", "ssim", "edges", "edited", "rest")


@dataclass(frozen=True)
class Exam:
    """Questions, the features of the true pictures, and the distances between halves of these: of the kernel's, which
    is zero on the average, the standard deviation.
    """

    asked: list[Question]
    truth: Float[Tensor, "n d"]
    floors: Mapping[str, float]


@dataclass
class Study:
    """`work` keeps runs, answers and features; `evidence` is the file of finished rows; `backbones` the weights."""

    work: Path
    evidence: Path
    backbones: Mapping[str, Path]
    count: int = COUNT
    pictures: int = PICTURES
    exams: dict[tuple[str, str], Exam] = field(default_factory=dict)
    markers: dict[str, Marker] = field(default_factory=dict)

    def fill(self, trials: Sequence[Trial]) -> None:
        """Every trial has its rows; those that stand are left as they are."""
        for trial in trials:
            if self.missing(trial):
                console.print(f"{trial.name}: {trial.images} pictures", style="bold", highlight=False, soft_wrap=True)
                self.examine(trial, self.train(trial))

    def missing(self, trial: Trial) -> list[tuple[str, int]]:
        """The ways of drawing, as solver and steps, that have no row yet."""
        done = {(row["name"], row["solver"], row["steps"]) for row in read_lines(self.evidence)}
        return [(solver, steps) for solver, steps in ways(trial) if (trial.name, solver, steps) not in done]

    def train(self, trial: Trial) -> Path:
        """The run folder of the trial, finished; the trial before it first. Goes on where it was stopped."""
        folder = self.work / trial.slug
        if trial.method == "bicubic":
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        if (folder / ADAPTER).is_file():
            return folder
        begins = self.train(trial.before) if trial.before else None
        backbone = self.backbones[trial.backbone]
        shared = self.work / "cache"
        shared.mkdir(parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)
        if not (folder / "cache").exists():
            (folder / "cache").symlink_to(shared.resolve())
        train_recipe(trial.recipe(self.pipeline(trial).card, backbone, begins, self.pictures), folder)
        return folder

    def examine(self, trial: Trial, folder: Path) -> None:
        """Every way of drawing of the trial has its row, its features, and its first pictures on a sheet."""
        exam = self.exam(trial)
        asked = exam.asked
        shown = [("condition", [seen_of(question.condition) for question in asked[:SHOWN]])]
        for solver, steps in self.missing(trial):
            begun = time.perf_counter()
            drawn = self.answers(trial, folder, asked, solver, steps)
            seconds = time.perf_counter() - begun
            marks = self.marker(trial).mark(TASKS[trial.task], asked, drawn)
            save_file(vars(marks), folder / f"{solver}-{steps}.safetensors")
            row = {
                "name": trial.name, "solver": solver, "steps": steps, **marks.summary(exam.truth), **exam.floors,
                "n": len(asked), "images": trial.images, "seconds": seconds / len(asked), "trial": trial.model_dump(),
            }  # fmt: skip
            append_line(self.evidence, row)
            console.print(told(row), highlight=False, soft_wrap=True)
            shown.append((f"{solver} {steps}", list(drawn[:SHOWN])))
        shown.append(("truth", [question.picture for question in asked[:SHOWN]]))
        rows = [(label, "", [Image.fromarray(picture) for picture in pictures]) for label, pictures in shown]
        grid(rows, SHOWN).save(folder / "exam.png")

    def answers(self, trial: Trial, folder: Path, asked: Sequence[Question], solver: str, steps: int) -> Pictures:
        """What the trial's tool draws so; bicubic enlarging is how an upscale's condition is made."""
        if trial.method == "bicubic":
            return np.stack([seen_of(question.condition) for question in asked])
        tool = self.pipeline(trial).use(folder / ADAPTER)
        changes = {"solver": solver, "steps": steps, "batch": AT_ONCE, "guidance": 1.0}
        return answer(tool, asked, SamplingConfig.model_validate(tool.card.sampling.model_dump() | changes))

    def exam(self, trial: Trial) -> Exam:
        """The exam of the trial's task, set once."""
        key = trial.backbone, trial.task
        if key not in self.exams:
            card, marker = self.pipeline(trial).card, self.marker(trial)
            asked = questions(TASKS[trial.task], card.styles, card.resolution, self.count)
            truth = marker.features(np.stack([question.picture for question in asked]))
            distances = {"kernel": kernel_distance, "frechet": frechet_distance}
            floors = {name: measure_floor(each, truth, len(truth), SEED) for name, each in distances.items()}
            self.exams[key] = Exam(asked, truth, {
                "kernel floor": floors["kernel"].deviation, "frechet floor": floors["frechet"].mean,
            })  # fmt: skip
        return self.exams[key]

    def pipeline(self, trial: Trial) -> Pipeline:
        """The backbone's."""
        return self.marker(trial).pipeline

    def marker(self, trial: Trial) -> Marker:
        """What looks at the pictures of the trial's backbone."""
        if trial.backbone not in self.markers:
            self.markers[trial.backbone] = Marker(load_pipeline(self.backbones[trial.backbone]))
        return self.markers[trial.backbone]


def ways(trial: Trial) -> list[tuple[str, int]]:
    """Solver and steps of every row of a trial; a fine-tune has its best solvers (of up to two steps they are one), and
    with the whole of the computing many steps too.
    """
    if trial.method == "fine-tune":
        first = "euler" if trial.backbone == "flow" else "ddim"
        many = [(first, MANY)] if trial.compute >= WHOLE else []
        return [*((first, steps) for steps in FEW), ("dpm", 4), ("dpm", 8), *many]
    if trial.method == "bicubic":
        return [("none", 0)]
    if trial.method == "GD-II":
        return [("codi", trial.final)]
    return [("consistency" if trial.method == "CM-II" else "codi", steps) for steps in FEW]


def told(row: Mapping[str, object]) -> str:
    """A row in a line."""
    numbers = [f"{name} {row[name]:.4g}" for name in MEASURES if name in row]
    return f"  {row['solver']} {row['steps']}: {', '.join(numbers)}"
