"""Art composed into scenes whose caption, boxes, masks, depth and styles are known exactly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from pinxit.data.emoji import Art, Piece
from pinxit.data.kind import Caption, Facts, Pixels, Placed, Record
from pinxit.data.palette import PALETTE
from pinxit.data.words import dense, sparse
from pinxit.rng import numpy_at

SOLID = 128  # alpha from which a pixel counts as covered
OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}


@dataclass(frozen=True)
class Placement:
    """Where one piece goes: the side of its square and the square's left and top, in pixels; may stick out."""

    piece: Piece
    side: int
    left: int
    top: int


@dataclass(frozen=True)
class Scene:
    """A picture and all that is known of it; masks are of what shows, in the order of `facts.pieces`."""

    picture: Pixels
    facts: Facts
    masks: Bool[np.ndarray, "n height width"]
    keywords: tuple[tuple[str, ...], ...]

    def record(self, key: str, seed: int, *, share_of_sparse: float, label: int | None = None) -> Record:
        """The scene as a Record with one dense caption and one sparse one; the words follow from seed and key."""
        rng = numpy_at(seed, f"words/{key}")
        captions = [Caption(dense(self.facts, self.keywords, rng), "dense", 1 - share_of_sparse)]
        if share_of_sparse > 0:
            captions.append(Caption(sparse(self.facts, rng), "sparse", share_of_sparse))
        return Record(key, self.picture, tuple(captions), label, self.facts)


def compose(placements: Sequence[Placement], background: str | tuple[int, int, int], size: tuple[int, int]) -> Scene:
    """The pieces on a background, later ones in front; `size` is height and width.

    Alpha is composited premultiplied, so edges have no halo. Raises ValueError for a piece that is wholly outside.
    """
    height, width = size
    name, colour = (background, PALETTE[background]) if isinstance(background, str) else ("", background)
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = colour
    masks = np.zeros((len(placements), height, width), bool)
    boxes = []
    for depth, placement in enumerate(placements):
        art = scaled(placement.piece, placement.side)
        top, left = max(0, placement.top), max(0, placement.left)
        bottom, right = min(height, placement.top + placement.side), min(width, placement.left + placement.side)
        if bottom <= top or right <= left:
            raise ValueError(f"{placement.piece.concept} lies wholly outside the picture")
        part = art[top - placement.top : bottom - placement.top, left - placement.left : right - placement.left]
        alpha = part[..., 3:]
        canvas[top:bottom, left:right] *= 1 - alpha.astype(np.float32) / 255
        canvas[top:bottom, left:right] += part[..., :3]
        covered = np.zeros((height, width), bool)
        covered[top:bottom, left:right] = alpha[..., 0] >= SOLID
        masks[:depth] &= ~covered
        masks[depth] = covered
        boxes.append(_box(covered))
    pieces = tuple(
        Placed(p.piece.concept, p.piece.style, box, depth)
        for depth, (p, box) in enumerate(zip(placements, boxes, strict=True))
    )
    picture = np.clip(canvas + 0.5, 0, 255).astype(np.uint8)
    return Scene(picture, Facts(name, pieces), masks, tuple(p.piece.keywords for p in placements))


def scaled(piece: Piece, side: int) -> UInt8[np.ndarray, "side side 4"]:
    """The piece's art at a side, premultiplied; the last few thousand are remembered."""
    return _scaled(_Held(piece), side)


class _Held:
    """A piece as a key: one piece of art is one object."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece

    def __hash__(self) -> int:
        return id(self.piece)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.piece is self.piece


@lru_cache(maxsize=4096)
def _scaled(held: _Held, side: int) -> UInt8[np.ndarray, "side side 4"]:
    image = Image.fromarray(held.piece.rgba).convert("RGBa")
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def _box(covered: Bool[np.ndarray, "height width"]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    if not len(rows):
        return (0, 0, 0, 0)
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def single(piece: Piece, background: str, size: tuple[int, int], fill: float = 0.9) -> Scene:
    """One piece in the middle; its side is `fill` of the picture's shorter side."""
    height, width = size
    side = max(1, round(fill * min(size)))
    return compose([Placement(piece, side, (width - side) // 2, (height - side) // 2)], background, size)


def plain_scene(art: Art, index: int, size: tuple[int, int], fill: float = 0.9) -> Scene:
    """Every piece of the art on every background in turn: scene `index` counts through all pairs."""
    backgrounds = list(PALETTE)
    turn = index // len(art)
    return single(art[index % len(art)], backgrounds[(index + turn) % len(backgrounds)], size, fill)


def scene(art: Art, seed: int, index: int, size: tuple[int, int], pieces: tuple[int, int] = (1, 3)) -> Scene:
    """Scene `index` of a seed: always the same; so many pieces as `pieces` allows, of one style or mixed."""
    rng = numpy_at(seed, f"scene/{index}")
    background = list(PALETTE)[rng.integers(len(PALETTE))]
    count = int(rng.integers(pieces[0], pieces[1] + 1))
    if count == 1:
        return single(_choose(art, rng, 1)[0], background, size, float(rng.uniform(0.6, 0.9)))
    return compose(_layout(_choose(art, rng, count), size, rng), background, size)


def _choose(art: Art, rng: np.random.Generator, count: int) -> list[Piece]:
    """Different concepts; most scenes keep to one style."""
    first = art[int(rng.integers(len(art)))]
    chosen = [first]
    same = rng.random() < 0.7
    while len(chosen) < count:
        other = art[int(rng.integers(len(art)))]
        taken = {piece.concept for piece in chosen}
        if other.concept not in taken and (not same or other.style == first.style):
            chosen.append(other)
    return chosen


def _layout(pieces: Sequence[Piece], size: tuple[int, int], rng: np.random.Generator) -> list[Placement]:
    """Beside each other along the longer side (either one in a square), or, for one scene in eight, overlapping."""
    height, width = size
    along_width = width > height or (width == height and rng.random() < 0.5)
    length, breadth = (width, height) if along_width else (height, width)
    cell = length / len(pieces)
    overlap = 1.3 if rng.random() < 0.125 else 1.0
    placements = []
    for index, piece in enumerate(pieces):
        side = max(1, round(min(cell, breadth) * overlap * float(rng.uniform(0.72, 0.96))))
        along = round(index * cell + (cell - side) * float(rng.uniform(0.3, 0.7)))
        across = round((breadth - side) * float(rng.uniform(0.25, 0.75)))
        along = min(max(along, 0), length - side)
        left, top = (along, across) if along_width else (across, along)
        placements.append(Placement(piece, side, left, top))
    return placements


def labels(art: Art) -> Mapping[tuple[str, str], int]:
    """The classes of stage one: subgroup and style, numbered in order of their names."""
    return {pair: n for n, pair in enumerate(sorted({(piece.subgroup, piece.style) for piece in art}))}
