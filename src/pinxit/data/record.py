"""A picture and what is said and known of it; imports no torch, so that the command line answers at once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

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

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box: across, down."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2


@dataclass(frozen=True)
class Facts:
    """All that is known of a composed scene."""

    background: str
    pieces: tuple[Placed, ...]


@dataclass(frozen=True)
class Condition:
    """What a picture is made from: another picture of its size, a map of one number a pixel, or both."""

    picture: Pixels | None = None
    map: UInt8[np.ndarray, "height width"] | None = None


@dataclass(frozen=True)
class Record:
    """A picture in RGB with its captions; `key` is unique in its data set, `label` a class for stage one, `conditions`
    are what a task makes it from, one of them at a time, all with the same parts.
    """

    key: str
    picture: Pixels
    captions: tuple[Caption, ...]
    label: int | None = None
    facts: Facts | None = None
    conditions: tuple[Condition, ...] = ()
