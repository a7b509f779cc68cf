"""Settings of data: what a cache was made of, compared with what a recipe wants; what a picture is made from; what
pictures are judged by.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pinxit.config import Config
from pinxit.models.identity import AutoencoderIdentity, TextIdentity

CaptionerMemory = Literal["full", "8bit", "4bit"]  # how much of it a local captioner's weights may take


class UpscaleConfig(Config):
    """A small picture becomes a large one."""

    kind: Literal["upscale"] = "upscale"
    factor: Literal[4, 8] = 4
    degraded: float = Field(0.5, ge=0, le=1, description="share degraded as found in the wild; the rest is only small")


class InpaintConfig(Config):
    """The hidden part of a picture is painted anew; the three weights say how often each shape of mask is drawn."""

    kind: Literal["inpaint"] = "inpaint"
    least_hidden: float = Field(0.4, gt=0, lt=1, description="share of the picture")
    most_hidden: float = Field(0.7, gt=0, lt=1, description="share of the picture; an object is hidden whole anyway")
    free_form: float = Field(0.5, ge=0, description="weight of brush strokes")
    box: float = Field(0.25, ge=0, description="weight of boxes")
    piece: float = Field(0.25, ge=0, description="weight of an object's own shape; left out where no object is known")

    @model_validator(mode="after")
    def _something_is_drawn(self) -> "InpaintConfig":
        if self.least_hidden > self.most_hidden:
            raise ValueError(
                f"least_hidden {self.least_hidden} is over most_hidden {self.most_hidden}; lower it, or raise the other"
            )
        if not self.free_form + self.box + self.piece:
            raise ValueError("free_form, box and piece are all 0, which leaves no mask to draw; raise one of them")
        return self


class EdgesConfig(Config):
    """A picture is drawn along given edges."""

    kind: Literal["edges"] = "edges"
    detector: Literal["soft", "canny"] = "soft"


class DepthConfig(Config):
    """A picture is drawn to a given depth."""

    kind: Literal["depth"] = "depth"
    folder: str | None = Field(None, description="a transformers depth estimator; none: depth is known from the scene")


EditKind = Literal["background", "swap", "remove", "add", "move", "style"]
EDIT_KINDS: tuple[EditKind, ...] = ("background", "swap", "remove", "add", "move", "style")


class EditConfig(Config):
    """A picture is changed as an instruction says."""

    kind: Literal["edit"] = "edit"
    kinds: tuple[EditKind, ...] = Field(EDIT_KINDS, min_length=1)


TaskConfig = Annotated[
    UpscaleConfig | InpaintConfig | EdgesConfig | DepthConfig | EditConfig, Field(discriminator="kind")
]


class ConditionConfig(Config):
    """What pictures are made from, and of how many conditions a picture one is taken each time it is seen."""

    task: TaskConfig
    many: int = Field(4, gt=0, description="conditions a picture, made and encoded once")

    @model_validator(mode="after")
    def _an_edit_has_one_source(self) -> "ConditionConfig":
        if self.task.kind == "edit" and self.many != 1:
            raise ValueError(f"many is {self.many}, and an edited picture comes from one other; say 1")
        return self


class AuditConfig(Config):
    """How pictures will be used, which is what they are judged by."""

    resolution: int = Field(64, gt=0, description="side of the nominal square in pixels")
    buckets: bool = Field(False, description="keep aspect ratios, in buckets of the same area")
    multiple: int = Field(16, gt=0, description="of a bucket's sides: the autoencoder's factor times the patch")
    batch: int = Field(32, gt=0, description="pictures a step")
    held_out: float = Field(0.1, ge=0, lt=1, description="share that `pinxit train own` keeps for its probe loss")
    seed: int = Field(0, description="of the recipe, which draws the held-out pictures")
    nouns: bool = Field(True, description="tag the captions and count their nouns")
    sample: int | None = Field(
        None, gt=0, description="tag the captions of so many pictures, and say how exact that is"
    )

    @model_validator(mode="after")
    def _the_square_is_a_multiple(self) -> "AuditConfig":
        if self.resolution % self.multiple:
            raise ValueError(
                f"resolution {self.resolution} is no multiple of {self.multiple}; change it, or `multiple`"
            )
        return self


class Fingerprint(Config):
    """Encoders, size, crop and precision of a cache, and its task where it has one."""

    autoencoder: AutoencoderIdentity
    text: TextIdentity
    resolution: int
    buckets: bool
    multiple: int
    crop: Literal["cover, centre"] = "cover, centre"
    dtype: Literal["float16", "float32"] = "float16"
    condition: ConditionConfig | None = Field(None, description="what pictures are made from; none: from words alone")

    def differences(self, other: "Fingerprint") -> list[str]:
        """Which fields differ, with both values."""
        mine, theirs = self.model_dump(), other.model_dump()
        encoders = ("autoencoder", "text")
        flat = [(name, mine[name], theirs[name]) for name in mine if name not in encoders]
        for name in encoders:
            flat += [(f"{name}.{field}", mine[name][field], theirs[name][field]) for field in mine[name]]
        return [f"{name} is {a!r} and should be {b!r}" for name, a, b in flat if a != b]
