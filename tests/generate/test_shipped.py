"""The model that ships draws, offline, right after installation."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from pinxit.data.config import UpscaleConfig
from pinxit.data.kind import Condition
from pinxit.data.palette import PALETTE
from pinxit.evaluate.area import background_colour, name_colour
from pinxit.evaluate.fidelity import psnr
from pinxit.generate.adapter import SHIPPED_TOOLS
from pinxit.generate.card import SHIPPED
from pinxit.generate.load import load_pipeline
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


def test_the_tools_that_ship_are_small_and_for_the_model_that_ships() -> None:
    pipeline = load_pipeline()
    tools = sorted(SHIPPED_TOOLS.glob("*.safetensors"))
    assert {file.stem for file in tools} >= {"upscale"}
    for file in tools:
        assert file.stat().st_size <= 12e6
        assert pipeline.use(file.stem).card.task.kind == file.stem


def test_the_shipped_upscaler_sharpens_what_it_is_given_and_stays_with_it() -> None:
    pipeline = load_pipeline()
    prompts = ["a Noto owl on a pink background", "a 3D fire engine on a white background"]
    true = [drawing.picture for drawing in pipeline.draw(prompts, [0, 1], pipeline.card.sampling)]
    tool = pipeline.use("upscale")
    assert isinstance(tool.card.task, UpscaleConfig)
    small = [Image.fromarray(picture).resize((32, 32), Image.Resampling.BICUBIC) for picture in true]
    blurred = np.stack([np.asarray(each.resize((128, 128), Image.Resampling.BICUBIC)) for each in small])
    for steps in (1, 4):
        settings = tool.card.sampling.model_copy(update={"steps": steps})
        drawn = tool.draw([Condition(picture) for picture in blurred], ["", ""], [0, 1], settings)
        made = np.stack([drawing.picture for drawing in drawn])
        assert psnr(np.stack(true), made).min() > 18
        assert steepness(made) > 1.1 * steepness(blurred)


def steepness(pictures: UInt8[np.ndarray, "b height width 3"]) -> float:
    """The mean square of differences between neighbours."""
    return float(np.mean(np.diff(pictures.astype(float), axis=2) ** 2))
