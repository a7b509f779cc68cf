"""Whether a gap reward has learned what it is for: how it orders the answers of pairs that it never saw."""

from collections.abc import Sequence

import torch

from pinxit.config import Config
from pinxit.evaluate.interval import Share
from pinxit.improve.gap import combine
from pinxit.improve.pair import Pair
from pinxit.improve.score import Score

NAMES = ("r(w, l)", "r(w, w)", "r(l, l)", "r(l, w)")


class Order(Config):
    """Of so many pairs the rewards stand as r(w, l) > r(w, w), r(l, l) > r(l, w); and their means, in units."""

    pairs: int
    ordered: int
    interval: tuple[float, float]
    means: tuple[float, float, float, float]

    def __str__(self) -> str:
        """One line."""
        low, high = (f"{100 * end:.1f}" for end in self.interval)
        means = ", ".join(f"{name} {mean:+.2f}" for name, mean in zip(NAMES, self.means, strict=True))
        share = 100 * self.ordered / self.pairs
        return f"{share:.1f} % of {self.pairs} held-out pairs in order (95 % interval {low} to {high}): {means}"


def order(score: Score, pairs: Sequence[Pair]) -> Order:
    """The order of all four combinations of each pair's answers; there is at least one pair."""
    asked = [each for pair in pairs for each in combine(pair)]
    rewards = score([question for question, _ in asked], [answer for _, answer in asked]).reshape(-1, 4)
    wl, ww, ll, lw = rewards.unbind(1)
    right = int((torch.maximum(ww, ll) < wl).logical_and(lw < torch.minimum(ww, ll)).sum())
    share = Share(right, len(pairs))
    a, b, c, d = rewards.mean(0).tolist()
    return Order(pairs=share.n, ordered=share.right, interval=share.interval, means=(a, b, c, d))
