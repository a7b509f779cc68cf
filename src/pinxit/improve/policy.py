"""Reinforcement with a penalty to the start, as an Objective, for a policy and an improver alike.

Wang et al. 2023 (arXiv 2310.00898), eq. 3 to 5, with x the question (prompt, or prompt and reference answer):

    maximise  E_{y ~ M(.|x)} [ r(x, y) ] - beta KL( M(.|x) || M_start(.|x) )

The paper does not name its algorithm. Ours is REINFORCE with a baseline from the other answers to the same question,
each batch of answers used for one step, so that no ratio and no clipping is needed:

    gradient  = sum_i A_i grad log M(y_i|x) - beta grad D_i        R_i = r(x, y_i) - beta D_i, without gradient
    leave-one-out   A_i = R_i - mean of R_j, j != i                Ahmadian et al. 2024 (RLOO), arXiv 2402.14740
    group           A_i = (R_i - mean of all R) / deviation        Shao et al. 2024 (GRPO), arXiv 2402.03300

The first is unbiased, and is the default: a reward of gaps has an offset that depends on the reference, which leaving
one out takes away; dividing by the deviation would make a group whose answers hardly differ weigh as much as any.

Where the divergence is exact, D is the sum over an answer's tokens of KL(M || M_start) over all that could follow: its
own gradient and its part in R together give that of the whole divergence. Where it is sampled, D is the sum of
log M - log M_start of the tokens drawn, whose own gradient is zero on average and is left out.
"""

from collections.abc import Mapping

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from pinxit.improve.config import ReinforcementConfig
from pinxit.improve.rollout import Rollouts
from pinxit.improve.sequence import begin_of, log_probability, trained
from pinxit.models.language import CausalLanguage
from pinxit.rng import Draws
from pinxit.train.objective import Loss
from pinxit.train.state import TrainState

LEAST = 1e-6  # deviation of a group by which is divided at least


def leave_one_out(returns: Float[Tensor, "b s"]) -> Float[Tensor, "b s"]:
    """What each answer's return is above the mean of the others'."""
    others = (returns.sum(1, keepdim=True) - returns) / (returns.shape[1] - 1)
    return returns - others


def relative_to_group(returns: Float[Tensor, "b s"]) -> Float[Tensor, "b s"]:
    """What each answer's return is above the group's mean, in deviations."""
    return (returns - returns.mean(1, keepdim=True)) / (returns.std(1, keepdim=True) + LEAST)


ADVANTAGES = {"leave-one-out": leave_one_out, "group": relative_to_group}


class Reinforcement:
    """`start` is the language model as the phase began, which stays; the weight counts answers."""

    def __init__(self, language: CausalLanguage, start: CausalLanguage, config: ReinforcementConfig) -> None:
        self.language, self.start, self.config = language, start, config
        self.trained: Mapping[str, nn.Parameter] = trained(language)

    def loss(self, batch: Rollouts, draws: Draws, state: TrainState) -> Loss:
        """The sum over answers of what has the gradient above; parts are means over answers."""
        ids, answer = (rearrange(each, "b s t -> (b s) t") for each in (batch.ids, batch.answer))
        first, temperature = begin_of(answer), self.config.sampling.temperature
        logits = self.language.logits(ids, first) / temperature
        with torch.no_grad():
            before = self.start.logits(ids, first) / temperature
        said = (log_probability(logits, ids) * answer).sum(1)
        apart = (self.divergence(logits, before, ids) * answer).sum(1)
        beta, reward = self.config.penalty, batch.reward.flatten()
        returns = rearrange((reward - beta * apart).detach(), "(b s) -> b s", b=len(batch.position))
        advantage = ADVANTAGES[self.config.baseline](returns).flatten()
        total = -(advantage * said).sum()
        if self.config.divergence == "exact":
            total = total + beta * apart.sum()
        parts = {
            "reward": float(reward.mean()),
            "divergence": float(apart.detach().mean()),
            "length": batch.tokens / len(reward),
        }
        return Loss(total, len(reward), parts)

    def divergence(
        self, logits: Float[Tensor, "n k v"], before: Float[Tensor, "n k v"], ids: Int[Tensor, "n t"]
    ) -> Float[Tensor, "n t"]:
        """How far the policy is from its start at every token, in nats; zero where no logits tell."""
        if self.config.divergence == "sampled":
            return log_probability(logits.detach(), ids) - log_probability(before, ids)
        now, then = logits[:, :-1].log_softmax(-1), before[:, :-1].log_softmax(-1)
        apart = (now.exp() * (now - then)).sum(-1)
        return nn.functional.pad(apart, (ids.shape[1] - apart.shape[1], 0))

    def after_step(self, state: TrainState) -> None:
        """Nothing else moves."""
