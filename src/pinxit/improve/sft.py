"""Imitation, the supervised start: the better answer becomes likely, by itself or where a worse one is shown.

Wang et al. 2023, arXiv 2310.00898:

    policy     L = - sum log M(y_w | x)
    improver   L = - sum log M(y_w | x, y_l)
"""

from collections.abc import Mapping

from einops import rearrange
from torch import nn

from pinxit.improve.pair import Pair
from pinxit.improve.sequence import Sequences, begin_of, log_probability, trained
from pinxit.improve.template import Question
from pinxit.models.language import CausalLanguage
from pinxit.rng import Draws
from pinxit.train.objective import Loss
from pinxit.train.state import TrainState


def show_prompt(pair: Pair) -> list[tuple[Question, str]]:
    """What a policy imitates."""
    return [(Question(pair.prompt), pair.better)]


def show_worse(pair: Pair) -> list[tuple[Question, str]]:
    """What an improver imitates."""
    return [(Question(pair.prompt, pair.worse), pair.better)]


class Imitation:
    """Cross-entropy of the answers' tokens; what was asked is read and not learned."""

    def __init__(self, language: CausalLanguage) -> None:
        self.language = language
        self.trained: Mapping[str, nn.Parameter] = trained(language)

    def loss(self, batch: Sequences, draws: Draws, state: TrainState) -> Loss:
        """The sum over the answers' tokens, whose number is the weight."""
        ids, answer = (rearrange(each, "b s t -> (b s) t") for each in (batch.ids, batch.answer))
        said = log_probability(self.language.logits(ids, begin_of(answer)), ids)
        return Loss(-said[answer].sum(), batch.tokens)

    def after_step(self, state: TrainState) -> None:
        """Nothing else moves."""
