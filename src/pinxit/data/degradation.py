"""What befalls pictures on their way to us: blur, resizing, noise and JPEG, in random order and strength.

In the manner of BSRGAN (Zhang et al. 2021, arXiv 2103.14006: the order is random) and Real-ESRGAN (Wang et al. 2021,
arXiv 2107.10833: the ranges). All strengths begin near nothing.
"""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageFilter

from pinxit.data.record import Pixels

Small = UInt8[np.ndarray, "small_height small_width 3"]

BLUR = (0.05, 0.8)  # standard deviation of the blur in pixels of the small picture, drawn for each axis
NOISE = (1.0, 15.0)  # standard deviation of the noise in levels
GREY = 0.4  # share of noise that is the same in all colours
JPEG = (30, 95)  # quality
FILTERS = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)


def degrade(picture: Pixels, factor: int, rng: np.random.Generator) -> Small:
    """The picture `factor` times smaller, at least one pixel, and worse."""
    size = small_size(picture, factor)
    steps: tuple[Callable[[Image.Image], Image.Image], ...] = (
        lambda image: _blurred(image, size, rng),
        lambda image: image.resize(size, FILTERS[rng.integers(len(FILTERS))]),
        lambda image: _noisy(image, rng),
        lambda image: _compressed(image, rng),
    )
    image = Image.fromarray(picture)
    for step in rng.permutation(len(steps)):
        image = steps[step](image)
    return np.asarray(image)


def reduce(picture: Pixels, factor: int) -> Small:
    """The picture `factor` times smaller, at least one pixel, and otherwise as good as can be."""
    return np.asarray(Image.fromarray(picture).resize(small_size(picture, factor), Image.Resampling.BICUBIC))


def small_size(picture: Pixels, factor: int) -> tuple[int, int]:
    """Width and height of the picture when it is `factor` times smaller."""
    height, width, _ = picture.shape
    return max(1, round(width / factor)), max(1, round(height / factor))


def _blurred(image: Image.Image, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    across, down = rng.uniform(*BLUR, 2) * image.width / size[0]
    return image.filter(ImageFilter.GaussianBlur((across, down)))


def _noisy(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    level, colours = rng.uniform(*NOISE), 1 if rng.random() < GREY else 3
    noise = rng.standard_normal((image.height, image.width, colours), np.float32)
    return Image.fromarray(np.clip(np.asarray(image) + level * noise + 0.5, 0, 255).astype(np.uint8))


def _compressed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    stored = BytesIO()
    image.save(stored, "JPEG", quality=int(rng.integers(JPEG[0], JPEG[1] + 1)))
    return Image.open(stored, formats=("JPEG",)).convert("RGB")
