"""Settings of drawing pictures, and of opening weights that others wrote."""

from typing import Literal

from pydantic import Field

from pinxit.config import Config

Solver = Literal["ddim", "ancestral", "dpm", "sa", "euler", "consistency", "codi"]
Form = Literal["pinxit", "diffusers", "pixart"]


class SamplingConfig(Config):
    """How a picture is drawn from noise."""

    solver: Solver = "dpm"
    steps: int = Field(20, gt=0)
    guidance: float = Field(4.5, ge=1, description="1.0 is the conditional path alone")
    guided_above: float = Field(
        0.0, ge=0, lt=1, description="noise (sigma) down to which is guided; below it the prompt speaks alone"
    )
    anchors: int = Field(
        50, gt=0, description="of the solvers consistency and codi: levels at which the model was distilled"
    )
    batch: int = Field(25, gt=0, description="pictures drawn at once")


class SourceConfig(Config):
    """What the files of other tools do not tell; not asked for where they do."""

    autoencoder: str | None = Field(None, description="the autoencoder that the weights go with: folder of diffusers")
    text: str | None = Field(None, description="folder of the T5 that the weights go with")
    plain: bool = Field(False, description="of a training checkpoint the weights themselves, not their average")
    heads: int | None = Field(None, gt=0, description="none: of 72 channels each, as published")
    resolution: int | None = Field(None, gt=0, description="in pixels; none: by the position table in the file")
    length: int | None = Field(
        None, gt=1, description="caption tokens; none: as many as the null states, or as published"
    )
    caption_width: int = Field(4096, gt=0, description="of captions that a class-conditional DiT will learn to read")
    conditions: bool = Field(False, description="that DiT will also be told a picture's size and aspect ratio")
