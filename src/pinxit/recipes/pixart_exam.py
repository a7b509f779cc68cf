"""What the study of PixArt-α asks of a model: bare names, sentences, pairs; and the judge's word on what it draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice

import numpy as np

from pinxit.data.emoji import Art
from pinxit.data.kind import Facts, Pixels
from pinxit.data.palette import PALETTE
from pinxit.data.scene import Scene, scene, single
from pinxit.data.words import plain
from pinxit.evaluate.alignment import Judge
from pinxit.evaluate.area import background_colour, name_colour
from pinxit.evaluate.score import FIRST, can_be_judged, rank_whole, score
from pinxit.rng import numpy_at

NAMES, SENTENCES, PAIRS = "names", "sentences", "pairs"
DRAWN = 1_000_000  # the seed of the first picture's noise
OF_PAIRS = ("colour", "count", "concept_by_pixels_5", "left_right", "above_below")
Marks = Mapping[str, float]


@dataclass(frozen=True)
class Asked:
    """A prompt, what must be seen for it, and the seed of its noise."""

    prompt: str
    scene: Scene
    seed: int

    @property
    def facts(self) -> Facts:
        """What must be seen."""
        return self.scene.facts


def questions(kind: str, art: Art, side: int, number: int, seed: int) -> list[Asked]:
    """So many prompts of a kind for one seed of training, and their noise; the same whatever was trained with it."""
    if kind == PAIRS:
        drawn = (scene(art, seed, index, (side, side), (2, 2)) for index in count())
        clear = islice(filter(can_be_judged, drawn), number)
        scenes = list(clear)
    else:
        order = numpy_at(seed, "prompts").permutation(len(art))[:number].tolist()
        scenes = [
            single(art[place], list(PALETTE)[turn % len(PALETTE)], (side, side)) for turn, place in enumerate(order)
        ]
    first = DRAWN * (seed + 1)
    prompts = [each.facts.pieces[0].concept if kind == NAMES else plain(each.facts) for each in scenes]
    return [Asked(prompt, each, first + turn) for turn, (prompt, each) in enumerate(zip(prompts, scenes, strict=True))]


def mark(kind: str, judge: Judge, pictures: Sequence[Pixels], asked: Sequence[Asked]) -> Marks:
    """The judge's word on pictures drawn for the prompts: of pairs what is right, else how far down the concept stands.

    `bits` are the mean of log2 of its rank among all concepts, 0 where all are right. For a bare name the candidates
    stand on the background that was drawn; for a sentence on the one that was asked for.
    """
    if kind == PAIRS:
        found = score(judge, pictures, [each.facts for each in asked])
        shares = {name: getattr(found, name) for name in OF_PAIRS}
        return {name: share.value for name, share in shares.items() if share.n}
    backgrounds = [name_colour(background_colour(picture)) for picture in pictures]
    wanted = [each.facts.background for each in asked]
    on = backgrounds if kind == NAMES else wanted
    ranks = np.array([
        rank_whole(judge, picture, background, each.facts.pieces[0].concept)
        for picture, background, each in zip(pictures, on, asked, strict=True)
    ])  # fmt: skip
    marks: dict[str, float] = {}
    for name, column in zip(("pixels", "lite0"), ranks.T, strict=True):
        marks |= {
            f"{name} bits": float(np.log2(column).mean()),
            f"{name} first": float((column == 1).mean()),
            f"{name} among {FIRST}": float((column <= FIRST).mean()),
        }
    if kind == SENTENCES:
        marks["colour"] = float(np.mean([one == other for one, other in zip(backgrounds, wanted, strict=True)]))
    return marks
