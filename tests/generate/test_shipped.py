"""The model that ships draws, offline, right after installation."""

import numpy as np

from pinxit.data.palette import PALETTE
from pinxit.evaluate.area import background_colour, name_colour
from pinxit.generate.load import SHIPPED, load_pipeline
from pinxit.models.identity import SHIPPED as AUTOENCODER


def test_what_ships_is_small() -> None:
    assert SHIPPED.stat().st_size <= 24e6
    assert AUTOENCODER.stat().st_size <= 8e6


def test_the_shipped_model_draws_the_background_asked_for() -> None:
    pipeline = load_pipeline()
    prompts = [f"a Noto owl on {'an' if name[0] in 'aeiou' else 'a'} {name} background" for name in PALETTE]
    drawn = list(pipeline.draw(prompts, range(len(prompts)), pipeline.card.sampling))
    seen = [name_colour(background_colour(np.asarray(d.picture))) for d in drawn]
    assert sum(a == b for a, b in zip(seen, PALETTE, strict=True)) >= len(PALETTE) - 1
