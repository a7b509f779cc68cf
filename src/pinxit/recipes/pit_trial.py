"""The trials of the study of self-improvement: each looks at one seed's models and gives one finished row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, TypeAdapter

from pinxit.config import Config
from pinxit.evaluate.interval import Estimate, Share
from pinxit.evaluate.rating import rate
from pinxit.evaluate.telling import judge
from pinxit.improve.order import order
from pinxit.improve.pair import Pair
from pinxit.improve.score import DifferenceScore, GapScore, Score
from pinxit.improve.template import Question
from pinxit.recipes.pit_exam import COOL, MARGIN, SEED, WARM, Exam, Scores, difference, mean, win_minus_lose
from pinxit.recipes.pit_lineage import FULL
from pinxit.recipes.pit_watch import Seen

HEADROOM = 0.75  # of the judge's most, above which a policy leaves nothing to improve
TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0)

Number = tuple[float, float, float]  # and the ends of its 95 % interval


class Row(Config):
    """Whose it is."""

    name: str
    seed: int
    trial: str
    n: int = Field(description="prompts")


class Gate(Row):
    """Whether there is something to improve: the policy is above the data's better answers and below three quarters."""

    kind: Literal["gate"] = "gate"
    better: Number = Field(description="score of the data's better answers")
    start: Number = Field(description="of the policy that imitates them")
    policy: Number
    cooler: Number = Field(description="of the policy at an improver's temperature")

    @property
    def is_passed(self) -> bool:
        """Both are so."""
        return self.better[0] < self.policy[0] < HEADROOM


class Arm(Row):
    """What one way makes of the policy's answers."""

    kind: Literal["arm"] = "arm"
    score: Number
    broken: float = Field(description="share of answers that are no caption in the grammar")
    words: float
    delta: Number = Field(description="win minus lose over the policy's answers")
    wins: float
    losses: float
    gain: Number = Field(description="score above the policy's answers")
    parts: Mapping[str, Number] = Field(description="delta by what is new in the prompts")
    improver: Number = Field(description="win minus lose of the improver over this one")


class Order(Row):
    """How often rewards put answers in order, on pairs of several origins."""

    kind: Literal["order"] = "order"
    pairs: Mapping[str, int]
    gap: Mapping[str, Number] = Field(description="r(w, l) > r(w, w), r(l, l) > r(l, w) by the five terms")
    gap_sides: Mapping[str, Number] = Field(description="r(w, l) > r(l, w) by the five terms")
    difference: Mapping[str, Number] = Field(description="either, by the difference of rewards of one answer")


class Rounds(Row):
    """The policy's answers and five improvements, and what the stop rule takes of them."""

    kind: Literal["rounds"] = "rounds"
    scores: tuple[Number, ...]
    gaps: tuple[float, ...] = Field(description="predicted, of each round over the one before")
    ratings: tuple[Number, ...]
    stopped: Number = Field(description="score of what the stop rule takes")
    stopped_after: float = Field(description="rounds that it takes, on the average")
    lost: Number = Field(description="score of what it takes less that of the round that is best on the average")

    @property
    def best(self) -> int:
        """The round of the highest mean score."""
        return max(range(len(self.scores)), key=lambda number: self.scores[number][0])


class Curves(Row):
    """What was seen of each model in reinforcement."""

    kind: Literal["curves"] = "curves"
    phases: Mapping[str, tuple[Seen, ...]] = Field(description="the policy's first, then the improver's rounds")


Finished = Annotated[Gate | Arm | Order | Rounds | Curves, Field(discriminator="kind")]
FINISHED: TypeAdapter[Gate | Arm | Order | Rounds | Curves] = TypeAdapter(Finished)
Trial = Callable[[Exam, Row], Finished]


def gate(exam: Exam, row: Row) -> Finished:
    """Before an improver is trained."""
    start = exam.say("policy that imitates", lambda: exam.lineage.policy_start, WARM)
    answers = {
        "better": [brief.better for brief in exam.briefs], "start": start, "policy": exam.original,
        "cooler": exam.policy("policy", COOL),
    }  # fmt: skip
    return Gate(**vars(row), **{name: told(mean(exam.scores(texts))) for name, texts in answers.items()})


def arm(texts_of: Callable[[Exam], list[str]]) -> Trial:
    """The trial of a way to answer."""

    def trial(exam: Exam, row: Row) -> Finished:
        texts = texts_of(exam)
        scores, before, best = (exam.scores(each) for each in (texts, exam.original, exam.improved()))
        kinds = np.array([brief.kind for brief in exam.briefs])
        parts = {
            kind: told(win_minus_lose(scores[kinds == kind], before[kinds == kind])) for kind in sorted(set(kinds))
        }
        return Arm(
            **vars(row), score=told(mean(scores)), broken=_broken(exam, texts),
            words=sum(len(text.split()) for text in texts) / len(texts), delta=told(win_minus_lose(scores, before)),
            wins=float((scores - before > MARGIN).mean()), losses=float((before - scores > MARGIN).mean()),
            gain=told(difference(scores, before)), parts=parts, improver=told(win_minus_lose(best, scores)),
        )  # fmt: skip

    return trial


def orders(exam: Exam, row: Row) -> Finished:
    """Held-out pairs of the data, two samples of the policy, and the improver's answers beside the policy's.

    Of the last two, those that the judge finds apart; where there are none, nothing is said.
    """
    again, improved = exam.policy("policy again", WARM), exam.improved()
    origins = {
        "held-out pairs": [Pair(brief.prompt, brief.better, brief.worse) for brief in exam.briefs],
        "two samples of the policy": _judged(exam, exam.original, again),
        "the improver's and the policy's": _judged(exam, improved, exam.original),
    }
    origins = {origin: pairs for origin, pairs in origins.items() if pairs}
    by: Mapping[str, Score] = {"gap": GapScore(exam.lineage.gap), "difference": DifferenceScore(exam.lineage.reward)}
    found = {name: {origin: _order(score, pairs) for origin, pairs in origins.items()} for name, score in by.items()}
    sides = {origin: _sides(by["gap"], pairs) for origin, pairs in origins.items()}
    return Order(**vars(row), pairs={each: len(pairs) for each, pairs in origins.items()}, gap_sides=sides, **found)


def rounds(exam: Exam, row: Row) -> Finished:
    """One to five rounds; the stop rule ends before the first round for which no gain is predicted."""
    texts, gaps = exam.improve_again_and_again()
    scores = np.stack([exam.scores(each) for each in texts])
    taken = (gaps > 0).cumprod(1).sum(1)
    stopped: Scores = scores[taken, np.arange(len(taken))]
    best = scores[scores.mean(1).argmax()]
    return Rounds(
        **vars(row), scores=tuple(told(mean(each)) for each in scores), gaps=tuple(gaps.mean(0).tolist()),
        ratings=tuple(map(told, rate(scores, MARGIN, SEED))), stopped=told(mean(stopped)),
        stopped_after=float(taken.mean()), lost=told(difference(stopped, best)),
    )  # fmt: skip


def curves(exam: Exam, row: Row) -> Finished:
    """The policy's, and those of the curriculum's rounds."""
    lineage = exam.lineage
    lineage.improver(FULL)
    names = ("policy", *(lineage.name(FULL[: count + 1]) for count in range(len(FULL))))
    return Curves(**vars(row), phases={name: tuple(lineage.looks(name)) for name in names})


TRIALS: Mapping[str, Trial] = {  # those first that tell most
    "gate": gate,
    "improver": arm(lambda exam: exam.improved()),
    "policy, cooler": arm(lambda exam: exam.policy("policy", COOL)),
    "best of two": arm(Exam.best_of_two),
    "imitation alone": arm(lambda exam: exam.improved(())),
    "order": orders,
    "rounds": rounds,
    "curves": curves,
    "round 0 alone": arm(lambda exam: exam.improved((0, 0))),
    "longer policy": arm(lambda exam: exam.longer_policy(WARM)),
    "longer policy, cooler": arm(lambda exam: exam.longer_policy(COOL)),
    "round 1 alone": arm(lambda exam: exam.improved((1, 1))),
    **{
        f"improver at {each:g}": arm(lambda exam, temperature=each: exam.improved(FULL, temperature))  # type: ignore[misc]
        for each in TEMPERATURES
    },
}


def told(estimate: Estimate) -> Number:
    """An estimate as it stands in a row."""
    return (estimate.value, *estimate.interval)


def _broken(exam: Exam, texts: Sequence[str]) -> float:
    verdicts = [judge(brief.facts, text) for brief, text in zip(exam.briefs, texts, strict=True)]
    return sum(verdict.is_broken for verdict in verdicts) / len(verdicts)


def _judged(exam: Exam, some: Sequence[str], others: Sequence[str]) -> list[Pair]:
    """Pairs of answers that the judge finds apart, the better one first."""
    apart = exam.scores(some) - exam.scores(others)
    pairs = [Pair(brief.prompt, *both) for brief, *both in zip(exam.briefs, some, others, strict=True)]
    turned = [replace(pair, better=pair.worse, worse=pair.better) for pair in pairs]
    chosen = [pair if gain > 0 else back for pair, back, gain in zip(pairs, turned, apart, strict=True)]
    return [pair for pair, gain in zip(chosen, apart, strict=True) if abs(gain) > MARGIN and pair.better and pair.worse]


def _order(score: Score, pairs: Sequence[Pair]) -> Number:
    """The share with all four combinations in order."""
    found = order(score, pairs)
    return (found.ordered / found.pairs, *found.interval)


def _sides(score: Score, pairs: Sequence[Pair]) -> Number:
    """The share in which the better answer is more above the worse than that above it."""
    over = score([Question(pair.prompt, pair.worse) for pair in pairs], [pair.better for pair in pairs])
    under = score([Question(pair.prompt, pair.better) for pair in pairs], [pair.worse for pair in pairs])
    share = Share(int((over > under).sum()), len(pairs))
    return (share.value, *share.interval)
