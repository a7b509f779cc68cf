"""Settings of distillation to few steps."""

from typing import Literal

from pydantic import Field, model_validator

from pinxit.config import Config
from pinxit.data.config import ConditionConfig


class ConsistencyConfig(Config):
    """Latent consistency distillation with PixArt-δ's settings (Chen et al. 2024, section 2.1); a flow has it too."""

    anchors: int = Field(50, gt=0, description="levels of the teacher's path, between which the student learns to skip")
    guidance: float = Field(
        5.5, ge=1, description="of the teacher, which the student learns with the rest; the paper counts from 0: 4.5"
    )
    huber: float = Field(1e-3, gt=0, description="error below which the loss is square, and above which it is straight")


class CodiConfig(Config):
    """Conditional distillation (CoDi, arXiv 2310.01407). Two terms: what the network says at one level of its path must
    agree with what its average says at the next, and with the true picture. Errors of the noise are alpha times, and
    those of the clean latent sigma times, the error of the velocity: `velocity` brings a term into that one unit.
    """

    consistency: Literal["noise", "clean", "none"] = Field("noise", description="what must agree between two levels")
    consistency_unit: Literal["own", "velocity"] = Field("velocity", description="in which that error is measured")
    consistency_weight: float = Field(
        0.5, gt=0, description="of that error, beside the true picture's: how far ahead the network looks, see codi.py"
    )
    signal_unit: Literal["own", "velocity"] = Field("velocity", description="own: of the clean latent")
    signal_floor: float = Field(
        1.0, ge=0, le=1, description="the true picture's weight is this + (1 - this) alpha²; 1: the same everywhere"
    )
    trajectory: Literal["own", "frozen"] = Field("own", description="whose path: the network's, or as the stage began")
    noise: Literal["predicted", "true"] = Field("predicted", description="with which the next level is reached")
    times: Literal["batch", "picture"] = Field(
        "picture", description="one level for a whole batch, or for each picture"
    )
    end: Literal["average", "true"] = Field(
        "true", description="what the last level before the end must agree with: no noise is left to be found there"
    )
    skip: bool = Field(False, description="pin the clean end as consistency models do, of the noise too, as published")
    grid: int = Field(8, gt=0, description="levels, among which those of sampling are found")


def as_printed() -> CodiConfig:
    """As in the paper, so far as it is known; its time step is taken as the smallest, 1/500 of the path."""
    return CodiConfig(
        consistency_unit="own", consistency_weight=1.0, signal_unit="own", times="batch", end="average", grid=500,
    )  # fmt: skip


def as_published() -> CodiConfig:
    """As its published code has it by default: the clean latent's consistency, on the path of the network without its
    branch, which is how a stage begins; by the true noise; pinned; fifty levels.
    """
    return CodiConfig(
        consistency="clean", consistency_unit="own", consistency_weight=1.0, signal_unit="own", trajectory="frozen",
        noise="true", end="average", skip=True, grid=50,
    )  # fmt: skip


class ProgressiveConfig(Config):
    """Progressive distillation (Salimans and Ho 2022): the steps are halved, round after round."""

    grid: int = Field(16, gt=1, description="steps of the first teacher")
    final: int = Field(4, gt=0, description="steps of the last student")

    @model_validator(mode="after")
    def _steps_are_halved(self) -> "ProgressiveConfig":
        ratio = self.grid // self.final
        if ratio < 2 or ratio * self.final != self.grid or ratio & (ratio - 1):
            raise ValueError(
                f"grid is {self.grid} and final {self.final}, which halving does not reach; say {2 * self.final}, "
                f"{4 * self.final} or {8 * self.final} for grid"
            )
        return self


class BranchConfig(Config):
    """A stage that teaches a condition: what pictures are made from, the copied blocks, and by which method."""

    condition: ConditionConfig
    method: Literal["codi", "finetune", "consistency", "progressive"] = Field(
        "codi",
        description="finetune: as the network was trained, no few steps; the last two distil such a branch, see begins",
    )
    begins: str | None = Field(
        None, description="adapter file, or run folder, whose branch to begin with; none: one that adds nothing"
    )
    trains: Literal["branch", "all"] = Field(
        "branch", description="branch: the network stays as it is, shared by tasks"
    )
    blocks: int | None = Field(None, gt=0, description="copied; none: 13 of 28, or as large a share")
    stem: int = Field(32, gt=0, description="width of the convolutions that read maps")
    codi: CodiConfig = CodiConfig()
    consistency: ConsistencyConfig = Field(
        ConsistencyConfig(anchors=20, guidance=1.0), description="of the method consistency, which is not guided"
    )
    progressive: ProgressiveConfig = Field(ProgressiveConfig(), description="of the method progressive")

    @property
    def grid(self) -> int | None:
        """The levels among which those of sampling are found; none: sampling has levels of its own."""
        grids = {"codi": self.codi.grid, "consistency": self.consistency.anchors, "progressive": self.progressive.grid}
        return grids.get(self.method)

    @model_validator(mode="after")
    def _students_begin_with_a_teacher(self) -> "BranchConfig":
        if self.method in {"consistency", "progressive"} and self.begins is None:
            raise ValueError(f"method {self.method} distils a fine-tuned branch; name its adapter in begins")
        return self
