"""The README's picture: the shipped model, seeds 0 to 31, prompts of training art in a fixed order, none chosen."""

from pathlib import Path

import numpy as np
from PIL import Image

from pinxit.data.emoji import load_art
from pinxit.data.palette import PALETTE
from pinxit.data.scene import single
from pinxit.data.split import split
from pinxit.data.words import plain
from pinxit.generate.load import load_pipeline
from pinxit.recipes.sheet import lay
from pinxit.rng import numpy_at

COUNT, COLUMNS, SCALE = 32, 8, 2


def main(file: Path = Path(__file__).parent.parent / "docs" / "samples.png") -> None:
    pipeline = load_pipeline()
    side = pipeline.card.resolution
    art = split(load_art(pipeline.card.styles)).training
    places = numpy_at(0, "samples").permutation(len(art))[:COUNT]
    scenes = [single(art[int(p)], list(PALETTE)[i % len(PALETTE)], (side, side)) for i, p in enumerate(places)]
    prompts = [plain(scene.facts) for scene in scenes]
    drawn = pipeline.draw(prompts, range(COUNT), pipeline.card.sampling)
    sheet = lay([Image.fromarray(np.asarray(d.picture)) for d in drawn], COLUMNS)
    sheet.resize((sheet.width * SCALE, sheet.height * SCALE), Image.Resampling.NEAREST).save(file)
    for index, prompt in enumerate(prompts):
        print(index, prompt)


if __name__ == "__main__":
    main()
