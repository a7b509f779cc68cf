"""Ratings follow from odds, have intervals, and do not depend on who is rated beside."""

import numpy as np
import pytest

from pinxit.evaluate.rating import rate


def test_odds_of_three_to_one_are_190_points() -> None:
    scores = np.stack([np.zeros(4000), np.tile([1.0, 1.0, 1.0, -1.0], 1000)])
    first, second = rate(scores, 0.1, 0)
    assert first.value == 0
    assert first.interval == (0, 0)
    assert second.value == pytest.approx(400 * np.log10(3), abs=1)
    assert second.interval[0] < second.value < second.interval[1]


def test_within_the_margin_both_are_as_good() -> None:
    for apart, is_better in ((0.09, False), (0.11, True)):
        rating = rate(np.stack([np.zeros(50), np.full(50, apart)]), 0.1, 0)[1]
        assert (rating.value > 500) == is_better
        assert is_better or rating.value == pytest.approx(0)


def test_who_always_loses_has_a_rating_too() -> None:
    worst = rate(np.stack([np.ones(100), np.zeros(100)]), 0.1, 0)[1]
    assert -3000 < worst.value < -500
    assert np.isfinite(worst.interval).all()
