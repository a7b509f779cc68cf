"""Verdicts of the study of tools: CoDi against each other method on the same pictures and noise, with intervals."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import Field
from safetensors.torch import load_file

from pinxit.config import Config
from pinxit.evaluate.distance import kernel_difference
from pinxit.evaluate.interval import Estimate, mean_difference
from pinxit.log import append_line, read_lines
from pinxit.recipes.measure import SEED
from pinxit.recipes.study import Study
from pinxit.recipes.trial import Trial

STEPS = (2, 4)
OURS = "CoDi"


class Finished(Config):
    """A finished row, as it stands in the file; the kernel distance with its 95 % interval."""

    name: str
    trial: Trial
    solver: str
    steps: int
    kernel: float
    interval: tuple[float, float]
    frechet: float
    hed: float
    psnr: float
    ssim: float
    edges: float | None = None
    edited: float | None = None
    rest: float | None = None
    n: int
    images: int
    seconds: float
    kernel_floor: float = Field(alias="kernel floor")
    frechet_floor: float = Field(alias="frechet floor")

    @property
    def method(self) -> str:
        """The method in the paper's words, without its solver."""
        trial = self.trial
        name = "ControlNet" if trial.method == "fine-tune" else str(trial.method)
        if trial.method == "CoDi" and trial.objective != "ours":
            name += f", {trial.objective}"
        return f"{name}, all weights" if trial.trains == "all" else name

    @property
    def label(self) -> str:
        """The method and, where a fine-tune is drawn by another than the simplest, its solver."""
        return f"{self.method}, DPM-Solver++" if self.solver == "dpm" else self.method

    @property
    def marks(self) -> str:
        """The file of its marks, in the folder of runs."""
        return f"{self.trial.slug}/{self.solver}-{self.steps}.safetensors"


class Verdict(Config):
    """How much farther the first is from the truth than the second, in so many steps: below zero it is nearer."""

    first: str
    second: str
    steps: int
    task: str
    backbone: str
    methods: tuple[str, str]
    kernel: float
    kernel_interval: tuple[float, float]
    hed: float
    hed_interval: tuple[float, float]


def judge(study: Study, rows: Sequence[Finished], file: Path) -> list[Verdict]:
    """All verdicts; those that are missing in the file are worked out where both sides' marks are still kept."""
    known = {(each.first, each.second, each.steps): each for each in map(Verdict.model_validate, read_lines(file))}
    for first, second in contests(rows):
        key = (first.marks, second.marks, first.steps)
        if key not in known and all((study.work / each.marks).is_file() for each in (first, second)):
            known[key] = compare(study, first, second)
            append_line(file, known[key].model_dump())
    return list(known.values())


def contests(rows: Sequence[Finished]) -> Iterable[tuple[Finished, Finished]]:
    """CoDi at its best rate against the best of each other method, on each task and backbone, at two and four steps."""
    best: dict[tuple[str, str, int], dict[str, Finished]] = {}
    for row in rows:
        if row.steps in STEPS and row.trial.seed == 0:
            of_task = best.setdefault((row.trial.backbone, row.trial.task, row.steps), {})
            if row.method not in of_task or row.kernel < of_task[row.method].kernel:
                of_task[row.method] = row
    for of_task in best.values():
        if OURS in of_task:
            yield from ((of_task[OURS], other) for method, other in of_task.items() if method != OURS)


def compare(study: Study, first: Finished, second: Finished) -> Verdict:
    """The verdict on two rows, by the marks of their answers."""
    truth = study.exam(first.trial).truth
    one, other = (load_file(study.work / each.marks) for each in (first, second))
    kernel = kernel_difference(truth, one["features"].float(), other["features"].float(), SEED)
    hed: Estimate = mean_difference(one["hed"].tolist(), other["hed"].tolist(), SEED)
    return Verdict(
        first=first.marks, second=second.marks, steps=first.steps, task=first.trial.task,
        backbone=first.trial.backbone, methods=(first.method, second.label),
        kernel=kernel.value, kernel_interval=kernel.interval, hed=hed.value, hed_interval=hed.interval,
    )  # fmt: skip


def told(verdicts: Iterable[Verdict]) -> Mapping[tuple[str, str], list[str]]:
    """Lines of Markdown for each backbone and task."""
    lines: dict[tuple[str, str], list[str]] = {}
    for each in verdicts:
        steps = f"{each.steps} steps"
        kernel, hed = (
            f"{value:+.3f} ({low:+.3f} to {high:+.3f})"
            for value, (low, high) in ((each.kernel, each.kernel_interval), (each.hed, each.hed_interval))
        )
        line = f"- {each.methods[0]} less {each.methods[1]}, {steps}: kernel {kernel}, HED {hed}"
        lines.setdefault((each.backbone, each.task), []).append(line)
    return lines
