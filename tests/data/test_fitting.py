"""Buckets over sizes alone are what buckets over pictures are; every dropped one has its place."""

import numpy as np
import pytest

from pinxit.data.bucket import Bucket, buckets, fit, nearest
from pinxit.data.fitting import DROPPED, fit_all
from pinxit.errors import DataError


def sizes(*pairs: tuple[int, int]) -> np.ndarray:
    return np.array(pairs, np.int64).reshape(-1, 2)


@pytest.mark.parametrize("aspect", [False, True])
def test_each_picture_goes_where_encoding_puts_it(aspect: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.data.fitting.TOGETHER", 64)
    choice = buckets(256, 16, aspect=aspect)
    drawn = np.random.default_rng(0).integers(16, 1200, (1000, 2))
    found = fit_all(drawn, choice)
    for (height, width), number in zip(drawn.tolist(), found.bucket.tolist(), strict=True):
        assert (None if number == DROPPED else choice[number]) == nearest((height, width), choice)


@pytest.mark.parametrize("size", [(256, 256), (300, 200), (40, 100), (1000, 260)])
def test_the_kept_share_is_that_of_the_pixels(size: tuple[int, int]) -> None:
    choice = buckets(256, 16)
    found = fit_all(sizes(size), choice)
    marked = np.zeros((*size, 3), np.uint8)
    marked[..., 0] = np.linspace(0, 255, size[0])[:, None]
    marked[..., 1] = np.linspace(0, 255, size[1])[None]
    fitted = fit(marked, choice[int(found.bucket[0])]).astype(float) / 255
    spans = np.ptp(fitted[..., 0]) * np.ptp(fitted[..., 1])
    assert found.kept[0] == pytest.approx(spans, abs=0.03)


def test_uses_count_what_is_kept_enlarged_and_repeated() -> None:
    choice = (Bucket(64, 64), Bucket(32, 128))
    found = fit_all(sizes((64, 64), (128, 128), (32, 32), (64, 96), (20, 80), (10, 90)), choice)
    square, wide = found.uses(batch=3)
    assert (square.pictures, square.enlarged, square.repeat) == (4, 1, 1.5)
    assert square.kept == pytest.approx((3 + 64 / 96) / 4)
    assert (wide.pictures, wide.enlarged, wide.repeat) == (1, 1, 3.0)
    assert (square.height, wide.width) == (64, 128)
    assert np.flatnonzero(found.bucket == DROPPED).tolist() == [5]


@pytest.mark.parametrize("given", [sizes(), sizes((10, 90), (90, 10))])
def test_no_step_is_an_error(given: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"buckets: all \d pictures are longer than 4:1.*no step"):
        fit_all(given, buckets(64, 16)).uses(4)
