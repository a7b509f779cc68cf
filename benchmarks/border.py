"""What "without class" should mean at the first border: a class embedding of zero, or the learned null row.

The demo's class stage, then its text stage from both, on the same pictures in the same order: the probe loss right
after the border and as the text stage goes on. One JSON line.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch

from pinxit.ledger.meter import find_hardware
from pinxit.log import read_lines
from pinxit.recipes.build import begin_stage, objective_for
from pinxit.recipes.course import Course
from pinxit.recipes.emoji import demo
from pinxit.recipes.material import open_material
from pinxit.recipes.probe import probe
from pinxit.train.hook import Every, follow_average
from pinxit.train.loop import fit
from pinxit.train.run import Hook, Run


def main(classes: int, texts: int) -> None:
    base = demo()
    pixels, alignment = base.stages["pixels"], base.stages["alignment"]
    stages = {
        "pixels": pixels.model_copy(update={"images": classes}),
        "alignment": alignment.model_copy(update={"images": texts}),
    }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        before = Course(base.model_copy(update={"stages": {"pixels": stages["pixels"]}}), folder).run()
        rows = {}
        for without in ("zero", "null"):
            recipe = base.model_copy(update={"stages": stages, "without_class": without})
            material = open_material(recipe, stages["alignment"], folder)
            state = begin_stage(recipe, 1, factor=material.factor, classes=material.classes, before=before)
            objective = objective_for(recipe, stages["alignment"], state, material.null)
            file = folder / f"{without}.jsonl"
            look = probe(objective, material.probes, file, "alignment")
            look(state)
            loader = material.loader(state.started)
            hooks: list[Hook] = [follow_average(alignment.batch), Every(texts // 4, 0, look)]
            fit(Run(state, objective, loader, state.started + texts, alignment.batch, hooks))
            loader.close()
            rows[without] = [
                [int(str(line["seen"])) - classes, round(float(str(line["loss"])), 4)]
                for line in read_lines(file)
                if line["split"] == "training"
            ]
    print(json.dumps({
        "benchmark": "border", "torch": torch.__version__, "hardware": find_hardware().say(), "classes": classes,
        **rows,
    }))  # fmt: skip


if __name__ == "__main__":
    main(*(map(int, sys.argv[1:]) if len(sys.argv) > 2 else (25_600, 12_800)))
