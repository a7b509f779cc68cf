"""The one judge of a drawn picture: its background, and what stands where, told by the nearest real art.

The rules. The background is the palette's colour nearest to the border's median. Things are the connected areas off
it; pieces that touch count as one, so scenes to be judged keep theirs apart. Areas that together look more like one
piece of art than each by itself (the stars of "sparkles") are one thing. Each thing is compared with the candidates
on the same background and of its size, by a thumbnail of 16 x 16 pixels and by Lite0's features of that thumbnail.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
from jaxtyping import UInt8

from pinxit.data.emoji import Piece
from pinxit.data.kind import Pixels
from pinxit.evaluate.area import (
    Box,
    Colour,
    Mask,
    background_colour,
    box_of,
    crop,
    find_areas,
    name_colour,
)  # fmt: skip
from pinxit.evaluate.candidate import SIDE, Candidates, Features, Look, Through
from pinxit.evaluate.feature import thumbnails
from pinxit.evaluate.nearest import Ranking, cosine, euclidean, rank_concepts

Looks = Callable[[int], Look]  # of the candidates, by the pixels of a thing's longer side
Thumbnail = UInt8[np.ndarray, "16 16 3"]

MOST_AREAS = 6  # of more, the smallest are left out
SPLIT = 0.8  # areas are two things if that leaves less than this share of the error that they leave as one


@dataclass(frozen=True)
class Area:
    """One thing in a picture: its box, the concepts by their distance to it, and its nearest candidate's style."""

    box: Box
    by_pixels: Ranking
    by_lite0: Ranking
    style: str

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box: across, down."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2


@dataclass(frozen=True)
class Verdict:
    """What a picture shows: the background's name and the things on it, largest area first."""

    background: str
    areas: tuple[Area, ...]


class Judge:
    """Tells what pictures show, with `art` as the candidates, sent `through` what the pictures went through.

    `features` are those of `Lite0(side=64)` unless a test has its own: on thumbnails a larger input told no more.
    """

    def __init__(self, art: Sequence[Piece], features: Features, through: Through = tuple) -> None:
        self.candidates = Candidates(art, features, through)

    def judge(self, picture: Pixels) -> Verdict:
        """The background and the things on it, by the rules above."""
        colour = background_colour(picture)
        background = name_colour(colour)
        masks = find_areas(picture, colour)[:MOST_AREAS]
        if not masks:
            return Verdict(background, ())
        looks = partial(self.candidates.on, background)
        things = group(picture, colour, masks, looks) if len(masks) > 1 else masks
        return Verdict(background, self._compare(picture, colour, things, looks))

    def judge_whole(self, picture: Pixels, background: str) -> Area | None:
        """All that is off the picture's background as one thing, for a picture of one; None for an empty picture.

        The candidates stand on the background that was asked for.
        """
        colour = background_colour(picture)
        masks = find_areas(picture, colour)
        if not masks:
            return None
        return self._compare(picture, colour, [np.any(masks, 0)], partial(self.candidates.on, background))[0]

    def _compare(self, picture: Pixels, colour: Colour, things: Sequence[Mask], looks: Looks) -> tuple[Area, ...]:
        cuts = [cut(picture, colour, things, (place,)) for place in range(len(things))]
        return tuple(self._area(box_of(thing), seen, looks) for thing, seen in zip(things, cuts, strict=True))

    def _area(self, box: Box, seen: Thumbnail, looks: Looks) -> Area:
        candidates, look = self.candidates, looks(longer_side(box))
        pixels = euclidean(thumbnails(seen[None]), look.pixels)
        lite0 = cosine(candidates.features(seen[None]), look.features)
        (by_pixels,), (by_lite0,) = (rank_concepts(distance, candidates.concepts) for distance in (pixels, lite0))
        return Area(box, by_pixels, by_lite0, candidates.styles[int(pixels.argmin())])


def group(picture: Pixels, colour: Colour, masks: Sequence[Mask], looks: Looks) -> list[Mask]:
    """The areas put together into things: the way that leaves the least error, each further thing at its price.

    A thing's error is the sum over its square of the squared difference to its nearest candidate.
    """
    places = range(len(masks))
    subsets = [subset for size in places for subset in combinations(places, size + 1)]
    things = {subset: np.any([masks[place] for place in subset], 0) for subset in subsets}
    errors = {}
    for subset, thing in things.items():
        longer = longer_side(box_of(thing))
        seen = thumbnails(cut(picture, colour, masks, subset)[None])
        errors[subset] = float(euclidean(seen, looks(longer).pixels).min()) ** 2 * longer**2
    best = min(partitions(tuple(places)), key=lambda ways: sum(errors[way] for way in ways) / SPLIT ** len(ways))
    return sorted((things[way] for way in best), key=lambda thing: -int(thing.sum()))


def partitions(places: tuple[int, ...]) -> Iterator[list[tuple[int, ...]]]:
    """Every way to put the places into groups, each group in order."""
    if not places:
        yield []
        return
    first, rest = places[0], places[1:]
    for ways in partitions(rest):
        yield [(first,), *ways]
        for i, way in enumerate(ways):
            yield [*ways[:i], (first, *way), *ways[i + 1 :]]


def cut(picture: Pixels, colour: Colour, masks: Sequence[Mask], chosen: Sequence[int]) -> Thumbnail:
    """The chosen areas' thumbnail in their common box, the other areas painted over."""
    others = [mask for place, mask in enumerate(masks) if place not in chosen]
    alone = np.where(np.any(others, 0)[..., None], np.round(colour).astype(np.uint8), picture) if others else picture
    return crop(alone, np.any([masks[place] for place in chosen], 0), colour, SIDE)


def longer_side(box: Box) -> int:
    """The longer side of a box in pixels."""
    left, top, right, bottom = box
    return max(right - left, bottom - top)
