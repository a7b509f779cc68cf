"""The three kinds of data: Record (picture and captions), Feature (encoded), Batch (one bucket, on the device)."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

Pixels = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class Caption:
    """One wording of a picture; `kind` is "sparse", "dense" or "own", `weight` how often it is drawn."""

    text: str
    kind: str = "own"
    weight: float = 1.0


@dataclass(frozen=True)
class Placed:
    """One piece of art in a scene: where it stands and how far in front (0 is the farthest)."""

    concept: str
    style: str
    box: tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom excluded
    depth: int


@dataclass(frozen=True)
class Facts:
    """All that is known of a composed scene."""

    background: str
    pieces: tuple[Placed, ...]


@dataclass(frozen=True)
class Record:
    """A picture in RGB with its captions; `key` is unique in its data set, `label` a class for stage one."""

    key: str
    picture: Pixels
    captions: tuple[Caption, ...]
    label: int | None = None
    facts: Facts | None = None


@dataclass(frozen=True)
class Feature:
    """A record, encoded at one size: latent mean and deviation, one caption's real tokens, original size."""

    key: str
    mean: Float[Tensor, "c h w"]
    std: Float[Tensor, "c h w"]
    caption: Float[Tensor, "l f"]
    size: tuple[int, int]
    label: int | None = None


@dataclass(frozen=True)
class Batch:
    """Features of one bucket, stacked; `position` is each one's place in the run, `keep` marks real caption tokens."""

    mean: Float[Tensor, "b c h w"]
    std: Float[Tensor, "b c h w"]
    caption: Float[Tensor, "b l f"]
    keep: Bool[Tensor, "b l"]
    size: Float[Tensor, "b 2"]
    aspect: Float[Tensor, "b"]
    label: Int[Tensor, "b"]
    position: tuple[int, ...]
    keys: tuple[str, ...] = field(default=())
