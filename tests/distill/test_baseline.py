"""What distillation is compared with: losses written out, their zeros, and teachers that change at a round's end."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from pinxit.diffusion.config import FlowConfig
from pinxit.diffusion.flow import Flow
from pinxit.diffusion.iddpm import IDDPM
from pinxit.diffusion.process import Level
from pinxit.distill.baseline import ConditionConsistency, ConditionProgressive
from pinxit.distill.config import ConsistencyConfig, ProgressiveConfig
from pinxit.models.adapter.control import Controlled
from pinxit.rng import Draws
from pinxit.train.average import Average
from pinxit.train.config import AverageConfig, OptimizerConfig
from pinxit.train.optimizer import Optimizer
from pinxit.train.state import TrainState
from tests.distill.double import NULL, PLACES, PROCESSES, Knowing, batch, controlled, one


def found(process: Flow | IDDPM, said: Tensor, x: Tensor, at: Level) -> Tensor:
    """The clean latent in a network's word."""
    return x - at.sigma * said if isinstance(process, Flow) else (x - at.sigma * said[:, :3]) / at.alpha


def down(clean: Tensor, x: Tensor, now: Level, then: Level) -> Tensor:
    """One step of DDIM."""
    return then.alpha * clean + then.sigma * (x - now.alpha * clean) / now.sigma


def consistent(
    process: Flow | IDDPM, network: Controlled, teacher: nn.Module, target: nn.Module
) -> ConditionConsistency:
    config = ConsistencyConfig(anchors=10, huber=0.1)
    return ConditionConsistency(network, process, 0.0, NULL, config, teacher=teacher, target=target)


def progressive(process: Flow | IDDPM, network: Controlled, teacher: nn.Module) -> ConditionProgressive:
    config = ProgressiveConfig(grid=8, final=2)
    return ConditionProgressive(network, process, 0.0, NULL, config, teacher=teacher, images=64, batch=16)


@pytest.mark.parametrize("process", PROCESSES)
def test_consistency_is_asked_along_the_teachers_path(process: Flow | IDDPM) -> None:
    given, draws = batch(), Draws(0, PLACES)
    network, teacher, target = (controlled(process.outputs, seed) for seed in range(3))
    levels, chance, eps = process.anchors(10), draws.uniform("time"), draws.normal("noise", (3, 8, 8))
    wanted = []
    for i in PLACES:
        place = int(chance[i] * 10)
        t, s = levels[place], levels[place + 1]

        def end(which: nn.Module, x: Tensor, at: Level, i: int = i) -> Tensor:
            clean = found(process, one(given, which, x, at, i), x, at)
            if isinstance(process, Flow):
                return clean
            scaled = (10 * at.time) ** 2
            return 0.25 / (scaled + 0.25) * x + 10 * at.time / (scaled + 0.25) ** 0.5 * clean

        with torch.no_grad():
            x_t = t.alpha * given.mean[i, None] + t.sigma * eps[i, None]
            x_s = down(found(process, one(given, teacher, x_t, t, i), x_t, t), x_t, t, s)
            distance = end(network, x_t, t) - end(target, x_s, s)
            wanted.append(((distance.square() + 0.01).sqrt() - 0.1).mean())
    made = consistent(process, network, teacher, target).each(network, given, draws)
    assert_close(made.detach(), torch.stack(wanted), rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("process", PROCESSES)
def test_one_step_of_the_student_goes_where_two_of_the_teacher_go(process: Flow | IDDPM, number: int) -> None:
    given, draws = batch(), Draws(0, PLACES)
    network, teacher = (controlled(process.outputs, seed) for seed in range(2))
    stride, levels = 2**number, process.anchors(8)
    chance, eps = draws.uniform("time"), draws.normal("noise", (3, 8, 8))
    wanted = []
    for i in PLACES:
        place = int(chance[i] * (8 // (2 * stride))) * 2 * stride
        t, m, s = (levels[place + k * stride] for k in range(3))
        with torch.no_grad():
            x_t = t.alpha * given.mean[i, None] + t.sigma * eps[i, None]
            x_m = down(found(process, one(given, teacher, x_t, t, i), x_t, t), x_t, t, m)
            x_s = down(found(process, one(given, teacher, x_m, m, i), x_m, m), x_m, m, s)
            clean = found(process, one(given, network, x_t, t, i), x_t, t)
            # the student's step is linear in its clean latent: what it misses, in that unit
            missed = (down(clean, x_t, t, s) - x_s) / (s.alpha - s.sigma * t.alpha / t.sigma)
            wanted.append((missed / t.sigma).square().mean())
    made = progressive(process, network, teacher)
    made.round = number
    assert_close(made.each(network, given, draws).detach(), torch.stack(wanted), rtol=5e-3, atol=1e-5)


def test_networks_that_know_the_picture_have_no_loss() -> None:
    given, process = batch(), Flow(FlowConfig())
    known = Knowing(given.mean)
    assert consistent(process, known, known, known).each(known, given, Draws(0, PLACES)).max() < 1e-5
    assert progressive(process, known, known).each(known, given, Draws(0, PLACES)).max() < 1e-5


def test_an_error_of_the_student_counts_the_same_at_every_level() -> None:
    given = batch()
    known, off = Knowing(given.mean), Knowing(given.mean, 0.3)
    each = progressive(Flow(FlowConfig()), off, known).each(off, given, Draws(0, PLACES))
    assert_close(each, torch.full((16,), 0.09), rtol=1e-3, atol=1e-6)


def test_at_a_rounds_end_the_students_average_becomes_the_teacher() -> None:
    network, teacher, average = (controlled(1, seed) for seed in range(3))
    made = progressive(Flow(FlowConfig()), network, teacher)
    optimizer = Optimizer(dict(network.named_parameters()), OptimizerConfig(), 64)
    state = TrainState(network, Average(average, AverageConfig()), optimizer, seed=0)
    before = teacher.state_dict()["base.final.linear.weight"].clone()
    for seen, changes in ((0, False), (16, True), (32, False), (48, False)):
        state.seen = seen
        made.loss(batch(), Draws(0, PLACES), state)
        assert made.round == seen // 32
        made.after_step(state)
        now = teacher.state_dict()["base.final.linear.weight"]
        if changes:
            assert torch.equal(now, average.state_dict()["base.final.linear.weight"])
            assert not torch.equal(now, before)
            with torch.no_grad():
                next(average.parameters()).add_(1)
        elif seen == 0:
            assert torch.equal(now, before)
    assert not torch.equal(next(teacher.parameters()), next(average.parameters()))


@pytest.mark.parametrize(("grid", "final"), [(16, 3), (4, 4), (12, 4), (2, 8)])
def test_steps_that_halving_does_not_reach_are_refused(grid: int, final: int) -> None:
    with pytest.raises(ValueError, match="which halving does not reach; say"):
        ProgressiveConfig(grid=grid, final=final)
