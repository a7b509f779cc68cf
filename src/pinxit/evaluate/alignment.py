"""The one judge of a drawn picture: background, objects, their concept, style, place and count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from pinxit.data.emoji import Art, Piece
from pinxit.data.kind import Facts, Pixels, Placed
from pinxit.data.palette import PALETTE
from pinxit.data.scene import Placement, compose
from pinxit.data.words import relation
from pinxit.evaluate.feature import Lite0, thumbnails
from pinxit.evaluate.interval import Share, count

OFF = 36.0  # colour distance (RGB) from which a pixel is off the background
SPECK = 0.012  # share of the picture below which an area is a speck
SIDE = 64  # pixels of the squares that are matched


@dataclass(frozen=True)
class Area:
    """One connected thing off the background; the candidates in order, nearest first, by both measures."""

    box: tuple[int, int, int, int]
    by_pixels: tuple[int, ...]
    by_features: tuple[int, ...]


@dataclass(frozen=True)
class Verdict:
    """What the judge sees in a picture."""

    background: str
    areas: tuple[Area, ...]


def see_background(picture: Pixels) -> str:
    """The palette's name that is nearest to the median of the picture's border."""
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    median = np.median(border, axis=0)
    return min(PALETTE, key=lambda name: float(np.square(median - PALETTE[name]).sum()))


def off_background(picture: Pixels, background: str) -> Bool[np.ndarray, "height width"]:
    """Which pixels are not background: the border's own median counts, so a slight cast does no harm."""
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    median = np.median(border, axis=0)
    colour = median if np.abs(median - PALETTE[background]).max() < OFF else np.array(PALETTE[background])
    return np.sqrt(np.square(picture - colour).sum(-1)) > OFF


def find_areas(picture: Pixels, background: str, most: int) -> list[tuple[int, int, int, int]]:
    """Boxes of at most `most` things, left to right: connected areas, joined across small gaps, specks dropped.

    Parts of one thing (a kite and its tail) are joined by growing the gap that is bridged until no more than `most`
    areas are left. Things that touch count as one.
    """
    off = off_background(picture, background)
    height, width = off.shape
    smallest = SPECK * height * width
    for reach in range(1, max(3, min(height, width) // 6)):
        joined = ndimage.binary_dilation(off, iterations=reach) if reach > 1 else off
        named, _ = ndimage.label(joined, structure=np.ones((3, 3)))
        sizes = ndimage.sum_labels(off, named, index=range(1, int(named.max()) + 1))
        kept = [index + 1 for index, size in enumerate(np.atleast_1d(sizes)) if size >= smallest]
        if len(kept) <= most:
            break
    boxes = []
    for index in kept:
        rows, columns = np.nonzero((named == index) & off)
        boxes.append((int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1))
    return sorted(boxes)


def squared(picture: Pixels, box: tuple[int, int, int, int], background: str) -> Pixels:
    """The box, centred on a square of the background, at the side that is matched."""
    from PIL import Image

    left, top, right, bottom = box
    part = picture[top:bottom, left:right]
    side = max(part.shape[:2])
    canvas = np.empty((side, side, 3), np.uint8)
    canvas[:] = PALETTE[background]
    y, x = (side - part.shape[0]) // 2, (side - part.shape[1]) // 2
    canvas[y : y + part.shape[0], x : x + part.shape[1]] = part
    return np.asarray(Image.fromarray(canvas).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


@dataclass
class Candidates:
    """All art on one background, each piece cropped to itself as areas are."""

    pixels: Float[Tensor, "k n"]
    features: Float[Tensor, "k f"]


@dataclass
class Judge:
    """Matches what is drawn with art; the candidates' features are made once a background."""

    art: Art
    features: Lite0
    _known: dict[str, Candidates] = field(default_factory=dict)

    def candidates(self, background: str) -> Candidates:
        """The art on a background, as it is matched."""
        if background not in self._known:
            crops = [self._cropped(piece, background) for piece in self.art]
            self._known[background] = Candidates(thumbnails(np.stack(crops)), self.features.directions(np.stack(crops)))
        return self._known[background]

    def _cropped(self, piece: Piece, background: str) -> Pixels:
        drawn = compose([Placement(piece, SIDE, 4, 4)], background, (SIDE + 8, SIDE + 8))
        found = find_areas(drawn.picture, background, 1)
        return squared(drawn.picture, found[0] if found else drawn.facts.pieces[0].box, background)

    def judge(self, pictures: Sequence[Pixels], most: Sequence[int]) -> list[Verdict]:
        """A verdict on every picture; `most` says how many things are looked for in each."""
        seen: list[tuple[str, list[tuple[int, int, int, int]]]] = []
        crops: dict[str, list[Pixels]] = {}
        for picture, limit in zip(pictures, most, strict=True):
            background = see_background(picture)
            boxes = find_areas(picture, background, limit)
            crops.setdefault(background, []).extend(squared(picture, box, background) for box in boxes)
            seen.append((background, boxes))
        ranks = {background: iter(self._ranks(parts, background)) for background, parts in crops.items() if parts}
        return [
            Verdict(background, tuple(Area(box, *next(ranks[background])) for box in boxes))
            for background, boxes in seen
        ]

    def _ranks(self, crops: Sequence[Pixels], background: str) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        known = self.candidates(background)
        by_pixels = torch.cdist(thumbnails(np.stack(crops)), known.pixels).argsort(1)[:, :RANKS]
        by_features = (self.features.directions(np.stack(crops)) @ known.features.T).argsort(1, descending=True)[:, :RANKS]
        return [(tuple(a), tuple(b)) for a, b in zip(by_pixels.tolist(), by_features.tolist(), strict=True)]


RANKS = 5
MEASURES = (
    "colour", "count", "concept by pixels, rank 1", "concept by pixels, rank 5", "concept by features, rank 1",
    "concept by features, rank 5", "style by features", "left and right", "above and below",
)  # fmt: skip


def score(judge: Judge, pictures: Sequence[Pixels], facts: Sequence[Facts]) -> Mapping[str, Share]:
    """How many of the pictures show what was asked, measure by measure."""
    right: dict[str, list[bool]] = {measure: [] for measure in MEASURES}
    verdicts = judge.judge(pictures, [len(asked.pieces) for asked in facts])
    for verdict, asked in zip(verdicts, facts, strict=True):
        right["colour"].append(verdict.background == asked.background)
        right["count"].append(len(verdict.areas) == len(asked.pieces))
        matched = assign(judge, verdict.areas, asked.pieces)
        for piece, area in zip(asked.pieces, matched, strict=True):
            _score_piece(judge, piece, area, right)
        if len(asked.pieces) == 2:
            _score_place(judge, asked.pieces, matched, right)
    return {measure: count(answers) for measure, answers in right.items() if answers}


def _score_piece(judge: Judge, piece: Placed, area: Area | None, right: Mapping[str, list[bool]]) -> None:
    for name, ranks in (("pixels", area.by_pixels if area else ()), ("features", area.by_features if area else ())):
        concepts = [judge.art[place].concept for place in ranks]
        right[f"concept by {name}, rank 1"].append(concepts[:1] == [piece.concept])
        right[f"concept by {name}, rank 5"].append(piece.concept in concepts)
    right["style by features"].append(bool(area) and judge.art[area.by_features[0]].style == piece.style)


def _score_place(
    judge: Judge, pieces: Sequence[Placed], areas: Sequence[Area | None], right: Mapping[str, list[bool]]
) -> None:
    asked = relation(*pieces)
    measure = "left and right" if "of" in asked else "above and below"
    first, second = areas
    known = any(worth(judge, area, piece) for area, piece in zip(areas, pieces, strict=True))
    if first is None or second is None or not known:  # of two things that nobody recognises none has a place
        right[measure].append(False)
        return
    x, y = ((a + c) / 2 - (b + d) / 2 for a, c, b, d in (
        (first.box[0], first.box[2], second.box[0], second.box[2]),
        (first.box[1], first.box[3], second.box[1], second.box[3]),
    ))  # fmt: skip
    right[measure].append({"left of": x < 0, "right of": x > 0, "above": y < 0, "below": y > 0}[asked])


def assign(judge: Judge, areas: Sequence[Area], pieces: Sequence[Placed]) -> list[Area | None]:
    """For every asked piece the area that shows it, so that most concepts are right; None where there are too few."""
    padded: list[Area | None] = [*areas, *[None] * (len(pieces) - len(areas))]
    choices = permutations(padded, len(pieces))
    return list(
        max(choices, key=lambda chosen: sum(worth(judge, a, p) for a, p in zip(chosen, pieces, strict=True)))
    )


def worth(judge: Judge, area: Area | None, piece: Placed) -> float:
    """How well an area shows a piece: hits in both rankings, nearer ones count more; 0 if it is not recognised."""
    if area is None:
        return 0.0
    hits = [judge.art[place].concept == piece.concept for place in (*area.by_pixels, *area.by_features)]
    return sum(hit / (1 + index % RANKS) for index, hit in enumerate(hits))
