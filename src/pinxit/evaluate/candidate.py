"""Real art as that which drawings are compared with: by thumbnail and by features, once for each background."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from pinxit.data.emoji import Piece
from pinxit.data.palette import PALETTE
from pinxit.data.scene import single
from pinxit.evaluate.area import Colour, crop, differs
from pinxit.evaluate.feature import thumbnails

SIDE = 16  # both measures see a drawing at this side, so that sharpness, which differs by size, does not decide
RENDERED = 64  # pixels of the picture that a candidate's thumbnail is taken from

Features = Callable[[UInt8[np.ndarray, "b h w 3"]], Float[Tensor, "b f"]]


@dataclass(frozen=True)
class Look:
    """How all candidates look on one background: thumbnails as rows, and features."""

    pixels: Float[Tensor, "c d"]
    features: Float[Tensor, "c f"]


class Candidates:
    """Pieces of art and their looks; each background's are made when first asked for, then remembered."""

    def __init__(self, art: Sequence[Piece], features: Features) -> None:
        self.concepts = tuple(piece.concept for piece in art)
        self.styles = tuple(piece.style for piece in art)
        self.features = features
        self._art = tuple(art)
        self._looks: dict[str, Look] = {}

    def on(self, background: str) -> Look:
        """The candidates' looks on a background of the palette."""
        if background not in self._looks:
            colour = np.array(PALETTE[background], np.float32)
            pictures = [single(piece, background, (RENDERED, RENDERED)).picture for piece in self._art]
            framed = np.stack([frame(picture, colour) for picture in pictures])
            self._looks[background] = Look(thumbnails(framed), self.features(framed))
        return self._looks[background]


def frame(picture: UInt8[np.ndarray, "h w 3"], colour: Colour) -> UInt8[np.ndarray, "16 16 3"]:
    """All that is off the background's colour, framed as an area of a drawing is."""
    return crop(picture, differs(picture, colour), colour, SIDE)
