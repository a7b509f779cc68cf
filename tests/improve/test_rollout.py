"""Rollouts: of the current policy, each as it would be alone, scored as text, the same when they are made again."""

from collections.abc import Sequence

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from pinxit.improve.config import ReinforcementConfig, SamplingConfig
from pinxit.improve.curriculum import Deck, Own, labelled, prompts
from pinxit.improve.pair import Pair
from pinxit.improve.rollout import RolloutLoader, answer
from pinxit.improve.template import Question
from pinxit.rng import seed_at

from .toy import decoder, pairs

SAMPLING = SamplingConfig(most=6)
DATA = pairs()[:5]


def count_letters(questions: Sequence[Question], answers: Sequence[str]) -> Float[Tensor, "n"]:
    return torch.tensor([float(len(text)) for text in answers])


def config(**changes: object) -> ReinforcementConfig:
    return ReinforcementConfig.model_validate({"batch": 4, "group": 3, "sampling": SAMPLING, **changes})


def loader(**changes: object) -> RolloutLoader:
    return RolloutLoader(decoder(loud=2), labelled(DATA, 0), count_letters, config(**changes), 0)


def test_a_step_holds_groups_of_answers_to_its_questions_and_their_rewards() -> None:
    rollouts = loader()
    language, asked = rollouts.language, labelled(DATA, 0)(range(8, 12))
    (batch,) = rollouts.next_step(8)
    assert batch.position == (8, 9, 10, 11)
    assert batch.reward.shape == batch.ids.shape[:2] == (4, 3)
    for row, question in enumerate(asked):
        context = language.context(question.text)
        for turn in range(3):
            ids, marked = batch.ids[row, turn], batch.answer[row, turn]
            assert ids[: len(context)].tolist() == context
            said = ids[marked].tolist()
            assert ids[len(context) : len(context) + len(said)].tolist() == said
            assert float(batch.reward[row, turn]) == len(language.text(said))
    assert len({tuple(batch.ids[0, turn].tolist()) for turn in range(3)}) > 1
    assert rollouts.waited > 0


def test_a_rollout_is_a_function_of_its_place_the_weights_and_the_seed() -> None:
    (first,) = loader().next_step(8)
    again = loader(accumulation=2, sampling=SAMPLING.model_copy(update={"batch": 2})).next_step(8)
    assert torch.equal(torch.cat([part.reward for part in again]), first.reward)
    other = loader()
    other.seed += 1
    assert not torch.equal(other.next_step(8)[0].ids, first.ids)
    moved = loader()
    moved.language.network.lm_head.weight.data.mul_(-1)
    assert not torch.equal(moved.next_step(8)[0].reward, first.reward)


def test_an_answer_that_does_not_end_in_time_pays_for_it() -> None:
    free, paying = loader().next_step(0)[0], loader(unfinished=2.5).next_step(0)[0]
    end = decoder().end
    for row in range(4):
        for turn in range(3):
            cut = int(free.ids[row, turn][free.answer[row, turn]][-1]) != end
            assert float(free.reward[row, turn] - paying.reward[row, turn]) == 2.5 * cut
    assert not torch.equal(free.reward, paying.reward)


def test_answers_of_many_are_those_of_one_by_one() -> None:
    language = decoder(loud=2)
    questions = [Question("red " * n, reference) for n in (0, 9, 3) for reference in (None, "a cat", "你好")]
    together = answer(language, questions, SAMPLING.model_copy(update={"batch": 4}), 7, range(9))
    assert together == [answer(language, [q], SAMPLING, 7, [place])[0] for place, q in enumerate(questions)]
    assert answer(language, [], SAMPLING, 7, []) == []


def test_every_question_is_asked_once_an_epoch_in_an_order_of_its_own() -> None:
    deck = Deck([Question(str(number)) for number in range(7)], seed=0)
    asked = deck(range(21))
    epochs = [tuple(question.prompt for question in asked[first : first + 7]) for first in (0, 7, 14)]
    assert all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
    assert len(set(epochs)) == 3
    assert deck([20, 3]) == [asked[20], asked[3]]


def test_the_first_round_improves_worse_and_better_answers_and_a_policy_is_asked_each_prompt_once() -> None:
    twice = [Pair("x", "b", "a"), Pair("x", "d", "c"), Pair("y", "f", "e")]
    assert {(q.prompt, q.reference) for q in labelled(twice, 0)(range(6))} == {
        ("x", "a"), ("x", "b"), ("x", "c"), ("x", "d"), ("y", "e"), ("y", "f"),
    }  # fmt: skip
    assert sorted(q.prompt for q in prompts(twice, 0)(range(2))) == ["x", "y"]


@pytest.mark.parametrize("times", [0, 2])
def test_later_rounds_improve_the_policys_own_answers_as_improved_before(times: int) -> None:
    policy, improver = decoder(1, loud=2), decoder(2, loud=2)
    own = Own(DATA, policy, SAMPLING, 5, improver=improver if times else None, times=times)
    together = own(range(4))
    assert [own([place])[0] for place in range(4)] == together
    for place, question in enumerate(together):
        (asked,) = prompts(DATA, 5)([place])
        for turn, speaker in enumerate([policy, *[improver] * times]):
            (said,) = answer(speaker, [asked], SAMPLING, seed_at(5, f"own/{turn}"), [place])
            asked = Question(asked.prompt, speaker.text(said))
        assert question == asked
