"""The losses are those of the paper, written out slowly; only what is trained gets gradients."""

from collections.abc import Callable
from copy import deepcopy
from math import log

import pytest
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.testing import assert_close

from pinxit.improve.config import ReinforcementConfig
from pinxit.improve.gap import Gap, combine
from pinxit.improve.policy import Reinforcement, leave_one_out, relative_to_group
from pinxit.improve.reward import Preference, compare
from pinxit.improve.rollout import Rollouts
from pinxit.improve.score import AnswerScore, DifferenceScore, GapScore, RewardModel
from pinxit.improve.sequence import Sequences, encode, stack
from pinxit.improve.sft import Imitation, show_prompt, show_worse
from pinxit.improve.template import Question
from pinxit.models.language import CausalLanguage
from pinxit.rng import Draws
from pinxit.train.average import Average
from pinxit.train.config import AverageConfig, OptimizerConfig
from pinxit.train.objective import Objective
from pinxit.train.optimizer import Optimizer
from pinxit.train.state import TrainState

from .toy import decoder, pairs

DATA = pairs()[:6]


def state(objective: Objective[Sequences]) -> TrainState:
    optimizer = Optimizer(objective.trained, OptimizerConfig(), 100)
    return TrainState(nn.Module(), Average(nn.Module(), AverageConfig()), optimizer, seed=0)


def batch(language: CausalLanguage, show: Callable[..., list[tuple[Question, str]]]) -> Sequences:
    examples = [encode(language, show(pair), pair.place) for pair in DATA]
    return stack(examples, tuple(range(len(DATA))), language.pad, language.device)


@pytest.mark.parametrize("show", [show_prompt, show_worse])
def test_imitation_is_the_loss_of_transformers_on_the_answers_tokens(
    show: Callable[..., list[tuple[Question, str]]],
) -> None:
    language = decoder(loud=3)
    total = torch.zeros(())
    for pair in DATA:
        ((question, answer),) = show(pair)
        assert question.prompt == pair.prompt
        assert question.reference == (pair.worse if show is show_worse else None)
        context, said = language.context(question.text), language.answer(answer)
        ids = torch.tensor([context + said])
        labels = torch.tensor([[-100] * len(context) + said])
        total = total + language.network(input_ids=ids, labels=labels).loss * len(said)
    objective = Imitation(language)
    loss = objective.loss(batch(language, show), Draws(0, range(6)), state(objective))
    assert_close(loss.total, total)
    assert loss.weight == sum(len(language.answer(pair.better)) for pair in DATA)


def test_pairs_are_learned_by_bradley_and_terry() -> None:
    model = RewardModel(decoder(loud=3), 0)
    objective = Preference(model)
    loss = objective.loss(batch(model.language, compare), Draws(0, range(6)), state(objective))
    total, right = 0.0, 0
    for pair in DATA:
        better, worse = model.measure([Question(pair.prompt)] * 2, [pair.better, pair.worse])
        total -= log(1 / (1 + torch.exp(worse - better)))
        right += bool(better > worse)
    assert_close(float(loss.total.detach()), total, rtol=1e-4, atol=1e-4)
    assert loss.parts["ordered"] == pytest.approx(right / 6)


def test_gaps_are_learned_by_five_comparisons_of_four_readings() -> None:
    model = RewardModel(decoder(loud=3), 0)
    objective = Gap(model)
    loss = objective.loss(batch(model.language, combine), Draws(0, range(6)), state(objective))
    total, right = 0.0, 0
    for pair in DATA:

        def read(first: str, second: str, prompt: str = pair.prompt) -> float:
            return float(model.measure([Question(prompt, second)], [first])[0])

        good, bad = pair.better, pair.worse
        for greater, lesser in (
            ((good, bad), (bad, good)), ((good, bad), (good, good)), ((good, bad), (bad, bad)),
            ((good, good), (bad, good)), ((bad, bad), (bad, good)),
        ):  # fmt: skip
            apart = torch.tensor(read(*greater) - read(*lesser), dtype=torch.float64)
            total -= float(torch.log(torch.sigmoid(apart)))
        middle = read(good, good), read(bad, bad)
        right += read(good, bad) > max(middle) and min(middle) > read(bad, good)
    assert_close(float(loss.total.detach()), total, rtol=1e-4, atol=1e-4)
    assert loss.parts["ordered"] == pytest.approx(right / 6)
    assert loss.weight == 6


def test_a_reward_that_tells_nothing_has_the_loss_of_chance() -> None:
    model = RewardModel(decoder(), 0)
    nn.init.zeros_(model.head.weight)
    for objective, show, terms in ((Preference(model), compare, 1), (Gap(model), combine, 5)):
        loss = objective.loss(batch(model.language, show), Draws(0, range(6)), state(objective))
        assert float(loss.total.detach()) / 6 == pytest.approx(terms * log(2))


def test_a_text_has_the_same_reward_alone_and_among_others() -> None:
    model = RewardModel(decoder(loud=3), 0, batch=3)
    questions = [Question(pair.prompt, "x" * n) for n, pair in enumerate(DATA)]
    answers = [pair.better for pair in DATA[:-2]] + ["", "蓝色的猫"]
    together = model.measure(questions, answers)
    alone = torch.cat([model.measure([q], [a]) for q, a in zip(questions, answers, strict=True)])
    assert_close(together, alone, rtol=1e-4, atol=1e-4)
    assert model.measure([], []).shape == (0,)


def test_a_reward_of_gaps_begins_as_what_is_found_in_the_answer_less_what_is_found_before() -> None:
    reward = RewardModel(decoder(loud=3), 0)
    gap, language = reward.over_reference(), reward.language
    for pair in DATA:
        context, said = language.context(Question(pair.prompt, pair.worse).text), language.answer(pair.better)
        with torch.no_grad():
            found = language.states(torch.tensor([context + said]))[0] @ reward.head.weight[1]
        wanted = found[len(context) :].sum() - found[: len(context)].sum()
        measured = gap.measure([Question(pair.prompt, pair.worse)], [pair.better])
        assert_close(measured[0], wanted / (len(context) + len(said)) ** 0.5, rtol=1e-4, atol=1e-4)
    nn.init.zeros_(gap.language.get_parameter("network.model.norm.weight"))
    assert reward.measure([Question("red cat house")], ["a red cat."]).abs() > 0  # which has not moved


def test_scores_read_what_they_say() -> None:
    model = RewardModel(decoder(loud=3), 0)
    questions = [Question(pair.prompt, pair.worse) for pair in DATA]
    better = [pair.better for pair in DATA]
    bare = [Question(pair.prompt) for pair in DATA]
    assert_close(AnswerScore(model)(questions, better), model.measure(bare, better))
    assert_close(GapScore(model)(questions, better), model.measure(questions, better))
    wanted = model.measure(bare, better) - model.measure(bare, [pair.worse for pair in DATA])
    assert_close(DifferenceScore(model)(questions, better), wanted)


def test_advantages_are_those_written_out_by_hand() -> None:
    returns = torch.tensor([[1.0, 2.0, 6.0], [5.0, 5.0, 5.0]])
    assert_close(leave_one_out(returns), torch.tensor([[-3.0, -1.5, 4.5], [0.0, 0.0, 0.0]]))
    assert_close(relative_to_group(returns)[0], torch.tensor([-2.0, -1.0, 3.0]) / 7**0.5, rtol=1e-5, atol=1e-5)
    assert_close(relative_to_group(returns)[1], torch.zeros(3))
    assert_close(leave_one_out(returns + 100), leave_one_out(returns))


class Table(CausalLanguage):
    """A policy over answers of two tokens, of which there are three: a table of logits."""

    def __init__(self, seed: int) -> None:
        nn.Module.__init__(self)
        drawn = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        self.table = nn.Parameter(drawn)  # after the context, and after each first token

    def logits(self, ids: Int[Tensor, "b t"], first: int = 0) -> Float[Tensor, "b k v"]:
        assert first == 0
        return torch.stack(
            [self.table[:1].expand(len(ids), -1), self.table[ids[:, 1] + 1], self.table[ids[:, 2] + 1]], 1
        )


@pytest.mark.parametrize("divergence", ["exact", "sampled"])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_gradient_is_on_average_that_of_reward_less_divergence(divergence: str, temperature: float) -> None:
    policy, start = Table(0), Table(1)
    config = ReinforcementConfig.model_validate(
        {"divergence": divergence, "penalty": 0.4, "group": 2, "sampling": {"temperature": temperature}}
    )
    answers = [(first, second) for first in range(3) for second in range(3)]
    reward = torch.randn(9, generator=torch.Generator().manual_seed(2), dtype=torch.float64) + 5

    def said(table: Table) -> Tensor:
        logs = (table.table / temperature).log_softmax(1)
        return torch.stack([logs[0, first] + logs[first + 1, second] for first, second in answers])

    own, other = said(policy), said(start).detach()
    goal = (own.exp() * (reward - 0.4 * (own - other))).sum()
    (wanted,) = torch.autograd.grad(goal, policy.table)
    objective = Reinforcement(policy, start, config)
    ids = torch.tensor([[0, *answer] for answer in answers])
    share, found = own.detach().exp(), torch.zeros(4, 3, dtype=torch.float64)
    for one in range(9):  # every group of two answers, as often as it is drawn
        for two in range(9):
            group = Rollouts(
                ids[[one, two]][None], torch.tensor([[[False, True, True]] * 2]), (0,), ("x",), reward[[one, two]][None]
            )
            loss = objective.loss(group, Draws(0, [0]), state(objective))
            (gradient,) = torch.autograd.grad(loss.total, policy.table)
            found -= share[one] * share[two] * gradient / loss.weight
    assert_close(found, wanted)


def test_only_the_policy_learns_and_at_the_start_it_has_not_moved() -> None:
    policy = decoder(loud=3)
    start = policy.frozen()
    objective = Reinforcement(policy, start, ReinforcementConfig())
    texts = batch(policy, compare)
    given = Rollouts(**vars(texts), reward=torch.randn(6, 2))
    loss = objective.loss(given, Draws(0, range(6)), state(objective))
    loss.total.backward()
    assert loss.parts["divergence"] == pytest.approx(0, abs=1e-5)
    assert all(parameter.grad is None for parameter in start.parameters())
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in policy.parameters())


def test_what_pads_and_what_is_asked_has_no_part_in_it() -> None:
    policy = decoder(loud=3)
    moved = deepcopy(policy)
    for parameter in moved.parameters():
        parameter.data.mul_(0.9)
    for kind in ("exact", "sampled"):
        config = ReinforcementConfig.model_validate({"divergence": kind})
        objective = Reinforcement(moved, policy.frozen(), config)
        texts, reward = batch(policy, compare), torch.randn(6, 2)
        examples = [encode(policy, compare(pair), "") for pair in DATA]
        examples.append(encode(policy, [(Question("red " * 20), "")] * 2, ""))
        wide = stack(examples, tuple(range(7)), policy.pad, policy.device)
        assert wide.ids.shape[2] > texts.ids.shape[2]
        wide = Sequences(wide.ids[:6], wide.answer[:6], wide.position[:6], wide.keys[:6])
        narrow, padded = (
            objective.loss(Rollouts(**vars(each), reward=reward), Draws(0, range(6)), state(objective))
            for each in (texts, wide)
        )
        assert_close(narrow.total, padded.total, rtol=1e-4, atol=1e-4)
        assert narrow.parts == pytest.approx(padded.parts, rel=1e-4)
