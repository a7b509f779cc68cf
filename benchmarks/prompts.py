"""The loop closed: what pictures show of short prompts, drawn by the model that ships.

From each as it is typed, as the improver that ships words it, and as a whole caption of the same facts.

`benchmarks/prompts.py N [SHEET]`: one JSON line; the judge's ceiling on true pictures is in the model's card. The sheet
has the first prompts' pictures, seeds 0 and on, not chosen.
"""

import json
import sys
from pathlib import Path

import torch
from PIL import Image

from pinxit.data.emoji import load_art
from pinxit.generate.load import load_pipeline
from pinxit.improve.refine import Improver
from pinxit.ledger.meter import find_hardware
from pinxit.recipes.brief import read_world
from pinxit.recipes.sheet import grid
from pinxit.recipes.shown import close_loop

SHOWN = 10


def main(count: int, sheet: Path | None) -> None:
    pipeline = load_pipeline()
    loop = close_loop(pipeline, Improver.load(), load_art(pipeline.card.styles), read_world(), count)
    if sheet is not None:
        rows = [
            (name, "", [Image.fromarray(picture) for picture in found.pictures[:SHOWN]]) for name, found in loop.items()
        ]
        grid(rows, SHOWN).save(sheet, optimize=True)
    print(json.dumps({
        "benchmark": "prompts", "n": count, "rows": {name: found.row for name, found in loop.items()},
        "wordings": {name: found.wordings[:SHOWN] for name, found in loop.items()},
        "weights": pipeline.sha256, "hardware": find_hardware().say(), "torch": torch.__version__,
    }))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
