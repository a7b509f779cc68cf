"""The judge's word on many drawn pictures: shares that are right, and how often it is right itself on true scenes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations, permutations
from math import log2

import numpy as np

from pinxit.data.kind import Facts, Pixels, Placed
from pinxit.data.scene import Scene
from pinxit.data.words import relation, told_sizes
from pinxit.evaluate.alignment import Area, Judge, Verdict
from pinxit.evaluate.area import DIFFERENCE, background_colour, least_gap, name_colour
from pinxit.evaluate.interval import Share

FIRST = 5  # a concept among the first so many counts as found
CLEAR = 0.3  # share of a piece's visible pixels
EASE = 1.1  # of sizes: a pixel or two of a small thing's side
UNFOUND = 64.0  # the price of a piece without an area, in the units of `_price`
AXIS = {
    "left of": (0, 1),
    "right of": (0, -1),
    "above": (1, 1),
    "below": (1, -1),
}  # axis, sign of the step to the second


@dataclass(frozen=True)
class Scores:
    """What share is right: of pictures for colour and count, of pieces for concept and style, of pairs for places, and
    for size of the pictures of which a caption would call something small or large.

    A concept is right at rank 1 or among the first 5, by pixels or by Lite0. A place and a size are right only where
    their pieces are found: among the first 5 by either measure. A size is right where the caption's words fit the boxes
    of what is found, whose sides may be a tenth off.
    """

    colour: Share
    count: Share
    concept_by_pixels: Share
    concept_by_pixels_5: Share
    concept_by_lite0: Share
    concept_by_lite0_5: Share
    style: Share
    left_right: Share
    above_below: Share
    size: Share


LEAST: Mapping[str, float] = {  # what the judge must reach on true scenes before its word counts
    "colour": 0.98, "left_right": 0.98, "above_below": 0.98, "size": 0.95,
    "concept_by_pixels": 0.95, "concept_by_lite0": 0.95,
}  # fmt: skip


@dataclass(frozen=True)
class Calibration:
    """The judge's scores on scenes whose facts are known, and which of them are too low to trust it."""

    scores: Scores

    @property
    def too_low(self) -> tuple[str, ...]:
        """The measures that miss what is asked of them; nothing was asked where there was no case."""
        shares = {name: getattr(self.scores, name) for name in LEAST}
        return tuple(name for name, share in shares.items() if share.n and share.value < LEAST[name])


def score(judge: Judge, pictures: Sequence[Pixels], facts: Sequence[Facts]) -> Scores:
    """How many of the pictures show what was asked for; each asked piece is held against the area that fits it best."""
    marks: dict[str, list[bool]] = {field.name: [] for field in fields(Scores)}
    for picture, asked in zip(pictures, facts, strict=True):
        for name, right in _mark(judge.judge(picture), asked, (picture.shape[0], picture.shape[1])):
            marks[name].append(right)
    return Scores(**{name: Share(sum(rights), len(rights)) for name, rights in marks.items()})


def score_whole(judge: Judge, pictures: Sequence[Pixels], facts: Sequence[Facts]) -> Scores:
    """The same for pictures of one piece, all that is drawn taken as that piece: no count, no places, no sizes.

    The candidates stand on the background that was asked for.
    """
    marks: dict[str, list[bool]] = {field.name: [] for field in fields(Scores)}
    for picture, asked in zip(pictures, facts, strict=True):
        (piece,) = asked.pieces
        marks["colour"].append(name_colour(background_colour(picture)) == asked.background)
        for name, right in _mark_piece(judge.judge_whole(picture, asked.background), piece):
            marks[name].append(right)
    return Scores(**{name: Share(sum(rights), len(rights)) for name, rights in marks.items()})


def rank_whole(judge: Judge, picture: Pixels, background: str, concept: str) -> tuple[int, int]:
    """The rank of a concept by pixels and by Lite0, all that is drawn taken as one thing; the last of an empty picture.

    The candidates stand on `background`.
    """
    area = judge.judge_whole(picture, background)
    if area is None:
        last = len(set(judge.candidates.concepts))
        return last, last
    return area.by_pixels.rank(concept), area.by_lite0.rank(concept)


def calibrate(judge: Judge, scenes: Iterable[Scene], through: Callable[[Pixels], Pixels]) -> Calibration:
    """How often the judge is right on true scenes sent `through` what a drawing goes through: the autoencoder."""
    known = list(scenes)
    return Calibration(score(judge, [through(scene.picture) for scene in known], [scene.facts for scene in known]))


def can_be_judged(scene: Scene) -> bool:
    """Whether the judge can be right: its pieces stand apart, and each out from the background by twice the difference
    from which a pixel counts, in at least `CLEAR` of what shows of it. A peach thumb on pink is gone once encoded.
    """
    height, width, _ = scene.picture.shape
    off = np.abs(scene.picture - background_colour(scene.picture)).max(-1) > 2 * DIFFERENCE
    clear = all((off & mask).sum() >= CLEAR * mask.sum() for mask in scene.masks)
    return clear and stands_apart(scene.facts, least_gap(min(height, width)))


def stands_apart(facts: Facts, gap: int) -> bool:
    """Whether every two pieces have at least `gap` pixels between their boxes."""
    return all(_gap(first, second) >= gap for first, second in combinations(facts.pieces, 2))


def assign(areas: Sequence[Area], pieces: Sequence[Placed]) -> list[Area | None]:
    """For each piece the area that shows it, None where areas are too few; the best of all ways."""
    slots: list[Area | None] = [*areas, *[None] * max(0, len(pieces) - len(areas))]
    ways = permutations(range(len(slots)), len(pieces))
    prices = [[_price(slot, piece) for slot in slots] for piece in pieces]
    best = min(ways, key=lambda way: sum(prices[n][slot] for n, slot in enumerate(way)))
    return [slots[slot] for slot in best]


def _price(area: Area | None, piece: Placed) -> float:
    if area is None:
        return UNFOUND
    return log2(area.by_pixels.rank(piece.concept)) + log2(area.by_lite0.rank(piece.concept))


def _mark(verdict: Verdict, asked: Facts, size: tuple[int, int]) -> Iterable[tuple[str, bool]]:
    yield "colour", verdict.background == asked.background
    yield "count", len(verdict.areas) == len(asked.pieces)
    shown = assign(verdict.areas, asked.pieces)
    for area, piece in zip(shown, asked.pieces, strict=True):
        yield from _mark_piece(area, piece)
    found = [area if area and is_found(area, piece) else None for area, piece in zip(shown, asked.pieces, strict=True)]
    for (first, one), (second, other) in combinations(zip(asked.pieces, found, strict=True), 2):
        axis, sign = AXIS[relation(first, second)]
        right = bool(one and other and sign * (other.centre[axis] - one.centre[axis]) > 0)
        yield ("above_below" if axis else "left_right"), right
    sizes = told_sizes(asked.pieces, size)
    if any(sizes):
        seen = [replace(piece, box=area.box) for piece, area in zip(asked.pieces, found, strict=True) if area]
        yield "size", len(seen) == len(found) and told_sizes(seen, size, EASE) == sizes


def _mark_piece(area: Area | None, piece: Placed) -> Iterable[tuple[str, bool]]:
    for name in ("by_pixels", "by_lite0"):
        place = getattr(area, name).rank(piece.concept) if area else None
        yield f"concept_{name}", place == 1
        yield f"concept_{name}_5", place is not None and place <= FIRST
    yield "style", area is not None and area.style == piece.style


def is_found(area: Area, piece: Placed) -> bool:
    """Whether the piece's concept is among the first that the area looks like, by either measure."""
    return min(area.by_pixels.rank(piece.concept), area.by_lite0.rank(piece.concept)) <= FIRST


def _gap(first: Placed, second: Placed) -> int:
    left, top, right, bottom = first.box
    other_left, other_top, other_right, other_bottom = second.box
    return max(other_left - right, left - other_right, other_top - bottom, top - other_bottom)
