"""One trial of the study of tools: the task, the method that teaches it, and for how much computing; and its recipe."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from pinxit.config import Config
from pinxit.data.config import EdgesConfig, EditConfig, InpaintConfig, TaskConfig, UpscaleConfig
from pinxit.distill.config import BranchConfig, CodiConfig, ProgressiveConfig, as_printed, as_published
from pinxit.generate.card import ModelCard
from pinxit.recipes.codi import FOLLOWED, codi, taught_by
from pinxit.recipes.recipe import EmojiDataConfig, Recipe

TASKS: Mapping[str, TaskConfig] = {
    "inpaint": InpaintConfig(),
    "edges": EdgesConfig(),
    "upscale x8": UpscaleConfig(factor=8),
    "upscale x4": UpscaleConfig(factor=4),
    "edit": EditConfig(),
}
OBJECTIVES: Mapping[str, CodiConfig] = {
    "ours": CodiConfig(),
    "as printed": as_printed(),
    "as published": as_published(),
    "another path": CodiConfig(trajectory="frozen"),
    "no consistency": CodiConfig(consistency="none"),
}
BATCH = 64
FORWARD, BACKWARD = 1, 2  # price of a network's evaluation, and of its gradient


class Trial(Config):
    """A row of the study."""

    backbone: Literal["flow", "iddpm"] = "flow"
    task: str = "inpaint"
    method: Literal["fine-tune", "CoDi", "CM-II", "GD-II", "bicubic"]
    objective: str = Field("ours", description="of CoDi")
    trains: Literal["branch", "all"] = "branch"
    rate: float = Field(1.0, gt=0, description="times the recipe's rates")
    split: float = Field(
        0.5, gt=0, lt=1, description="share of the computing that the fine-tune before has: of the IIs"
    )
    final: int = Field(4, gt=0, description="steps for which GD-II is made")
    seed: int = 0
    compute: int = Field(192, gt=0, description="thousands of network evaluations; a gradient counts as two")

    @model_validator(mode="after")
    def _is_known(self) -> "Trial":
        for field, found, known in (("task", self.task, TASKS), ("objective", self.objective, OBJECTIVES)):
            if found not in known:
                raise ValueError(f"{field} {found} is none of {', '.join(known)}")
        if self.method == "bicubic" and TASKS[self.task].kind != "upscale":
            raise ValueError(f"method bicubic does not {self.task}; say an upscale for task")
        return self

    @property
    def name(self) -> str:
        """The trial in words: what differs from what it need not say."""
        own = {
            "CoDi": [self.objective] if self.objective != "ours" else [],
            "CM-II": [f"split {self.split:g}"],
            "GD-II": [f"split {self.split:g}", f"for {self.final}"],
        }.get(self.method, [])
        if self.method == "bicubic":
            return f"{self.backbone}, {self.task}, bicubic"
        parts = [self.backbone, self.task, self.method, *own]
        parts += ["all weights"] if self.trains == "all" else []
        return ", ".join([*parts, f"rate {self.rate:g}", f"{self.compute}k", f"seed {self.seed}"])

    @property
    def slug(self) -> str:
        """The name of its run folder."""
        return self.name.replace(", ", "-").replace(" ", "_")

    @property
    def before(self) -> "Trial | None":
        """The fine-tune whose branch it distils, with its share of the computing."""
        if self.method not in {"CM-II", "GD-II"}:
            return None
        compute = round(self.compute * self.split)
        kept = {"backbone": self.backbone, "task": self.task, "trains": self.trains, "rate": self.rate}
        return Trial.model_validate({**kept, "seed": self.seed, "method": "fine-tune", "compute": compute})

    @property
    def price(self) -> int:
        """Evaluations for each picture seen: the student's with its gradient, its average's, its teacher's."""
        asked = {"fine-tune": 0, "CoDi": 1, "CM-II": 2, "GD-II": 2}[self.method]
        if self.method == "CoDi":
            asked += OBJECTIVES[self.objective].trajectory == "frozen"
            asked -= OBJECTIVES[self.objective].consistency == "none"
        return FORWARD + BACKWARD + asked * FORWARD

    @property
    def images(self) -> int:
        """Pictures seen for the computing that is left to it; bicubic enlarging sees none."""
        if self.method == "bicubic":
            return 0
        left = self.compute - (self.before.compute if self.before else 0)
        return max(1, left * 1000 // (self.price * BATCH)) * BATCH

    def recipe(self, card: ModelCard, start: Path, begins: Path | None, pictures: int) -> Recipe:
        """Its recipe on the backbone of a file, on so many different pictures; `begins` is the run folder of the
        fine-tune before.
        """
        task = TASKS[self.task]
        base = codi(task.kind, card, str(start))
        stage, branch = base.stages["codi"], base.stages["codi"].branch
        assert branch is not None
        optimizer = stage.optimizer
        rates = {name: self.rate * getattr(optimizer, name) for name in ("learning_rate", "matrix_rate")}
        data = EmojiDataConfig(styles=card.styles, pictures=pictures, sparse=0.0)
        changes = {
            "data": data, "images": self.images, "batch": BATCH, "optimizer": optimizer.model_copy(update=rates),
            "average": stage.average.model_copy(update={"memory": FOLLOWED * BATCH}),
        }  # fmt: skip
        methods = {"fine-tune": "finetune", "CoDi": "codi", "CM-II": "consistency", "GD-II": "progressive"}
        changed = BranchConfig.model_validate({
            **branch.model_dump(),
            "condition": branch.condition.model_copy(update={"task": task}),
            "method": methods[self.method],
            "begins": str(begins) if begins else None,
            "trains": self.trains,
            "codi": OBJECTIVES[self.objective],
            "progressive": ProgressiveConfig(grid=16, final=self.final),
        })  # fmt: skip
        seeded = base.model_copy(update={"seed": self.seed, "stages": {"codi": stage.model_copy(update=changes)}})
        return taught_by(seeded, changed)
