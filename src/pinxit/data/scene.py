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
from pinxit.errors import DataError
from pinxit.rng import numpy_at

SOLID = 128  # alpha from which a pixel counts as covered
REMEMBERED = 128  # greatest side of scaled art that is kept, in pixels: at most a quarter of a gigabyte
OVERLAPPING = 0.2  # share of the scenes of two whose pieces overlap
HIDDEN = 0.08  # least share of the hinder piece that the one in front then hides
UNEQUAL = 0.35  # share of the scenes of several in which one piece is clearly smaller


@dataclass(frozen=True)
class Placement:
    """Where one piece goes: the side of its square and the square's left and top, in pixels; may stick out."""

    piece: Piece
    side: int
    left: int
    top: int


@dataclass(frozen=True)
class Scene:
    """A picture and all that is known of it, in the order of `facts.pieces`: `masks` of what shows, `whole` of all."""

    picture: Pixels
    facts: Facts
    masks: Bool[np.ndarray, "n height width"]
    whole: Bool[np.ndarray, "n height width"]
    keywords: tuple[tuple[str, ...], ...]

    def record(self, key: str, seed: int, *, share_of_sparse: float, label: int | None = None) -> Record:
        """The scene as a Record with one dense caption and one sparse one; the words follow from seed and key."""
        rng = numpy_at(seed, f"words/{key}")
        height, width, _ = self.picture.shape
        captions = [Caption(dense(self.facts, self.keywords, (height, width), rng), "dense", 1 - share_of_sparse)]
        if share_of_sparse > 0:
            captions.append(Caption(sparse(self.facts, rng), "sparse", share_of_sparse))
        return Record(key, self.picture, tuple(captions), label, self.facts)


def compose(placements: Sequence[Placement], background: str | tuple[int, int, int], size: tuple[int, int]) -> Scene:
    """The pieces on a background, later ones in front; `size` is height and width.

    Boxes and masks are of the pixels that a piece covers at least half. Alpha is composited premultiplied, so edges
    have no halo. Raises DataError for a piece that is wholly outside.
    """
    height, width = size
    name, colour = (background, PALETTE[background]) if isinstance(background, str) else ("", background)
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = colour
    whole = np.zeros((len(placements), height, width), bool)
    for placement, covered in zip(placements, whole, strict=True):
        art = scaled(placement.piece, placement.side)
        top, left = max(0, placement.top), max(0, placement.left)
        bottom, right = min(height, placement.top + placement.side), min(width, placement.left + placement.side)
        if bottom <= top or right <= left:
            where = f"lies wholly outside a picture of {width} x {height}"
            raise DataError(placement.piece.concept, where, "move it in")
        part = art[top - placement.top : bottom - placement.top, left - placement.left : right - placement.left]
        canvas[top:bottom, left:right] *= 1 - part[..., 3:].astype(np.float32) / 255
        canvas[top:bottom, left:right] += part[..., :3]
        covered[top:bottom, left:right] = part[..., 3] >= SOLID
    masks = whole.copy()
    for depth in range(len(placements)):
        masks[depth] &= ~whole[depth + 1 :].any(0)
    pieces = tuple(
        Placed(placement.piece.concept, placement.piece.style, _box(covered), depth)
        for depth, (placement, covered) in enumerate(zip(placements, whole, strict=True))
    )
    picture = np.clip(canvas + 0.5, 0, 255).astype(np.uint8)
    return Scene(picture, Facts(name, pieces), masks, whole, tuple(p.piece.keywords for p in placements))


def scaled(piece: Piece, side: int) -> UInt8[np.ndarray, "side side 4"]:
    """The piece's art at a side, premultiplied; the last few thousand small ones are remembered."""
    return _remembered(piece, side) if side <= REMEMBERED else _scaled(piece, side)


def _scaled(piece: Piece, side: int) -> UInt8[np.ndarray, "side side 4"]:
    # averages over the area when it shrinks, and never overshoots: colour stays below alpha
    image = Image.fromarray(piece.rgba).convert("RGBa")
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


_remembered = lru_cache(maxsize=4096)(_scaled)


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
    turn, place = divmod(index, len(art))
    return single(art[place], list(PALETTE)[(place + turn) % len(PALETTE)], size, fill)


def scene(
    art: Art,
    seed: int,
    index: int,
    size: tuple[int, int],
    pieces: tuple[int, int] = (1, 3),
    *,
    backgrounds: Sequence[str] = tuple(PALETTE),
    fill: tuple[float, float] = (0.45, 0.9),
) -> Scene:
    """Scene `index` of a seed: always the same; so many pieces as `pieces` allows, of one style or mixed.

    One piece has a side of `fill` of the picture's shorter side and stands in the middle or anywhere; two or three
    stand beside each other along the longer side, and two may overlap. None is cut off.
    """
    rng = numpy_at(seed, f"scene/{index}")
    background = backgrounds[int(rng.integers(len(backgrounds)))]
    chosen = choose(art, rng, int(rng.integers(pieces[0], pieces[1] + 1)))
    if len(chosen) == 1:
        return compose([lone(chosen[0], size, float(rng.uniform(*fill)), rng)], background, size)
    if len(chosen) == 2 and rng.random() < OVERLAPPING:
        return _overlapping(chosen, background, size, rng)
    return compose(row(chosen, size, rng), background, size)


def choose(art: Art, rng: np.random.Generator, count: int) -> list[Piece]:
    """Different concepts, fewer than asked where there are not so many; most scenes keep to one style."""
    if not len(art):
        raise DataError("scene", "there is no art to choose from", "prepare a style, or filter less")
    first = art[int(rng.integers(len(art)))]
    chosen = {first.concept: first}
    for pool in (art.by_style[first.style] if rng.random() < 0.7 else (), art.pieces):
        for place in rng.permutation(len(pool)) if len(chosen) < count else ():
            chosen.setdefault(pool[place].concept, pool[place])
            if len(chosen) == count:
                break
    return list(chosen.values())


def lone(piece: Piece, size: tuple[int, int], fill: float, rng: np.random.Generator) -> Placement:
    """One piece whose side is `fill` of the picture's shorter side, in the middle or anywhere, uncut."""
    height, width = size
    side = max(1, round(fill * min(size)))
    across, down = (0.5, 0.5) if rng.random() < 0.5 else rng.random(2)
    return Placement(piece, side, round(across * (width - side)), round(down * (height - side)))


def _along_width(size: tuple[int, int], rng: np.random.Generator) -> bool:
    height, width = size
    return width > height or (width == height and rng.random() < 0.5)


def row(pieces: Sequence[Piece], size: tuple[int, int], rng: np.random.Generator) -> list[Placement]:
    """Beside each other along the longer side, either one in a square, each in its own cell."""
    along_width = _along_width(size, rng)
    length, breadth = (size[1], size[0]) if along_width else size
    shares = rng.uniform(0.75, 0.98, len(pieces))
    if rng.random() < UNEQUAL:
        shares[rng.integers(len(pieces))] *= 0.6
    cell = length / len(pieces)
    placements = []
    for index, (piece, share) in enumerate(zip(pieces, shares, strict=True)):
        side = max(1, int(min(cell, breadth) * share))
        along = int(index * cell + (cell - side) * rng.uniform(0.2, 0.8))
        across = int((breadth - side) * rng.uniform(0.25, 0.75))
        left, top = (along, across) if along_width else (across, along)
        placements.append(Placement(piece, side, left, top))
    return placements


def _overlapping(pieces: Sequence[Piece], background: str, size: tuple[int, int], rng: np.random.Generator) -> Scene:
    """Two pieces, the second in front; moved closer until it hides a little of the first."""
    along_width = _along_width(size, rng)
    length, breadth = (size[1], size[0]) if along_width else size
    side = max(1, int(min(0.62 * length, breadth) * rng.uniform(0.8, 1)))
    middle, across, turn = (length - side) / 2, (breadth - side) * rng.uniform(0.25, 0.75), rng.choice((-1, 1))
    for distance in (0.6, 0.45, 0.3, 0.15):
        starts = [(round(middle + way * distance * side / 2), round(across)) for way in (-turn, turn)]
        places = starts if along_width else [(left, top) for top, left in starts]
        made = compose([Placement(p, side, *place) for p, place in zip(pieces, places, strict=True)], background, size)
        if made.masks[0].sum() <= (1 - HIDDEN) * made.whole[0].sum():
            break
    return made


def labels(art: Art) -> Mapping[tuple[str, str], int]:
    """The classes of stage one: subgroup and style, numbered in order of their names."""
    return {pair: n for n, pair in enumerate(sorted({(piece.subgroup, piece.style) for piece in art}))}
