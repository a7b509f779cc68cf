"""An answer is improved again and again, until the gap closes: y_(k+1) = improver(x, y_k)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pinxit.errors import DataError
from pinxit.improve.config import RefineConfig
from pinxit.improve.folder import IMPROVER, POLICY, find_improver, load_gap, load_speaker, read_improver_card
from pinxit.improve.rollout import answer
from pinxit.improve.score import Score, compare_by
from pinxit.improve.sequence import SLACK
from pinxit.improve.template import Question, join
from pinxit.models.device import Device
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
    """Improves answers by a model and a score of gaps; what comes out depends on prompt, answer and seed alone.

    The policy, where there is one, gives the first answer to a prompt that has none.
    """

    def __init__(
        self,
        language: CausalLanguage,
        score: Score,
        config: RefineConfig,
        seed: int = 0,
        *,
        policy: CausalLanguage | None = None,
    ) -> None:
        self.language, self.score, self.config, self.seed, self.policy = language, score, config, seed, policy

    @classmethod
    def load(
        cls, folder: Path | str | None = None, *, rounds: int | None = None, seed: int = 0, device: Device = "cpu"
    ) -> "Improver":
        """The improver of a finished run's folder, or the one that ships; `rounds` takes the place of its own most.

        Raises CheckpointError where there is none, and where an adapter belongs to another model.
        """
        place = find_improver(None if folder is None else Path(folder))
        card = read_improver_card(place)
        config = card.refine
        if rounds is not None:
            config = RefineConfig.model_validate(config.model_dump() | {"rounds": rounds})
        policy = load_speaker(place / POLICY, device) if (place / POLICY).is_dir() else None
        score = compare_by(card.compared, load_gap(place, device))
        return cls(load_speaker(place / IMPROVER, device), score, config, seed, policy=policy)

    def __call__(self, prompt: str, answer: str | None = None) -> str:
        """A better answer, or the same where no gain was predicted: than the given one, or than the policy's.

        The answer may be empty, the prompt may not.
        """
        first = self.first([prompt])[0] if answer is None else answer
        return self.trace([prompt], [first])[0].answer

    def first(self, prompts: Sequence[str]) -> list[str]:
        """The policy's answers, from which to begin; DataError where there is no policy."""
        if self.policy is None:
            raise DataError("the improver", "it has no policy to give a first answer", "give the answer to improve")
        _refuse_empty(prompts)
        where = [seed_at(self.seed, prompt) for prompt in prompts]
        asked = [Question(prompt) for prompt in prompts]
        said = answer(self.policy, asked, self.config.first, seed_at(self.seed, "first"), where)
        return [self.policy.text(tokens) for tokens in said]

    def trace(self, prompts: Sequence[str], answers: Sequence[str]) -> list[Trace]:
        """Every answer improved, round by round, all together."""
        _refuse_empty(prompts)
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

    def check(self, prompt: str) -> None:
        """Raises DataError where the prompt and answers, each as long as may be, are more than is read."""
        if self.policy is not None:
            self.policy.check_room(len(self.policy.context(prompt)), self.config.first.most)
        frame = len(self.language.context(join(prompt, "")))
        self.language.check_room(frame + self.config.sampling.most + SLACK, self.config.sampling.most)

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


def _refuse_empty(prompts: Sequence[str]) -> None:
    for place, prompt in enumerate(prompts):
        if not prompt.strip():
            raise DataError(f"prompt {place}", "it is empty", "say what the answer is to")
