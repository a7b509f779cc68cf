"""Settings of drawing pictures."""

from typing import Literal

from pydantic import Field

from pinxit.config import Config

Solver = Literal["ddim", "ancestral", "dpm", "sa", "euler"]


class SamplingConfig(Config):
    """How a picture is drawn from noise."""

    solver: Solver = "dpm"
    steps: int = Field(20, gt=0)
    guidance: float = Field(4.5, ge=1, description="1.0 is the conditional path alone")
    batch: int = Field(25, gt=0, description="pictures drawn at once")
