"""Distances between sets of features against plain versions, on sets whose distance is known, and between real ones."""

from collections import Counter

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor
from torch.testing import assert_close

from pinxit.evaluate.distance import (
    COMPONENTS,
    frechet_distance,
    kernel,
    kernel_difference,
    kernel_distance,
    measure_floor,
    paired_kernel_distance,
    refuse_unpaired,
)
from pinxit.evaluate.interval import resample


def rows(count: int, width: int, seed: int = 0, spread: float = 1.0) -> Tensor:
    return spread * torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def shrunk(truth: Tensor) -> Tensor:
    return 0.8 * truth + 0.1


def blurred(truth: Tensor) -> Tensor:
    return truth + rows(*truth.shape, seed=9, spread=0.5)


# Kernel distance


def test_the_kernel_distance_is_that_of_torchmetrics() -> None:
    poly_mmd = pytest.importorskip("torchmetrics.image.kid").poly_mmd
    real, drawn = rows(50, 24), rows(50, 24, seed=1, spread=1.3) + 0.2
    assert kernel_distance(real, drawn) == pytest.approx(float(poly_mmd(real, drawn)), rel=1e-10)


def test_sets_of_unequal_counts_are_compared_pair_by_pair() -> None:
    real, drawn = rows(7, 3), rows(4, 3, seed=1)

    def mean(first: Tensor, second: Tensor) -> float:
        terms = [(float(x @ y) / 3 + 1) ** 3 for x in first for y in second if x is not y]
        return sum(terms) / len(terms)

    x, y = list(real), list(drawn)
    expected = mean(x, x) + mean(y, y) - 2 * mean(x, y)
    assert kernel_distance(real, drawn) == pytest.approx(expected, rel=1e-10)


def test_two_sets_of_one_kind_are_as_often_below_zero_as_above() -> None:
    found = [kernel_distance(rows(30, 8, seed), rows(30, 8, seed + 1000)) for seed in range(200)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 200**0.5
    assert 0.3 < np.mean(np.array(found) < 0) < 0.7


def test_the_truth_itself_is_at_no_distance_in_pairs() -> None:
    truth = rows(20, 8)
    same = paired_kernel_distance(truth, truth, seed=0)
    assert (same.value, *same.interval) == pytest.approx((0, 0, 0), abs=1e-12)
    assert kernel_distance(truth, truth) < -0.1  # each picture beside itself


def test_in_pairs_a_faithful_picture_is_as_far_as_its_kind_and_no_nearer() -> None:
    faithful, strange = [], []
    for seed in range(100):
        truth, other = rows(40, 8, seed), rows(40, 8, seed + 1000)
        faithful.append(paired_kernel_distance(truth, shrunk(truth), seed=0).value)
        strange.append(kernel_distance(truth, shrunk(other)))
    error = (np.var(faithful) + np.var(strange)) ** 0.5 / 10
    assert np.mean(faithful) == pytest.approx(np.mean(strange), abs=3 * error)


def test_a_difference_is_that_of_the_paired_distances() -> None:
    truth = rows(30, 8)
    first, second = shrunk(truth), blurred(truth)
    found = kernel_difference(truth, first, second, seed=3)
    apart = paired_kernel_distance(truth, first, seed=3).value - paired_kernel_distance(truth, second, seed=3).value
    assert found.value == pytest.approx(apart, rel=1e-10)
    turned = kernel_difference(truth, second, first, seed=3)
    low, high = found.interval
    assert (turned.value, *turned.interval) == pytest.approx((-found.value, -high, -low))


def test_each_sample_of_the_bootstrap_is_a_set_of_pictures_drawn_with_replacement() -> None:
    truth, drawn = rows(6, 3), rows(6, 3, seed=1)
    k_xx, k_xy, k_yy = (k.numpy() for k in (kernel(truth, truth), kernel(truth, drawn), kernel(drawn, drawn)))
    means = []
    for places in resample(6, seed=4):
        pairs = [(i, j) for i in places for j in places if i != j]
        if pairs:
            means.append(np.mean([k_xx[i, j] + k_yy[i, j] - k_xy[i, j] - k_xy[j, i] for i, j in pairs]))
    low, high = np.quantile(means, (0.025, 0.975))
    assert paired_kernel_distance(truth, drawn, seed=4).interval == pytest.approx((low, high), rel=1e-10)


def test_an_interval_holds_the_difference_of_the_kinds() -> None:
    large = rows(2000, 8, seed=77)
    known = kernel_difference(large, shrunk(large), blurred(large), seed=0).value
    found = Counter()
    for seed in range(60):
        truth = rows(80, 8, seed)
        low, high = kernel_difference(truth, shrunk(truth), truth + rows(80, 8, seed + 500, 0.5), seed).interval
        found[low <= known <= high] += 1
    assert found[True] >= 54


@pytest.mark.parametrize("count", [2, 3])
def test_the_fewest_pictures_have_an_interval(count: int) -> None:
    truth = rows(count, 4)
    found = paired_kernel_distance(truth, shrunk(truth), seed=0)
    low, high = found.interval
    assert low - 1e-12 <= found.value <= high + 1e-12


# Fréchet distance


def plain_frechet(real: np.ndarray, drawn: np.ndarray, components: int) -> float:
    """The distance by the textbook: eigenvectors of the real covariance, then a matrix root."""
    _, vectors = np.linalg.eigh(np.cov(real.T))
    axes = vectors[:, ::-1][:, :components]
    real, drawn = real @ axes, drawn @ axes
    c, c_ = np.cov(real.T), np.cov(drawn.T)
    root = sqrtm(c @ c_)
    return float(np.square(real.mean(0) - drawn.mean(0)).sum() + np.trace(c + c_ - 2 * root).real)


@pytest.mark.parametrize("width", [5, COMPONENTS, 90])
def test_the_frechet_distance_is_that_of_a_matrix_root_in_the_first_components(width: int) -> None:
    scales = torch.linspace(0.2, 2, width, dtype=torch.float64)
    real = rows(300, width) * scales
    drawn = rows(200, width, seed=1, spread=1.2) * scales.flip(0) + 0.3
    expected = plain_frechet(real.numpy(), drawn.numpy(), COMPONENTS)
    assert frechet_distance(real, drawn) == pytest.approx(expected, rel=1e-6)


def test_equal_sets_are_at_no_frechet_distance() -> None:
    real = rows(150, 80)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(real, real.flip(0)) == pytest.approx(0, abs=1e-10)


def test_a_shift_of_all_pictures_counts_by_its_square() -> None:
    real = rows(100, 10)
    assert frechet_distance(real, real + 0.5) == pytest.approx(10 * 0.25)


def test_a_change_of_spread_alone_counts_by_its_square() -> None:
    real = rows(400, 10)
    centre = real.mean(0)
    spread = float(real.var(0).sum())
    assert frechet_distance(real, centre + 3 * (real - centre)) == pytest.approx(4 * spread)


def test_few_real_rows_span_few_components() -> None:
    real = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]])  # one component, with variance 2
    drawn = torch.tensor([[1.0, 7.0, 0.0], [5.0, -9.0, 3.0]])  # variance 8 along it, mean 2 farther
    assert frechet_distance(real, drawn) == pytest.approx(2**2 + (8**0.5 - 2**0.5) ** 2)


def test_components_in_which_no_real_picture_differs_are_left_out() -> None:
    real = torch.cat([rows(50, 4), torch.ones(50, 9)], 1)
    drawn = torch.cat([real[:, :4], rows(50, 9, seed=1)], 1)
    assert frechet_distance(real, drawn) == pytest.approx(0, abs=1e-10)


def test_copies_of_the_real_pictures_are_nearer_than_other_real_ones() -> None:
    real = rows(100, 20)
    assert frechet_distance(real, shrunk(real)) < frechet_distance(real, rows(100, 20, seed=1))
    assert frechet_distance(rows(100, 20, seed=2), shrunk(real)) > frechet_distance(real, rows(100, 20, seed=1))


def test_fewer_rows_are_farther_apart() -> None:
    many, few = (measure_floor(frechet_distance, rows(600, 20), count, seed=0) for count in (300, 60))
    assert few.mean > 3 * many.mean
    assert (many.rows, few.rows) == (300, 60)


# Floor


def test_a_floor_is_the_distance_of_halves_that_share_no_picture() -> None:
    real = torch.arange(11.0)[:, None]
    halves: list[list[set[float]]] = []

    def distance(first: Tensor, second: Tensor) -> float:
        halves.append([set(first[:, 0].tolist()), set(second[:, 0].tolist())])
        return float(len(halves))

    floor = measure_floor(distance, real, rows=2000, seed=0)
    assert (floor.mean, floor.rows) == (np.mean(range(1, len(halves) + 1)), 5)
    assert floor.deviation == pytest.approx(np.std(range(1, len(halves) + 1)))
    assert all(len(first) == len(second) == 5 and not first & second for first, second in halves)
    assert len({frozenset(first) for first, _ in halves}) > 1


def test_the_kernel_distances_floor_is_about_zero_and_repeats_itself() -> None:
    real = rows(60, 8)
    floor = measure_floor(kernel_distance, real, 30, seed=1)
    assert abs(floor.mean) < 2 * floor.deviation
    assert floor == measure_floor(kernel_distance, real, 30, seed=1)
    assert floor != measure_floor(kernel_distance, real, 30, seed=2)


# What is refused


def test_a_set_of_one_picture_is_refused() -> None:
    two, one = rows(2, 4), rows(1, 4)
    for distance in (kernel_distance, frechet_distance):
        for sets in ((two, one), (one, two)):
            with pytest.raises(ValueError, match="a set has 1 of the two rows"):
                distance(*sets)
    with pytest.raises(ValueError, match="a set has 1 of the two rows"):
        paired_kernel_distance(one, one, seed=0)
    with pytest.raises(ValueError, match="a set has 1 of the two rows"):
        kernel_difference(one, one, one, seed=0)
    with pytest.raises(ValueError, match="a set has 1 of the two rows"):
        measure_floor(kernel_distance, rows(3, 4), 2, seed=0)


def test_real_pictures_that_are_all_alike_are_refused() -> None:
    with pytest.raises(ValueError, match="all alike"):
        frechet_distance(torch.full((5, 3), 0.1), rows(5, 3))


def test_rows_without_their_truth_are_refused() -> None:
    with pytest.raises(ValueError, match="1 rows and 5 of the truth are no pairs"):
        refuse_unpaired(rows(5, 4), rows(5, 4), rows(1, 4))  # run by itself: signatures are checked in the tests alone


def test_the_kernel_is_the_cubic_polynomial_in_double_precision() -> None:
    first, second = rows(2, 4).float(), rows(3, 4, seed=1).float()
    found = kernel(first, second)
    assert found.dtype == torch.float64
    assert_close(found, (torch.einsum("ad,bd->ab", first.double(), second.double()) / 4 + 1) ** 3)
