"""The reward of the gap between two answers: r(x, y1, y2), high where y1 is much better than y2.

Wang et al. 2023 (arXiv 2310.00898), eq. 1 and 2. Of each pair all four combinations are read, and wanted in the order

    r(w, l)  >  r(w, w) ~ r(l, l)  >  r(l, w)

by five comparisons of equal weight. Nothing asks that r(y, y) be zero, nor that r(y1, y2) = - r(y2, y1).
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from pinxit.improve.pair import Pair
from pinxit.improve.reward import Preference
from pinxit.improve.template import Question


def combine(pair: Pair) -> list[tuple[Question, str]]:
    """(w, l), (w, w), (l, l), (l, w): the first is the answer that is judged, the second what it was to improve."""
    over_worse, over_better = (Question(pair.prompt, reference) for reference in (pair.worse, pair.better))
    return [(over_worse, pair.better), (over_better, pair.better), (over_worse, pair.worse), (over_better, pair.worse)]


class Gap(Preference):
    """A reward model of gaps as an Objective; texts come as `combine` orders them."""

    def each(self, rewards: Float[Tensor, "b s"]) -> Float[Tensor, "b"]:
        """The loss of every pair: eq. 2."""
        wl, ww, ll, lw = rewards.unbind(1)
        apart = (wl - lw, wl - ww, wl - ll, ww - lw, ll - lw)
        return -sum((logsigmoid(each) for each in apart), start=wl.new_zeros(()))

    def ordered(self, rewards: Float[Tensor, "b s"]) -> Float[Tensor, ""]:
        """The share of pairs with r(w, l) > r(w, w), r(l, l) > r(l, w)."""
        wl, ww, ll, lw = rewards.unbind(1)
        return ((wl > ww) & (wl > ll) & (ww > lw) & (ll > lw)).float().mean()
