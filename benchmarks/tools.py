"""The tools that ship, in one, two, four and eight steps: on art that neither the model nor they saw in training.

`benchmarks/tools.py N [SHEET]`: one JSON line with the measures of N pictures a task, beside what enlarging gives an
upscale; the sheet has the first questions, seeds 0 and on, not chosen: condition, steps, truth.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pinxit.data.pixel import through
from pinxit.generate.adapter import SHIPPED_TOOLS
from pinxit.generate.config import SamplingConfig
from pinxit.generate.load import load_pipeline
from pinxit.ledger.meter import find_hardware
from pinxit.recipes.exam import Pictures, Question, answer, questions
from pinxit.recipes.measure import Marker
from pinxit.recipes.sheet import grid
from pinxit.recipes.strip import seen_of

STEPS = (1, 2, 4, 8)
SHOWN = 6


def main(wanted: int, sheet: Path | None) -> None:
    pipeline = load_pipeline()
    marker, rows, shown = Marker(pipeline), {}, []
    for name in sorted(file.stem for file in SHIPPED_TOOLS.glob("*.safetensors")):
        tool = pipeline.use(name)
        asked = questions(tool.card.task, pipeline.card.styles, pipeline.card.resolution, wanted)
        truth = marker.features(np.stack([each.picture for each in asked]))
        drawn: dict[str, Pictures] = {}
        if tool.card.task.kind == "upscale":
            drawn["bicubic"] = np.stack([seen_of(each.condition) for each in asked])
        drawn["autoencoder"] = np.stack(through(pipeline.autoencoder, [each.picture for each in asked]))
        for steps in STEPS:
            begun = time.perf_counter()
            changes = {"steps": steps}
            settings = SamplingConfig.model_validate(tool.card.sampling.model_dump() | changes)
            drawn[f"{steps} steps"] = answer(tool, asked, settings)
            print(f"{name}, {steps} steps: {(time.perf_counter() - begun) / wanted:.2f} s a picture", file=sys.stderr)
        rows[name] = {way: marker.mark(tool.card.task, asked, made).summary(truth) for way, made in drawn.items()}
        shown += [(name, "", pictures) for pictures in strips(asked, drawn)]
    if sheet is not None:
        heads = ["condition", *(f"{steps} step{'s' * (steps > 1)}" for steps in STEPS), "truth"]
        grid(shown, len(heads), heads).save(sheet, optimize=True)
    print(json.dumps({
        "benchmark": "tools", "n": wanted, "rows": rows, "hardware": find_hardware().say(),
        "threads": torch.get_num_threads(), "torch": torch.__version__,
    }))  # fmt: skip


def strips(asked: list[Question], drawn: dict[str, Pictures]) -> list[list[Image.Image]]:
    """Of each of the first questions the condition, what was drawn of it, and the truth."""
    made = [drawn[f"{steps} steps"] for steps in STEPS]
    return [
        [Image.fromarray(picture) for picture in (seen_of(each.condition), *(way[n] for way in made), each.picture)]
        for n, each in enumerate(asked[:SHOWN])
    ]


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
