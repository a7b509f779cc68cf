"""Degraded pictures are smaller, worse, of the same subject, and the same for the same randomness."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from pinxit.data.degradation import degrade, reduce, small_size


def drawn(height: int = 64, width: int = 48) -> np.ndarray:
    """A bright square on a dark ground."""
    picture = np.full((height, width, 3), (30, 60, 90), np.uint8)
    picture[height // 4 : height // 2, width // 4 : width // 2] = (240, 200, 40)
    return picture


@pytest.mark.parametrize("factor", [1, 4, 8])
@pytest.mark.parametrize("size", [(64, 48), (1, 1), (3, 70), (65, 7)])
def test_both_ways_give_the_small_size_and_never_nothing(factor: int, size: tuple[int, int]) -> None:
    for seed in range(8):  # all orders of the steps come up
        made = degrade(drawn(*size), factor, np.random.default_rng(seed))
        assert made.shape == reduce(drawn(*size), factor).shape == (*small_size(drawn(*size), factor)[::-1], 3)
        assert made.dtype == np.uint8
        assert min(made.shape) >= 1


def test_the_same_randomness_gives_the_same_picture_and_another_another() -> None:
    first, again, other = (degrade(drawn(), 4, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert_array_equal(first, again)
    assert (first != other).any()


def test_the_picture_given_stays_as_it_was() -> None:
    picture = drawn()
    degrade(picture, 4, np.random.default_rng(0))
    assert_array_equal(picture, drawn())


def test_what_is_shown_stays_and_is_worse_than_only_smaller() -> None:
    small = reduce(drawn(128, 128), 4).astype(int)
    errors = [
        np.abs(degrade(drawn(128, 128), 4, np.random.default_rng(seed)).astype(int) - small).mean()
        for seed in range(60)
    ]
    assert min(errors) > 0.2
    assert max(errors) < 20
    assert max(errors) > 2 * min(errors)  # strengths vary


def test_a_flat_picture_keeps_its_colour_on_average() -> None:
    flat = np.full((128, 128, 3), (90, 120, 150), np.uint8)
    means = [degrade(flat, 4, np.random.default_rng(seed)).mean((0, 1)) for seed in range(40)]
    assert np.abs(np.mean(means, 0) - (90, 120, 150)).max() < 1


@pytest.mark.parametrize("factor", [4, 8])
def test_reduction_is_antialiased(factor: int) -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(reduce(stripes, factor).astype(int) - 127.5).max() < 10  # without: 0 or 255
    assert_array_equal(reduce(drawn(), 1), np.asarray(Image.fromarray(drawn())))
