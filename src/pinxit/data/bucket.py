"""Aspect-ratio buckets: which sizes there are, which one a picture goes to, how it is fitted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from pinxit.data.kind import Pixels

MOST_RATIO = 4.0  # pictures longer than this are rejected by name
RATIO_SLACK = 1.05  # a hair beyond the last bucket is still cropped, not refused

# PixArt-α's buckets at 1024 pixels: height and width; at 512 all sides halve, at 256 they quarter, in Σ at 2048 double
PRINTED = (
    (512, 2048), (512, 1984), (512, 1920), (512, 1856), (576, 1792), (576, 1728), (576, 1664), (640, 1600),
    (640, 1536), (704, 1472), (704, 1408), (704, 1344), (768, 1344), (768, 1280), (832, 1216), (832, 1152),
    (896, 1152), (896, 1088), (960, 1088), (960, 1024), (1024, 1024), (1024, 960), (1088, 960), (1088, 896),
    (1152, 896), (1152, 832), (1216, 832), (1280, 768), (1344, 768), (1408, 704), (1472, 704), (1536, 640),
    (1600, 640), (1664, 576), (1728, 576), (1792, 576), (1856, 512), (1920, 512), (1984, 512), (2048, 512),
)  # fmt: skip


@dataclass(frozen=True)
class Bucket:
    """One size in pixels; `key` is height over width."""

    height: int
    width: int

    @property
    def key(self) -> float:
        """Height over width, rounded as the printed table has it."""
        return round(self.height / self.width, 2)


def buckets(resolution: int, multiple: int, *, aspect: bool = True) -> tuple[Bucket, ...]:
    """The buckets of a resolution, widest first; without `aspect` the square alone.

    At 256, 512, 1024 and 2048 px the printed table, scaled; elsewhere, or where a side of it is no multiple of
    `multiple`, the rule that made it: constant area, both sides multiples of `multiple`, ratios from 1/4 to 4.
    """
    if not aspect:
        return (Bucket(resolution, resolution),)
    if resolution in (256, 512, 1024, 2048):
        printed = tuple(Bucket(h * resolution // 1024, w * resolution // 1024) for h, w in PRINTED)
        if all(side % multiple == 0 for bucket in printed for side in (bucket.height, bucket.width)):
            return printed
    return generated(resolution, multiple)


def generated(resolution: int, multiple: int) -> tuple[Bucket, ...]:
    """For every height that is a multiple, the width whose area comes nearest to the square's."""
    found = set()
    for height in range(multiple, int(resolution * MOST_RATIO**0.5) + 1, multiple):
        width = max(multiple, round(resolution**2 / height / multiple) * multiple)
        if max(height / width, width / height) <= MOST_RATIO:
            found |= {Bucket(height, width), Bucket(width, height)}
    return tuple(sorted(found, key=lambda bucket: (bucket.height / bucket.width, bucket.height)))


def nearest(size: tuple[int, int], choice: Sequence[Bucket]) -> Bucket | None:
    """The bucket whose ratio is nearest to a picture's (height, width); None for a picture that is too long."""
    height, width = size
    if max(height / width, width / height) > MOST_RATIO * RATIO_SLACK:
        return None
    return min(choice, key=lambda bucket: abs(bucket.height / bucket.width - height / width))


def fit(picture: Pixels, bucket: Bucket) -> UInt8[np.ndarray, "fitted_height fitted_width 3"]:
    """The picture resized (bicubic, antialiased) to cover the bucket, then cropped in the centre."""
    height, width, _ = picture.shape
    if (height, width) == (bucket.height, bucket.width):
        return picture
    scale = max(bucket.height / height, bucket.width / width)
    size = max(bucket.width, round(width * scale)), max(bucket.height, round(height * scale))
    resized = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
    left, top = (size[0] - bucket.width) // 2, (size[1] - bucket.height) // 2
    return np.asarray(resized.crop((left, top, left + bucket.width, top + bucket.height)))
