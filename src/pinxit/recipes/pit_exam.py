"""The exam of one seed's models in the study of self-improvement: their answers to the same prompts, judged."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from pinxit.evaluate.interval import Estimate, bootstrap, mean_difference
from pinxit.evaluate.telling import judge
from pinxit.improve.config import SamplingConfig
from pinxit.improve.refine import Improver
from pinxit.improve.rollout import answer
from pinxit.improve.score import AnswerScore, GapScore
from pinxit.improve.template import Question
from pinxit.models.language import CausalLanguage
from pinxit.recipes.brief import Brief
from pinxit.recipes.pit_lineage import FULL, Lineage
from pinxit.rng import seed_at

MARGIN = 0.1  # of scores, within which two answers are as good: less than one fact of eight
SEED = 11
WARM, COOL = 1.0, 0.5  # temperatures of the policy, as it is trained, and of an improver
MOST_ROUNDS = 5

Scores = Float[np.ndarray, "n"]
Model = Callable[[], CausalLanguage]


class Exam:
    """Answers are kept in a folder, and drawn once."""

    def __init__(self, lineage: Lineage, briefs: Sequence[Brief], folder: Path) -> None:
        self.lineage, self.briefs, self.folder = lineage, briefs, folder

    def scores(self, texts: Sequence[str]) -> Scores:
        """The judge's, one an answer."""
        return np.array([judge(brief.facts, text).score for brief, text in zip(self.briefs, texts, strict=True)])

    def say(self, name: str, model: Model, temperature: float, references: Sequence[str] | None = None) -> list[str]:
        """A model's answers to the prompts, or what it makes of the references."""
        file = self.folder / f"{name}, {temperature:g}.json"
        if not file.is_file():
            language, most = model(), self.lineage.config.pairs.answer
            asked = [
                Question(brief.prompt, None if references is None else references[place])
                for place, brief in enumerate(self.briefs)
            ]
            how = SamplingConfig(most=most, temperature=temperature)
            said = answer(language, asked, how, seed_at(SEED, name), range(len(asked)))
            self.folder.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps([language.text(tokens) for tokens in said], indent=0), encoding="utf-8")
        texts: list[str] = json.loads(file.read_text(encoding="utf-8"))
        return texts

    @cached_property
    def original(self) -> list[str]:
        """The policy's answers, which are improved."""
        return self.policy("policy", WARM)

    def policy(self, name: str, temperature: float) -> list[str]:
        """The policy's answers; of another name, others."""
        return self.say(name, lambda: self.lineage.policy, temperature)

    def longer_policy(self, temperature: float) -> list[str]:
        """The answers of the policy that was trained for longer."""
        return self.say("longer policy", lambda: self.lineage.longer_policy, temperature)

    def improved(self, rounds: tuple[int, ...] = FULL, temperature: float = COOL) -> list[str]:
        """The policy's answers, improved once by the improver of some rounds."""
        name = f"improver {self.lineage.name(rounds)}"
        return self.say(name, lambda: self.lineage.improver(rounds), temperature, self.original)

    def best_of_two(self) -> list[str]:
        """Of the policy's answer and another of its own, that of the higher reward."""
        other, score = self.policy("policy again", WARM), AnswerScore(self.lineage.reward)
        questions = [Question(brief.prompt) for brief in self.briefs]
        rewards = [score(questions, texts) for texts in (self.original, other)]
        takes = (rewards[1] > rewards[0]).tolist()
        return [two if taken else one for one, two, taken in zip(self.original, other, takes, strict=True)]

    def improve_again_and_again(self) -> tuple[list[list[str]], Float[np.ndarray, "n rounds"]]:
        """The answers before and after each round, never stopped for want of a gain, and the predicted gaps.

        After an empty answer, which is never taken, the one before it stays.
        """
        lineage = self.lineage
        how = lineage.config.refine.model_copy(update={"rounds": MOST_ROUNDS, "stop": "rounds"})
        improver = Improver(lineage.improver(FULL), GapScore(lineage.gap), how, SEED)
        traces = improver.trace([brief.prompt for brief in self.briefs], self.original)
        texts, gaps = [self.original], np.zeros((len(traces), MOST_ROUNDS))
        for number in range(MOST_ROUNDS):
            texts.append([replace(trace, rounds=trace.rounds[: number + 1]).answer for trace in traces])
            for place, trace in enumerate(traces):
                if number < len(trace.rounds):
                    gaps[place, number] = trace.rounds[number].gap
        return texts, gaps


def mean(values: Scores) -> Estimate:
    """With its bootstrap interval."""
    return Estimate(float(values.mean()), bootstrap(values, SEED))


def win_minus_lose(first: Scores, second: Scores) -> Estimate:
    """The share of prompts at which the first is better, less that at which it is worse; within the margin neither."""
    apart = first - second
    return mean((apart > MARGIN).astype(float) - (apart < -MARGIN))


def difference(first: Scores, second: Scores) -> Estimate:
    """Of the mean scores, over the same prompts."""
    return mean_difference(first.tolist(), second.tolist(), SEED)
