"""A loader whose batches are answers of the current policy, with their rewards.

Every step draws anew from the weights as they are, so a checkpoint between two steps is one between rollouts, and a run
that goes on from it repeats itself: an answer's randomness is that of its place in the run.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pinxit.improve.config import ReinforcementConfig, SamplingConfig
from pinxit.improve.score import Score
from pinxit.improve.sequence import Example, Sequences, pieces, stack
from pinxit.improve.template import Question
from pinxit.models.language import CausalLanguage
from pinxit.rng import Draws, seed_at
from pinxit.train.compute import PLAIN, Compute

Questions = Callable[[Sequence[int]], list[Question]]  # what is asked at each place of a run


@dataclass(frozen=True)
class Rollouts(Sequences):
    """A group of answers to each question, and their rewards."""

    reward: Float[Tensor, "b s"]


def answer(
    language: CausalLanguage, questions: Sequence[Question], how: SamplingConfig, seed: int, positions: Sequence[int]
) -> list[list[int]]:
    """The tokens of an answer to each question, drawn with the randomness of its position; like lengths together."""
    contexts = [language.context(question.text) for question in questions]
    order = sorted(range(len(contexts)), key=lambda place: len(contexts[place]))
    answers: dict[int, list[int]] = {}
    for first in range(0, len(order), how.batch):
        places = order[first : first + how.batch]
        draws = Draws(seed, [positions[place] for place in places], language.device)
        said = language.sample(
            [contexts[place] for place in places], draws, most=how.most, temperature=how.temperature
        )  # fmt: skip
        answers.update(zip(places, said, strict=True))
    return [answers[place] for place in range(len(contexts))]


class RolloutLoader:
    """Groups of answers to the questions at each place; `waited` is the time that answering and scoring took."""

    def __init__(  # noqa: PLR0917  (all that a rollout depends on)
        self,
        language: CausalLanguage,
        questions: Questions,
        score: Score,
        config: ReinforcementConfig,
        seed: int,
        compute: Compute = PLAIN,
    ) -> None:
        self.language, self.questions, self.score, self.config = language, questions, score, config
        self.seed, self.compute = seed_at(seed, "rollout"), compute
        self.waited = 0.0

    def next_step(self, seen: int) -> list[Rollouts]:
        """The micro-batches of the step that starts when `seen` questions were answered."""
        begun = time.perf_counter()
        with torch.no_grad(), self.compute.precision():
            batch = self.roll(tuple(range(seen, seen + self.config.batch)))
        self.waited += time.perf_counter() - begun
        return pieces(batch, self.config.accumulation)

    def roll(self, places: tuple[int, ...]) -> Rollouts:
        """Answers to the questions at these places, and their rewards."""
        group, language = self.config.group, self.language
        asked = self.questions(places)
        questions = [question for question in asked for _ in range(group)]
        positions = [place * group + turn for place in places for turn in range(group)]
        answers = answer(language, questions, self.config.sampling, self.seed, positions)
        reward = self.score(questions, [language.text(tokens) for tokens in answers])
        cut = torch.tensor([tokens[-1] != language.end for tokens in answers])
        reward = (reward - self.config.unfinished * cut).reshape(len(places), group)
        examples = [
            Example(
                tuple((language.context(question.text), tokens) for tokens in answers[group * n : group * (n + 1)]),
                f"question {place}",
            )
            for n, (place, question) in enumerate(zip(places, asked, strict=True))
        ]
        texts = stack(examples, places, language.pad, language.device)
        return Rollouts(**vars(texts), reward=reward.to(language.device))
