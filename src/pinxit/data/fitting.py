"""What the buckets make of pictures: how many each gets, what is cropped and enlarged, which pictures are dropped."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from pinxit.config import Config
from pinxit.data.bucket import MOST_RATIO, RATIO_SLACK, Bucket
from pinxit.data.loader import Plan
from pinxit.errors import DataError

DROPPED = -1  # the number of no bucket
TOGETHER = 1 << 16  # pictures fitted at once


class BucketUse(Config):
    """A bucket of `height` and `width` pixels; `kept` is the mean share of a picture that cropping leaves.

    `enlarged` pictures were smaller. Where its pictures are no multiple of the batch, the last batch is filled with
    others of the same bucket: each is seen `repeat` times an epoch on average.
    """

    height: int
    width: int
    pictures: int
    kept: float
    enlarged: int
    repeat: float


@dataclass(frozen=True)
class Fitting:
    """For each picture the number of its bucket, the share that is kept, and by what it was scaled."""

    choice: tuple[Bucket, ...]
    bucket: Int64[np.ndarray, "n"]
    kept: Float[np.ndarray, "n"]
    scale: Float[np.ndarray, "n"]

    def uses(self, batch: int) -> tuple[BucketUse, ...]:
        """Every bucket that has a picture; DataError if none has, since training would take no step."""
        filled = np.unique(self.bucket[self.bucket != DROPPED]).tolist()
        if not filled:
            problem = f"all {len(self.bucket)} pictures are longer than {MOST_RATIO:g}:1, so that no bucket has one"
            raise DataError("buckets", f"{problem}, and training would take no step", "import others")
        return tuple(self._use(number, batch) for number in filled)

    def _use(self, number: int, batch: int) -> BucketUse:
        places, bucket = np.flatnonzero(self.bucket == number), self.choice[number]
        size = bucket.height, bucket.width
        (row,) = Plan(batch, ((size, tuple(places.tolist())),)).table()
        return BucketUse(
            height=bucket.height, width=bucket.width, pictures=len(places), kept=float(self.kept[places].mean()),
            enlarged=int((self.scale[places] > 1).sum()), repeat=float(str(row["repeat"])),
        )  # fmt: skip


def fit_all(sizes: Int64[np.ndarray, "n 2"], choice: Sequence[Bucket]) -> Fitting:
    """What becomes of pictures of these heights and widths; as `nearest` and `fit` do it, but without a picture."""
    sides = np.array([(bucket.height, bucket.width) for bucket in choice], float)
    number, kept, scale = np.empty(len(sizes), np.int64), np.empty(len(sizes)), np.empty(len(sizes))
    for first in range(0, len(sizes), TOGETHER):
        part = slice(first, first + TOGETHER)
        size = sizes[part].astype(float)
        ratio = size[:, 0] / size[:, 1]
        nearest = np.abs(sides[:, 0] / sides[:, 1] - ratio[:, None]).argmin(1)
        factor = (sides[nearest] / size).max(1)
        share = sides[nearest].prod(1) / (size.prod(1) * factor**2)
        is_long = np.maximum(ratio, 1 / ratio) > MOST_RATIO * RATIO_SLACK
        number[part], scale[part] = np.where(is_long, DROPPED, nearest), factor
        kept[part] = np.where(is_long, 0.0, share)
    return Fitting(tuple(choice), number, kept, scale)
