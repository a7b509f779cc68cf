"""The order of a gap reward: counted pair by pair, with its interval and means."""

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from pinxit.improve.order import order
from pinxit.improve.pair import Pair
from pinxit.improve.score import GapScore, RewardModel

from .toy import decoder


class Told(RewardModel):
    """Four rewards for each pair, told beforehand."""

    def __init__(self, rewards: list[float]) -> None:
        super().__init__(decoder(), 0)
        self.rewards = rewards

    def measure(self, questions: object, answers: object) -> Float[Tensor, "n"]:
        return torch.tensor(self.rewards)


def test_only_pairs_with_all_four_in_order_count() -> None:
    rows = [[2, 1, 1, 0], [2, 1, 0.5, -1], [1, 2, 0, -1], [2, 1, 1, 1], [2, -1, 1, 0], [1, 1, 0, -1]]
    found = order(GapScore(Told([float(one) for row in rows for one in row])), [Pair("x", "w", "l")] * len(rows))
    assert (found.ordered, found.pairs) == (2, 6)
    assert found.interval[0] < 2 / 6 < found.interval[1]
    assert found.means == pytest.approx((10 / 6, 5 / 6, 3.5 / 6, -2 / 6))
    assert str(found).startswith("33.3 % of 6 held-out pairs in order (95 % interval ")
    assert "r(w, l) +1.67, r(w, w) +0.83" in str(found)
