"""Curves as SVG: noise goes, higher is higher, ticks are round, extremes draw."""

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pinxit.recipes.chart import SMOOTHING, Curve, draw, smoothed, ticks


def points(svg: str, classes: str) -> list[tuple[float, float]]:
    found = re.search(rf'<polyline class="{classes}" points="([^"]*)"', svg)
    assert found
    return [tuple(map(float, pair.split(","))) for pair in found[1].split()]  # type: ignore[misc]


@pytest.mark.parametrize("length", [1, 2, SMOOTHING, 8 * SMOOTHING + 3])
def test_smoothing_is_the_mean_over_what_there_is_of_a_centred_window(length: int) -> None:
    values = np.random.default_rng(0).standard_normal(length)
    reach = length // (2 * SMOOTHING)
    slow = [np.mean(values[max(0, k - reach) : k + reach + 1]) for k in range(length)]
    assert_allclose(smoothed(values), slow, atol=1e-12)


def test_smoothing_calms_the_last_point_too() -> None:
    values = np.zeros(20 * SMOOTHING)
    values[-1] = 1.0
    assert smoothed(values)[-1] < 0.1


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (0.37, 0.41), (-5.0, 1e6), (40_000.0, 300_000.0), (1e-7, 3e-7), (0.2, 9.4)]
)
def test_ticks_are_few_round_and_within(low: float, high: float) -> None:
    found = ticks(low, high, 4)
    steps = np.diff(found)
    assert 2 <= len(found) <= 5
    assert low - 1e-9 * abs(high) <= found[0]
    assert found[-1] <= high * (1 + 1e-9)
    assert_allclose(steps, steps[0])
    assert f"{steps[0]:.3e}"[0:5] in {"1.000", "2.000", "2.500", "5.000"}


def test_higher_losses_stand_higher_and_later_ones_further_right() -> None:
    found = points(draw([Curve("a", [0, 10, 20], [3.0, 2.0, 1.0])], "loss"), "line c0")
    assert [x for x, _ in found] == sorted(x for x, _ in found)
    assert [y for _, y in found] == sorted(y for _, y in found)


def test_a_noisy_curve_has_its_raw_behind_and_stays_small() -> None:
    values = np.random.default_rng(0).standard_normal(20_000)
    svg = draw([Curve("a", range(20_000), values.tolist(), is_noisy=True)], "loss")
    assert svg.index("raw c0") < svg.index("line c0")
    assert len(points(svg, "raw c0")) == 400
    assert np.std([y for _, y in points(svg, "line c0")]) < 0.3 * np.std([y for _, y in points(svg, "raw c0")])


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0, 2.0], [0.0, 0.0], [1.0, math.nan, math.inf, 3.0]])
def test_single_constant_and_broken_values_draw(values: list[float]) -> None:
    svg = draw([Curve("a", range(len(values)), values, is_noisy=True)], "a & b")
    assert ElementTree.fromstring(svg)[0].text == "a & b"
    assert "nan" not in svg
    assert "inf" not in svg


def test_rings_are_around_their_points() -> None:
    svg = draw([Curve("a", [0, 10, 20], [3.0, 2.0, 1.0], ringed=[1])], "loss")
    x, y = points(svg, "line c0")[1]
    assert re.findall(r"<circle [^>]*>", svg) == [f'<circle class="line c0" cx="{x}" cy="{y}" r="4"/>']


def test_nothing_finite_is_no_picture() -> None:
    assert draw([Curve("a", [0], [math.nan])], "loss") == ""
