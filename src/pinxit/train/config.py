"""Settings of training: the optimiser, its schedule, the average; where it computes."""

from typing import Literal

from pydantic import Field

from pinxit.config import Config
from pinxit.models.config import Precision


class OptimizerConfig(Config):
    """AdamW, or Muon for matrices with AdamW for the rest; schedules count pictures."""

    kind: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0, description="of AdamW")
    matrix_rate: float = Field(2e-2, gt=0, description="of Muon, for matrices and convolutions")
    betas: tuple[float, float] = (0.9, 0.99)
    epsilon: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    clip: float = Field(1.0, gt=0, description="largest global norm of the gradient")
    warmup: int = Field(0, ge=0, description="pictures over which the rate rises from zero")
    decay: float = Field(0.3, ge=0, le=1, description="last share of the stage over which the rate falls to zero")


class ComputeConfig(Config):
    """Where and how a run computes; a run may go on elsewhere, or otherwise."""

    device: str = Field("auto", description="cpu, cuda, cuda:1; auto: a CUDA GPU where there is one")
    precision: Precision = Field(
        "auto", description="of products, weights stay float32; auto: bfloat16 on a GPU that has it"
    )
    compile: bool = Field(False, description="compile the network's blocks, a minute at most; wants a C compiler")
    record: bool = Field(
        True, description="record a step on a CUDA GPU once and replay it, where its memory holds the whole cache"
    )


class AverageConfig(Config):
    """The exponential moving average of the weights that samples are drawn from; its memory counts pictures."""

    memory: int = Field(50_000, gt=0, description="pictures after which a weight counts for 1/e")
    share: float = Field(0.1, gt=0, le=1, description="early on, the memory is this share of the pictures seen")
