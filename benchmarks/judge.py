"""The judge before pictures whose facts are known: held-out scenes of one and two pieces, through the autoencoder.

One JSON line a side: each share that is right, its 95 % interval and its cases, and the measures in which the judge is
less right than it must be before its word counts.
"""

import json
import sys
from dataclasses import fields
from functools import partial
from itertools import count, islice

import torch

from pinxit.data.emoji import load_art
from pinxit.data.pixel import through
from pinxit.data.scene import scene
from pinxit.data.split import split
from pinxit.evaluate.alignment import Judge
from pinxit.evaluate.feature import Lite0
from pinxit.evaluate.score import calibrate, can_be_judged
from pinxit.ledger.meter import find_hardware
from pinxit.models.autoencoder import load_autoencoder
from pinxit.models.config import SmallCodecConfig
from pinxit.recipes.recipe import DEFAULT_STYLES


def main(wanted: int, *sides: int) -> None:
    everything = load_art(DEFAULT_STYLES)
    held_out = split(everything).unseen_style
    codec = load_autoencoder(SmallCodecConfig())
    judge = Judge(everything, Lite0(side=64).features, partial(through, codec))
    for side in sides:
        drawn = (scene(held_out, 0, index, (side, side), (1, 2)) for index in count())
        scenes = islice(filter(can_be_judged, drawn), wanted)
        found = calibrate(judge, scenes, lambda picture: through(codec, [picture])[0])
        shares = {field.name: getattr(found.scores, field.name) for field in fields(found.scores)}
        print(json.dumps({
            "benchmark": "judge", "torch": torch.__version__, "hardware": find_hardware().say(), "side": side,
            "scenes": wanted, "too_low": found.too_low,
            **{name: [round(s.value, 3), *(round(v, 3) for v in s.interval), s.n] for name, s in shares.items()},
        }), flush=True)  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500, *(map(int, sys.argv[2:]) if len(sys.argv) > 2 else (64, 128)))
