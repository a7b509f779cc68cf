"""The Recipe: a whole run as one value, nested as the system is."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pinxit.config import Config
from pinxit.data.config import TaskConfig
from pinxit.diffusion.config import FlowConfig, ProcessConfig
from pinxit.distill.config import BranchConfig, ConsistencyConfig
from pinxit.generate.config import SamplingConfig
from pinxit.models.config import (
    AutoencoderConfig,
    MiniLMConfig,
    NullKind,
    SmallAutoencoderConfig,
    SmallCodecConfig,
    TextConfig,
    TransformerConfig,
)  # fmt: skip
from pinxit.train.config import AverageConfig, ComputeConfig, OptimizerConfig

DEFAULT_STYLES = ("Fluent 3D", "Fluent flat", "Noto", "Noto v1", "Fxemoji")


class EmojiDataConfig(Config):
    """Scenes of real emoji art, drawn on demand: picture i of a seed is always the same."""

    kind: Literal["emoji"] = "emoji"
    styles: tuple[str, ...] = Field(DEFAULT_STYLES, min_length=1)
    pieces: int = Field(
        1, ge=1, le=3, description="most pieces of art in a picture; every other picture has a single one, centred"
    )
    pictures: int = Field(20_000, gt=0, description="different pictures drawn and encoded")
    fill: float = Field(0.9, gt=0, le=1, description="side of a lone piece over the picture's shorter side")
    wide: float = Field(
        0.5, ge=0, le=1, description="share of the pictures that are no squares, in a stage with buckets"
    )
    sparse: float = Field(
        0.1, ge=0, le=1, description="how often the sparse caption is taken in place of the dense one"
    )
    improver: str | None = Field(None, description="folder that rewrites the sparse captions; none: they stay")


class RecordsDataConfig(Config):
    """Own pictures, as `pinxit data import` wrote them."""

    kind: Literal["records"] = "records"
    folder: str
    held_out: float = Field(0.1, ge=0, lt=1, description="share kept from training for the probe loss")


DataConfig = Annotated[EmojiDataConfig | RecordsDataConfig, Field(discriminator="kind")]


class StageConfig(Config):
    """One stage: what is taught, on which pictures, at which size, for how long."""

    teaches: Literal["class", "text", "steps", "condition"] = Field(
        description="steps: to draw in few, as a student of the weights; condition: to draw from another picture"
    )
    data: DataConfig
    images: int = Field(gt=0, description="pictures seen in this stage")
    resolution: int = Field(gt=0, description="side of the nominal square in pixels")
    buckets: bool = Field(False, description="keep aspect ratios, in buckets of the same area")
    batch: int = Field(128, gt=0)
    accumulation: int = Field(1, gt=0, description="micro-batches of one optimiser step")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of conditions replaced by the null condition")
    position_scale: float = Field(1.0, gt=0)
    shift: float | None = Field(None, description="time shift of a flow in this stage; none keeps the process's own")
    optimizer: OptimizerConfig = OptimizerConfig()
    average: AverageConfig = AverageConfig()
    consistency: ConsistencyConfig = Field(ConsistencyConfig(), description="of a stage that teaches steps")
    branch: BranchConfig | None = Field(None, description="of a stage that teaches a condition")

    @model_validator(mode="after")
    def _micro_batches_divide_batch(self) -> "StageConfig":
        if self.batch % self.accumulation:
            raise ValueError(
                f"batch {self.batch} is not a multiple of accumulation {self.accumulation}; change either one"
            )
        return self


def _check_task(name: str, data: DataConfig, task: TaskConfig) -> None:
    """Raises ValueError for a task that a stage's pictures cannot teach."""
    if not isinstance(data, RecordsDataConfig):
        return
    if task.kind == "edit":
        raise ValueError(f"stages.{name} learns edits, which single pictures do not tell; leave their folder out")
    if task.kind == "depth" and task.folder is None:
        problem = "own pictures have no known depth; name a depth estimator's folder"
        raise ValueError(f"stages.{name}.branch.condition.task.folder is None: {problem}")


class Recipe(Config):
    """A run: data, encoders, network, process, stages in their order."""

    name: str
    seed: int = 0
    start: str | None = Field(None, description="model file or run folder whose weights to begin with; none: scratch")
    without_class: Literal["zero", "null"] = Field("zero", description="what 'without class' means between the stages")
    matched: bool = Field(
        True,
        description="re-parameterise after a stage of classes; false: carry weights alone, no tables to match them",
    )
    null: NullKind = "empty"
    network: TransformerConfig
    process: ProcessConfig = FlowConfig()
    autoencoder: AutoencoderConfig = SmallCodecConfig()
    text: TextConfig = MiniLMConfig()
    stages: dict[str, StageConfig]
    sampling: SamplingConfig = SamplingConfig()
    compute: ComputeConfig = ComputeConfig()
    probe_every: int = Field(20_000, gt=0, description="pictures between two probe losses")
    save_every: float = Field(300.0, gt=0, description="seconds between two checkpoints")

    @model_validator(mode="after")
    def _class_comes_first(self) -> "Recipe":
        taught = [stage.teaches for stage in self.stages.values()]
        if not taught:
            raise ValueError("stages is empty; give at least one stage")
        if "class" in taught[1:]:
            raise ValueError("a stage that teaches classes follows another stage; it can only be the first one")
        if self.start and taught[0] == "class":
            raise ValueError("start names text-to-image weights, but the first stage teaches classes; drop either")
        return self

    @model_validator(mode="after")
    def _students_have_a_teacher(self) -> "Recipe":
        names = list(self.stages)
        for name, before in zip(names, [None, *names], strict=False):
            teaches = self.stages[name].teaches
            if teaches not in {"steps", "condition"}:
                continue
            if teaches == "condition" and (before or not self.start):
                raise ValueError(
                    f"stages.{name} teaches a condition to finished weights: say `start`, and no other stage"
                )
            taught = self.stages[before].teaches if before else "text" if self.start else None
            if taught != "text":
                raise ValueError(f"stages.{name} teaches steps to a student of the weights before it; say `start`")
            if name != names[-1]:
                raise ValueError(f"stages.{name} teaches {teaches}; it can only be the last stage")
            if teaches == "steps":
                self._check_student(name, self.stages[name])
            else:
                self._check_branch(name, self.stages[name])
        return self

    @model_validator(mode="after")
    def _branches_are_of_conditions(self) -> "Recipe":
        for name, stage in self.stages.items():
            if (stage.branch is not None) != (stage.teaches == "condition"):
                raise ValueError(
                    f"stages.{name} teaches {stage.teaches}; a branch goes with condition, and with it alone"
                )
        return self

    def _check_branch(self, name: str, stage: StageConfig) -> None:
        branch, sampling, most = stage.branch, self.sampling, self.network.depth - 1
        if branch is None:
            return
        _check_task(name, stage.data, branch.condition.task)
        if branch.blocks is not None and branch.blocks > most:
            problem = f"the network has {most + 1} blocks; say at most {most}"
            raise ValueError(f"stages.{name}.branch.blocks is {branch.blocks}, and {problem}")
        grid = branch.grid
        if grid is None:
            if sampling.solver in {"codi", "consistency"}:
                other = "euler, ddim or dpm"
                raise ValueError(f"sampling.solver is {sampling.solver}; with stages.{name} by finetune say {other}")
            return
        solver = "consistency" if branch.method == "consistency" else "codi"
        levels = self.process.steps // 2 if self.process.kind == "iddpm" else grid
        for field, found, is_right, wanted in (
            ("sampling.solver", sampling.solver, sampling.solver == solver, solver),
            ("sampling.anchors", sampling.anchors, sampling.anchors == grid, f"{grid}, the grid of the stage"),
            ("sampling.steps", sampling.steps, sampling.steps <= grid, f"at most {grid}, the levels of the grid"),
            (f"stages.{name}.branch: its grid", grid, grid <= levels, f"at most {levels} with this process"),
        ):
            if not is_right:
                raise ValueError(f"{field} is {found}; with stages.{name} by {branch.method} say {wanted}")

    def _check_student(self, name: str, stage: StageConfig) -> None:
        anchors, sampling = stage.consistency.anchors, self.sampling
        most = self.process.steps // 2 if self.process.kind == "iddpm" else anchors
        for field, found, is_right, wanted in (
            ("sampling.solver", sampling.solver, sampling.solver == "consistency", "consistency"),
            ("sampling.anchors", sampling.anchors, sampling.anchors == anchors, f"{anchors}, as the stage has it"),
            ("sampling.guidance", sampling.guidance, sampling.guidance == 1, "1: guidance is part of the student"),
            ("sampling.steps", sampling.steps, sampling.steps <= anchors, f"at most {anchors}, the anchors"),
            (f"stages.{name}.consistency.anchors", anchors, anchors <= most, f"at most {most} with this process"),
            (f"stages.{name}.dropout", stage.dropout, stage.dropout == 0, "0: a student reads every caption"),
        ):
            if not is_right:
                raise ValueError(f"{field} is {found}; with a stage that teaches steps say {wanted}")

    @model_validator(mode="after")
    def _outputs_fit_process(self) -> "Recipe":
        wanted = 2 if self.process.kind == "iddpm" else 1
        if self.network.outputs != wanted:
            raise ValueError(
                f"network.outputs is {self.network.outputs}, and the process {self.process.kind!r} needs {wanted}; "
                f"set network.outputs to {wanted}"
            )
        return self


class AutoencoderRecipe(Config):
    """A run of the small autoencoder; the defaults are what ships."""

    network: SmallAutoencoderConfig = SmallAutoencoderConfig()
    styles: tuple[str, ...] = DEFAULT_STYLES
    images: int = Field(64_000, gt=0)
    batch: int = Field(32, gt=0)
    side: int = Field(64, gt=0, multiple_of=8, description="of the training pictures, in pixels")
    seed: int = 0
    optimizer: OptimizerConfig = OptimizerConfig(
        kind="muon", matrix_rate=2e-2, weight_decay=0.0, warmup=1_600, decay=0.5
    )
    average: AverageConfig = AverageConfig(memory=3_000)
    leash: float = Field(0.1, ge=0, description="weight of the latent's mean square in the loss")
