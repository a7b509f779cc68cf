"""The README's picture: the shipped model, seeds 0 to 31; one piece of training art each, then two; none chosen."""

from itertools import count, islice
from pathlib import Path

import numpy as np
from PIL import Image

from pinxit.data.emoji import load_art
from pinxit.data.palette import PALETTE
from pinxit.data.scene import scene, single
from pinxit.data.split import split
from pinxit.data.words import plain
from pinxit.evaluate.score import can_be_judged
from pinxit.generate.load import load_pipeline
from pinxit.recipes.sheet import lay
from pinxit.rng import numpy_at

ONE, TWO, COLUMNS = 16, 16, 8


def main(file: Path = Path(__file__).parent.parent / "docs" / "samples.png") -> None:
    pipeline = load_pipeline()
    side = pipeline.card.resolution
    art = split(load_art(pipeline.card.styles)).training
    places = numpy_at(0, "samples").permutation(len(art))[:ONE]
    scenes = [single(art[int(p)], list(PALETTE)[i % len(PALETTE)], (side, side)) for i, p in enumerate(places)]
    pairs = (scene(art, 2, index, (side, side), (2, 2)) for index in count())  # of another seed than training's
    scenes += islice(filter(can_be_judged, pairs), TWO)
    prompts = [plain(scene.facts) for scene in scenes]
    drawn = pipeline.draw(prompts, range(len(prompts)), pipeline.card.sampling)
    sheet = lay([Image.fromarray(np.asarray(d.picture)) for d in drawn], COLUMNS)
    sheet.save(file)
    for index, prompt in enumerate(prompts):
        print(index, prompt)


if __name__ == "__main__":
    main()
