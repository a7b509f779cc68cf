"""Intervals hold the truth as often as they say, and do not move between runs."""

from math import inf, isnan, nan

import numpy as np
import pytest

from pinxit.evaluate.interval import (
    Estimate,
    Share,
    bootstrap,
    drawn_mean,
    mean_difference,
    middle,
    paired_difference,
    resample,
    wilson,
)  # fmt: skip


@pytest.mark.parametrize("truth", [0.1, 0.5, 0.95])
def test_wilsons_interval_ends_where_a_normal_test_just_rejects(truth: float) -> None:
    n = 200
    for end in wilson(round(truth * n), n):
        assert abs(round(truth * n) / n - end) == pytest.approx(1.959964 * (end * (1 - end) / n) ** 0.5, rel=1e-6)


def test_of_nothing_everything_is_possible() -> None:
    assert wilson(0, 0) == (0, 1)
    assert isnan(Share(0, 0).value)
    assert Share(0, 0).interval == (0, 1)


@pytest.mark.parametrize(("right", "n"), [(-1, 5), (6, 5), (1, 0)])
def test_what_is_no_share_is_refused(right: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"{right} of {n} is no share"):
        wilson(right, n)


def test_the_bootstrap_of_a_large_sample_agrees_with_the_normal_interval() -> None:
    values = np.random.default_rng(1).normal(3, 2, 400)
    low, high = bootstrap(values, seed=0)
    half = 1.959964 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


def test_the_bootstrap_repeats_itself_for_its_seed_alone() -> None:
    values = [0.0, 1.0, 4.0]
    assert bootstrap(values, seed=5) == bootstrap(values, seed=5)
    assert bootstrap([2.0], seed=5) == (2, 2)
    with pytest.raises(ValueError, match="empty sample"):
        bootstrap([], seed=5)


def test_what_makes_a_picture_hard_for_both_falls_out_of_a_paired_difference() -> None:
    rng = np.random.default_rng(2)
    hardness = rng.normal(0, 10, 300)
    first = hardness + 1 + rng.normal(0, 0.1, 300)
    found = mean_difference(first, hardness, seed=0)
    assert found == Estimate(float((first - hardness).mean()), bootstrap(first - hardness, seed=0))
    low, high = found.interval
    assert low < found.value < high
    assert high - low < 0.05
    assert mean_difference([3.0, 5.0], [1.0, 3.0], seed=0) == Estimate(2.0, (2.0, 2.0))


def test_values_of_other_pictures_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="2 values and 1 are no pairs"):
        mean_difference([1.0, 2.0], [1.0], seed=0)
    with pytest.raises(ValueError, match="empty sample"):
        mean_difference([], [], seed=0)


@pytest.mark.parametrize(("first", "second"), [(inf, inf), (inf, 1.0), (nan, 1.0)])
def test_a_difference_that_is_not_finite_is_named_by_its_picture(first: float, second: float) -> None:
    with pytest.raises(ValueError, match=rf"picture 1: {first} - {second} is not finite; leave such pictures out"):
        mean_difference([0.0, first], [0.0, second], seed=0)


def test_a_sample_holds_as_many_pictures_each_as_likely() -> None:
    places = resample(4, seed=0, draws=5000)
    assert places.shape == (5000, 4)
    assert np.bincount(places.ravel()) / places.size == pytest.approx([0.25] * 4, abs=0.01)


def test_the_middle_leaves_out_one_in_forty_at_each_end() -> None:
    assert middle(np.arange(41.0)) == (1, 39)


def test_the_mean_of_a_part_holds_that_of_the_whole_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    whole = rng.poisson(12, 400).astype(float)
    inside = 0
    for _ in range(1000):
        low, high = drawn_mean(rng.choice(whole, 200, replace=False), len(whole))
        inside += low <= whole.mean() <= high
    assert 930 <= inside <= 970


def test_the_mean_of_all_is_known_and_that_of_one_is_not() -> None:
    assert drawn_mean([1.0, 3.0], 2) == (2, 2)
    assert drawn_mean([7.0], 1) == (7, 7)
    assert drawn_mean([7.0], 2) == (-inf, inf)
    for values, population in (([], 3), ([1.0, 2.0], 1)):
        with pytest.raises(ValueError, match="are no sample"):
            drawn_mean(values, population)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_a_t_interval_holds_the_true_difference_as_often_as_it_says(n: int) -> None:
    source = np.random.default_rng(n)
    shared = source.normal(0, 9, (4000, n))  # what both runs of a pair have in common falls out
    first, second = shared + source.normal(1, 1, (4000, n)), shared + source.normal(0, 1, (4000, n))
    found = [paired_difference(one, other) for one, other in zip(first, second, strict=True)]
    held = np.mean([each.interval[0] <= 1 <= each.interval[1] for each in found])
    assert held == pytest.approx(0.95, abs=0.015)
    assert np.mean([each.value for each in found]) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("n", [0, 1, 11])
def test_a_t_interval_needs_pairs(n: int) -> None:
    with pytest.raises(ValueError, match="give 2 to 10 pairs"):
        paired_difference([0.0] * n, [1.0] * n)
    with pytest.raises(ValueError, match="give 2 to 10 pairs"):
        paired_difference([0.0, 1.0], [1.0])
