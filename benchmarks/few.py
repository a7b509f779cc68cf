"""A student of few steps beside its teacher at as many passes of the network: which drawings are the right concept.

    python benchmarks/few.py RUN [PICTURES]

RUN is a run of the recipe `few`, whose teacher is the shipped model. Single pieces of one style's training art are
drawn on the backgrounds in turn, each way with the same prompts and seeds, and held against all of that art on the
background asked for: whole pictures, by 16x16 pixels and by Lite0's features. The teacher is guided, which takes two
passes a step; in one pass it cannot be. One JSON line: shares right at rank 1 and 5 by either measure.
"""

import json
import sys
from pathlib import Path

import torch

from pinxit.data.emoji import load_art
from pinxit.data.kind import Pixels
from pinxit.data.split import split
from pinxit.generate.config import SamplingConfig
from pinxit.generate.load import load_pipeline
from pinxit.ledger.meter import find_hardware
from pinxit.recipes.score import Scorer, ask

PASSES = (1, 2, 4, 8)
STYLE = "Noto"


def main(run: Path, count: int = 100) -> None:
    student, teacher = load_pipeline(run), load_pipeline()
    training = split(load_art(teacher.card.styles)).training.where(lambda piece: piece.style == STYLE)
    scorer = Scorer(training, training)
    asked = ask(training, count, teacher.card.resolution, 0)

    def shares(pictures: list[Pixels]) -> dict[str, float]:
        found = scorer.score("training", training, pictures, asked)
        return {measure: share.value for measure, share in found.items()}

    def drawn(pipeline: object, settings: SamplingConfig) -> list[Pixels]:
        prompts, seeds = [a.prompt for a in asked], [a.seed for a in asked]
        return [d.picture for d in pipeline.draw(prompts, seeds, settings)]  # type: ignore[attr-defined]

    own, rows = teacher.card.sampling, {}
    rows["teacher, 40 passes"] = shares(drawn(teacher, own.model_copy(update={"steps": 20})))
    for passes in PASSES:
        guided = {"steps": passes // 2} if passes > 1 else {"steps": 1, "guidance": 1.0}
        rows[f"teacher, {passes}"] = shares(drawn(teacher, own.model_copy(update=guided)))
        rows[f"student, {passes}"] = shares(drawn(student, student.card.sampling.model_copy(update={"steps": passes})))
    print(json.dumps({
        "benchmark": "few", "torch": torch.__version__, "hardware": find_hardware().say(), "pictures": count,
        "seen": student.card.seen, "guidance": own.guidance, **rows,
    }))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100)
