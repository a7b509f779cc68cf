"""The reward of one answer, learned from pairs.

Bradley and Terry 1952; as in Wang et al. 2023 (arXiv 2310.00898): L = - sum log sigma(r(x, y_w) - r(x, y_l)).
"""

from collections.abc import Mapping

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from pinxit.improve.pair import Pair
from pinxit.improve.score import RewardModel
from pinxit.improve.sequence import Sequences, trained
from pinxit.improve.template import Question
from pinxit.rng import Draws
from pinxit.train.objective import Loss
from pinxit.train.state import TrainState


def compare(pair: Pair) -> list[tuple[Question, str]]:
    """The better answer and the worse, each by itself."""
    question = Question(pair.prompt)
    return [(question, pair.better), (question, pair.worse)]


class Preference:
    """A reward model as an Objective; the weight counts pairs, the better answer's text comes first."""

    def __init__(self, model: RewardModel) -> None:
        self.model, self.language = model, model.language
        self.trained: Mapping[str, nn.Parameter] = trained(model)

    def loss(self, batch: Sequences, draws: Draws, state: TrainState) -> Loss:
        """The sum over pairs; `ordered` is the share of them that the rewards order rightly."""
        ids, answer = (rearrange(each, "b s t -> (b s) t") for each in (batch.ids, batch.answer))
        rewards = rearrange(self.model(ids, answer), "(b s) -> b s", b=len(batch.position))
        known = rewards.detach().float()
        parts = {
            "ordered": float(self.ordered(known)),
            "spread": float(known.std(correction=0)),
            "largest": float(known.abs().max()),
        }
        return Loss(self.each(rewards).sum(), len(batch.position), parts)

    def each(self, rewards: Float[Tensor, "b s"]) -> Float[Tensor, "b"]:
        """The loss of every pair."""
        return -logsigmoid(rewards[:, 0] - rewards[:, 1])

    def ordered(self, rewards: Float[Tensor, "b s"]) -> Float[Tensor, ""]:
        """The share of pairs whose better answer has the greater reward."""
        return (rewards[:, 0] > rewards[:, 1]).float().mean()

    def after_step(self, state: TrainState) -> None:
        """Nothing else moves."""
