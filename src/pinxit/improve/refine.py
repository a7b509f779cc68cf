"""An answer is improved again and again, until the gap closes: y_(k+1) = improver(x, y_k)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pinxit.errors import DataError
from pinxit.improve.config import RefineConfig
from pinxit.improve.rollout import answer
from pinxit.improve.score import Score
from pinxit.improve.template import Question, join
from pinxit.models.language import CausalLanguage
from pinxit.rng import seed_at

Stop = Literal["no gain", "empty", "rounds"]


@dataclass(frozen=True)
class Round:
    """A new answer, its predicted gap to the one before, and whether it took that one's place."""

    answer: str
    gap: float
    is_taken: bool


@dataclass(frozen=True)
class Trace:
    """How an answer was improved, and why no further: no gain was predicted, an empty answer came, or all rounds."""

    prompt: str
    first: str
    rounds: tuple[Round, ...] = ()
    stop: Stop | None = None

    @property
    def answer(self) -> str:
        """The last answer that was taken."""
        return next((each.answer for each in reversed(self.rounds) if each.is_taken), self.first)

    def __str__(self) -> str:
        """One line a round."""
        lines = [f"0          {self.first}"]
        lines += [
            f"{number} {each.gap:+8.3f} {each.answer}{'' if each.is_taken else '   (not taken)'}"
            for number, each in enumerate(self.rounds, 1)
        ]
        return "\n".join([*lines, f"stopped: {self.stop}"])


class Improver:
    """Improves answers by a model and a score of gaps; what comes out depends on prompt, answer and seed alone."""

    def __init__(self, language: CausalLanguage, score: Score, config: RefineConfig, seed: int = 0) -> None:
        self.language, self.score, self.config, self.seed = language, score, config, seed

    def __call__(self, prompt: str, answer: str) -> str:
        """A better answer, or the same where no gain was predicted. The answer may be empty, the prompt may not."""
        return self.trace([prompt], [answer])[0].answer

    def trace(self, prompts: Sequence[str], answers: Sequence[str]) -> list[Trace]:
        """Every answer improved, round by round, all together."""
        for place, prompt in enumerate(prompts):
            if not prompt.strip():
                raise DataError(f"prompt {place}", "it is empty", "say what the answer is to")
        traces = [Trace(*both) for both in zip(prompts, answers, strict=True)]
        positions = [seed_at(self.seed, join(trace.prompt, trace.first)) for trace in traces]
        for number in range(self.config.rounds):
            going = [place for place, trace in enumerate(traces) if trace.stop is None]
            asked = [Question(traces[place].prompt, traces[place].answer) for place in going]
            seed, where = seed_at(self.seed, f"refine/{number}"), [positions[place] for place in going]
            said = answer(self.language, asked, self.config.sampling, seed, where)
            texts = [self.language.text(tokens) for tokens in said]
            for place, text, gap in zip(going, texts, self.gaps(asked, texts), strict=True):
                traces[place] = self._after(traces[place], text, gap)
        return [replace(trace, stop=trace.stop or "rounds") for trace in traces]

    def gaps(self, asked: Sequence[Question], texts: Sequence[str]) -> list[float]:
        """How much better each text is predicted to be than the answer it improves: zero where they are the same.

        r(x, y', y) - r(x, y, y), or antisymmetrised [r(x, y', y) - r(x, y, y')] / 2.
        """
        if not asked:
            return []
        references = [question.reference or "" for question in asked]
        new = self.score(asked, texts)
        if self.config.stop == "antisymmetric":
            turned = [Question(question.prompt, text) for question, text in zip(asked, texts, strict=True)]
            found = (new - self.score(turned, references)) / 2
        else:
            found = new - self.score(asked, references)
        return [float(gap) for gap in found]

    def _after(self, trace: Trace, text: str, gap: float) -> Trace:
        """The trace with one more round."""
        is_taken = bool(text) and (gap > 0 or self.config.stop == "rounds")
        stop: Stop | None = None if is_taken else "no gain" if text else "empty"
        return replace(trace, rounds=(*trace.rounds, Round(text, gap, is_taken)), stop=stop)
