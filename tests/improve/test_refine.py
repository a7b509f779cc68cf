"""Refining: stops when the gap closes by either rule, keeps what it has, tells what it did; a batch changes nothing."""

from collections.abc import Sequence

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from pinxit.errors import DataError
from pinxit.improve.config import RefineConfig, SamplingConfig
from pinxit.improve.refine import Improver
from pinxit.improve.template import Question
from pinxit.models.language import CausalLanguage
from pinxit.rng import Draws

from .toy import decoder

SAMPLING = SamplingConfig(most=6, temperature=0.5)


class Longer(CausalLanguage):
    """Says the answer that it is shown with a word more, up to a number of words."""

    def __init__(self, most: int) -> None:
        inner = decoder()
        super().__init__(inner.network, inner.tokenizer)
        self.most = most

    def sample(
        self, contexts: Sequence[Sequence[int]], draws: Draws, *, most: int, temperature: float
    ) -> list[list[int]]:
        shown = [self.tokenizer.decode(list(context)[1:]).split("<answer>")[1] for context in contexts]
        words = [len(text.split("<better>")[0].split()) for text in shown]
        return [self.answer(" ".join(["red"] * min(count + 1, self.most))) for count in words]


def by_words(offset: float = 0.0, *, skew: float = 0.0) -> object:
    """A score of gaps: the difference of words, an offset that nobody knows, and a liking for whatever is judged."""

    def score(questions: Sequence[Question], answers: Sequence[str]) -> Float[Tensor, "n"]:
        gaps = [len(a.split()) - len((q.reference or "").split()) for q, a in zip(questions, answers, strict=True)]
        return torch.tensor([offset + gap + skew * (gap != 0) for gap in gaps])

    return score


def improver(stop: str, score: object, *, most: int = 4, rounds: int = 9) -> Improver:
    config = RefineConfig.model_validate({"stop": stop, "rounds": rounds, "sampling": SAMPLING})
    return Improver(Longer(most), score, config)  # type: ignore[arg-type]


@pytest.mark.parametrize("stop", ["relative", "antisymmetric"])
@pytest.mark.parametrize("offset", [-7.0, 0.0, 7.0])
def test_it_stops_where_no_gain_is_predicted_whatever_the_offset(stop: str, offset: float) -> None:
    (trace,) = improver(stop, by_words(offset)).trace(["a prompt"], ["red"])
    assert trace.answer == "red red red red"
    assert [each.is_taken for each in trace.rounds] == [True, True, True, False]
    assert [each.gap for each in trace.rounds] == [1.0, 1.0, 1.0, 0.0]
    assert trace.stop == "no gain"


def test_the_two_rules_differ_where_a_score_likes_whatever_is_judged() -> None:
    fooled, sober = (improver(stop, by_words(skew=-2.0)) for stop in ("relative", "antisymmetric"))
    assert fooled("a prompt", "red") == "red"
    assert sober("a prompt", "red") == "red red red red"


def test_by_rounds_it_goes_on_to_the_last() -> None:
    (trace,) = improver("rounds", by_words(), rounds=6).trace(["a prompt"], ["red"])
    assert [each.is_taken for each in trace.rounds] == [True] * 6
    assert trace.stop == "rounds"
    (none,) = improver("relative", by_words(), rounds=0).trace(["a prompt"], ["red"])
    assert (none.answer, none.stop) == ("red", "rounds")


def test_an_empty_answer_is_improved_and_an_empty_improvement_is_not_taken() -> None:
    assert improver("relative", by_words())("a prompt", "") == "red red red red"
    (trace,) = improver("rounds", by_words(), most=0).trace(["a prompt"], ["red"])
    assert (trace.answer, trace.stop) == ("red", "empty")


def test_the_trace_tells_every_round() -> None:
    (trace,) = improver("relative", by_words(), most=2).trace(["a prompt"], ["red"])
    assert str(trace).splitlines() == [
        "0          red", "1   +1.000 red red", "2   +0.000 red red   (not taken)", "stopped: no gain",
    ]  # fmt: skip


@pytest.mark.parametrize("stop", ["relative", "antisymmetric", "rounds"])
def test_a_batch_of_many_is_improved_as_each_alone(stop: str) -> None:
    config = RefineConfig.model_validate({"stop": stop, "rounds": 3, "sampling": SAMPLING})
    one = Improver(decoder(loud=2), by_words(), config)  # type: ignore[arg-type]
    asked = [("red cat", "a dog"), ("红猫", ""), ("<answer> cat", "\n<better> a cat"), ("blue", "a cat at the house.")]
    together = one.trace(*map(list, zip(*asked, strict=True)))
    assert together == [one.trace([prompt], [text])[0] for prompt, text in asked]
    assert one.trace(["red cat"] * 2, ["a dog"] * 2) == [together[0]] * 2
    assert one.trace([], []) == []


def test_an_empty_prompt_and_one_without_room_are_refused() -> None:
    with pytest.raises(DataError, match="prompt 1: it is empty; say what the answer is to"):
        improver("relative", by_words()).trace(["a", " "], ["b", "c"])
    one = Improver(decoder(), by_words(), RefineConfig(sampling=SAMPLING))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="more than the 64 it reads"):
        one("red " * 60, "a cat")
