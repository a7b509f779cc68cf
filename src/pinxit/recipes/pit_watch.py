"""What becomes of a model in reinforcement: at its start and every so often it answers the same held-out prompts.

Kept are the weights at which the reward itself is highest there: the judge looks on and chooses nothing.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from pinxit.config import Config
from pinxit.evaluate.telling import judge
from pinxit.improve.config import SamplingConfig
from pinxit.improve.rollout import answer
from pinxit.improve.score import Score
from pinxit.improve.sequence import Example, begin_of, log_probability, stack, trained
from pinxit.improve.template import Question
from pinxit.log import append_line, drop_lines_after, read_lines
from pinxit.models.language import CausalLanguage
from pinxit.recipes.brief import Brief
from pinxit.rng import seed_at
from pinxit.train.run import StepReport
from pinxit.train.state import TrainState

SEED = 7
LINES, BEST = "watch.jsonl", "best.safetensors"


class Seen(Config):
    """After so many questions, as means over the watched prompts: what the reward says (of an improver's answers above
    that of the answers they improve), what the judge says, nats from the start, tokens an answer.
    """

    seen: int
    reward: float
    judge: float
    divergence: float
    length: float


class Watch:
    """A hook: every `every` questions one line in the folder's `watch.jsonl`; the best weights are beside it, those of
    the start among the candidates.
    """

    def __init__(  # noqa: PLR0917  (who is watched, by whom, on what)
        self,
        language: CausalLanguage,
        start: CausalLanguage,
        score: Score,
        asked: Sequence[Question],
        briefs: Sequence[Brief],
        how: SamplingConfig,
        folder: Path,
        every: int,
    ) -> None:
        self.language, self.start, self.score, self.asked, self.briefs = language, start, score, asked, briefs
        self.how, self.folder, self.every = how, folder, every
        self._goes_on = False

    def begin(self) -> None:
        """The model was examined before its first step."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not read_watch(self.folder):
            self._note(0)

    def __call__(self, state: TrainState, report: StepReport) -> None:
        """The model is examined where it is due."""
        if not self._goes_on:
            drop_lines_after(self.folder / LINES, state.seen - 1)
            self._goes_on = True
        if not state.seen % self.every:
            self._note(state.seen)

    def _note(self, seen: int) -> None:
        found = self.examine(seen)
        if all(found.reward > before.reward for before in read_watch(self.folder)):
            save_file({name: p.detach() for name, p in trained(self.language).items()}, self.folder / BEST)
        append_line(self.folder / LINES, found.model_dump())

    @torch.no_grad()
    def examine(self, seen: int) -> Seen:
        """What is said of the model as it is now; drawn with the same randomness each time."""
        language, count = self.language, len(self.asked)
        said = answer(language, self.asked, self.how, seed_at(SEED, "watch"), range(count))
        texts = [language.text(tokens) for tokens in said]
        reward = self.score(self.asked, texts)
        if self.asked[0].reference is not None:
            reward = reward - self.score(self.asked, [question.reference or "" for question in self.asked])
        examples = [
            Example(((language.context(question.text), tokens),), "")
            for question, tokens in zip(self.asked, said, strict=True)
        ]
        batch = stack(examples, tuple(range(count)), language.pad, language.device)
        ids, told = batch.ids[:, 0], batch.answer[:, 0]
        now, then = (log_probability(each.logits(ids, begin_of(told)), ids) for each in (language, self.start))
        return Seen(
            seen=seen,
            reward=float(reward.mean()),
            judge=sum(judge(brief.facts, text).score for brief, text in zip(self.briefs, texts, strict=True)) / count,
            divergence=float(((now - then) * told).sum() / count),
            length=sum(map(len, said)) / count,
        )


def read_watch(folder: Path) -> list[Seen]:
    """What was seen so far in a phase."""
    return [Seen.model_validate(row) for row in read_lines(folder / LINES)]


def chosen(looks: Sequence[Seen]) -> Seen:
    """The look at the weights that are kept: of the highest reward, the first of several."""
    return max(looks, key=lambda look: look.reward)


def take_best(language: CausalLanguage, folder: Path) -> None:
    """The model has the weights that were best in a phase by the reward."""
    best, parameters = load_file(folder / BEST), trained(language)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(best[name])
