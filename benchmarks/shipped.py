"""The shipped model before the judge: single pieces of training art, of held-out styles, of unseen concepts, and pairs,
also of one large and one small piece that the prompt calls so.

Each score stands beside its ceiling: the judge's word on the true scenes after a way through the autoencoder. One JSON
line; the samples are written as a sheet below the true scenes, seeds 0 to n, not chosen.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import fields
from functools import partial
from itertools import count, islice

import numpy as np
import torch
from PIL import Image

from pinxit.data.emoji import STYLES, Art, load_art
from pinxit.data.palette import PALETTE
from pinxit.data.pixel import through
from pinxit.data.scene import Scene, scene, single
from pinxit.data.split import split
from pinxit.data.words import plain, relative_sizes
from pinxit.evaluate.alignment import Judge
from pinxit.evaluate.feature import Lite0
from pinxit.evaluate.score import Scores, can_be_judged, score
from pinxit.generate.load import load_pipeline
from pinxit.ledger.meter import find_hardware
from pinxit.rng import numpy_at


def singles(art: Art, side: int) -> Iterator[Scene]:
    for index, place in enumerate(numpy_at(0, "benchmark").permutation(len(art))):
        yield single(art[int(place)], list(PALETTE)[index % len(PALETTE)], (side, side))


def pairs(art: Art, side: int) -> Iterator[Scene]:
    """Scenes that training did not see: of another seed than its."""
    drawn = (scene(art, 1, index, (side, side), (2, 2)) for index in count())
    return filter(can_be_judged, drawn)


def unequal(art: Art, side: int) -> Iterator[Scene]:
    """Those of them of which a caption calls one piece large and one small."""
    return (each for each in pairs(art, side) if any(relative_sizes(each.facts.pieces)))


def said(scores: Scores) -> dict[str, object]:
    shares = {field.name: getattr(scores, field.name) for field in fields(scores)}
    return {name: [round(s.value, 3), *(round(v, 3) for v in s.interval), s.n] for name, s in shares.items() if s.n}


def main(wanted: int) -> None:
    pipeline = load_pipeline()
    side, styles = pipeline.card.resolution, pipeline.card.styles
    everything = load_art(tuple(style for style in STYLES if style in styles))
    parts = split(everything)
    judge = Judge(everything, Lite0(side=64).features, partial(through, pipeline.autoencoder))
    rows, sheet = {}, []
    for name, found in (
        ("training", singles(parts.training, side)),
        ("unseen_style", singles(parts.unseen_style, side)),
        ("unseen_concept", singles(parts.unseen_concept, side)),
        ("two", pairs(parts.training, side)),
        ("two_sized", unequal(parts.training, side)),
    ):
        scenes = list(islice(found, wanted))
        facts = [s.facts for s in scenes]
        prompts = [plain(f, relative_sizes(f.pieces) if name == "two_sized" else ()) for f in facts]
        drawn = [d.picture for d in pipeline.draw(prompts, range(len(prompts)), pipeline.card.sampling)]
        true = [s.picture for s in scenes]
        ceiling = score(judge, through(pipeline.autoencoder, true), facts)
        rows[name] = {"drawn": said(score(judge, drawn, facts)), "ceiling": said(ceiling)}
        sheet += [np.concatenate(true[:12], 1), np.concatenate(drawn[:12], 1)]
    Image.fromarray(np.concatenate(sheet)).save("shipped.png")
    print(json.dumps({
        "benchmark": "shipped", "torch": torch.__version__, "hardware": find_hardware().say(),
        "weights": pipeline.sha256,
        "seen": pipeline.card.seen, **rows,
    }))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
