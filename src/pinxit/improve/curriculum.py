"""What is asked in reinforcement: prompts of a policy; answers to improve, from the labelled to the model's own.

Wang et al. 2023 (arXiv 2310.00898), eq. 4 and 5: an improver begins with the labelled answers (round 0), since those of
a trained policy (round 1) are already so good that to improve them is too hard a start.
"""

from collections.abc import Sequence

from pinxit.improve.config import SamplingConfig
from pinxit.improve.pair import Pair
from pinxit.improve.rollout import Questions, answer
from pinxit.improve.template import Question
from pinxit.models.language import CausalLanguage
from pinxit.rng import numpy_at, seed_at


class Deck:
    """Questions at the places of a run: all of them once an epoch, each epoch in an order of its own."""

    def __init__(self, questions: Sequence[Question], seed: int) -> None:
        self.questions, self.seed = questions, seed
        self._epoch: tuple[int, list[int]] = (-1, [])

    def __call__(self, places: Sequence[int]) -> list[Question]:
        """The questions at these places."""
        return [self._at(*divmod(place, len(self.questions))) for place in places]

    def _at(self, epoch: int, turn: int) -> Question:
        if self._epoch[0] != epoch:
            order = numpy_at(self.seed, f"deck/{epoch}").permutation(len(self.questions))
            self._epoch = (epoch, order.tolist())
        return self.questions[self._epoch[1][turn]]


def prompts(pairs: Sequence[Pair], seed: int) -> Questions:
    """What a policy is asked: every prompt, once an epoch however many pairs it has."""
    return Deck([Question(prompt) for prompt in dict.fromkeys(pair.prompt for pair in pairs)], seed)


def labelled(pairs: Sequence[Pair], seed: int) -> Questions:
    """What an improver is asked in round 0: to improve the worse and the better answer of every pair."""
    return Deck([Question(pair.prompt, text) for pair in pairs for text in (pair.worse, pair.better)], seed)


class Own:
    """What an improver is asked in later rounds: to improve the policy's answers, as improved `times` times before."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        policy: CausalLanguage,
        how: SamplingConfig,
        seed: int,
        *,
        improver: CausalLanguage | None = None,
        times: int = 0,
    ) -> None:
        assert (improver is None) == (times == 0)
        self.prompts, self.how, self.seed = prompts(pairs, seed), how, seed
        self.speakers = [policy, *[improver] * times]

    def __call__(self, places: Sequence[int]) -> list[Question]:
        """The questions at these places, answered with the randomness of each."""
        asked = self.prompts(places)
        for turn, speaker in enumerate(self.speakers):
            assert speaker is not None
            said = answer(speaker, asked, self.how, seed_at(self.seed, f"own/{turn}"), places)
            asked = [Question(q.prompt, speaker.text(tokens)) for q, tokens in zip(asked, said, strict=True)]
        return asked
