"""Consistency distillation: its teacher's step, its zero, and who learns from whom."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from pinxit.data.kind import Batch
from pinxit.diffusion.config import FlowConfig, IDDPMConfig
from pinxit.diffusion.flow import Flow
from pinxit.diffusion.guidance import guided
from pinxit.diffusion.iddpm import IDDPM
from pinxit.diffusion.process import Process
from pinxit.diffusion.solver.ddim import ddim
from pinxit.distill.config import ConsistencyConfig
from pinxit.distill.consistency import Consistency
from pinxit.generate.sample import denoiser
from pinxit.models.config import TransformerConfig
from pinxit.models.null import NullCondition
from pinxit.models.transformer import Transformer
from pinxit.rng import Draws

NULL = NullCondition("empty", torch.full((1, 6), 0.5))
PLACES = tuple(range(16))


def transformer(outputs: int, seed: int = 0) -> Transformer:
    torch.manual_seed(seed)
    config = TransformerConfig(
        depth=2, width=32, heads=2, channels=3, outputs=outputs, caption_width=6, position_base=4
    )
    network = Transformer(config)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    return network


def batch() -> Batch:
    torch.manual_seed(1)
    mean, count = torch.randn(16, 3, 8, 8), len(PLACES)
    keep = torch.arange(5) < torch.randint(1, 6, (count, 1))
    return Batch(
        mean, torch.zeros_like(mean), torch.randn(count, 5, 6), keep, torch.full((count, 2), 64.0), torch.ones(count),
        torch.full((count,), -1), PLACES,
    )  # fmt: skip


def objective(process: Process, student: Transformer, teacher: Transformer, target: nn.Module) -> Consistency:
    config = ConsistencyConfig(anchors=10, guidance=3.0)
    return Consistency(student, process, NULL, config, teacher=teacher, target=target)


@pytest.mark.parametrize("process", [Flow(FlowConfig(shift=1.5)), IDDPM(IDDPMConfig())])
def test_the_teachers_step_is_one_of_guided_ddim_at_every_pictures_own_level(process: Flow | IDDPM) -> None:
    teacher, given = transformer(process.outputs), batch()
    made = objective(process, teacher, teacher, teacher)
    place = torch.tensor([i % 10 for i in PLACES])
    x_t = torch.randn(16, 3, 8, 8)
    with torch.no_grad():
        stepped = made.step(x_t, made.moments.at(place), made.moments.at(place + 1), given)
        for i in PLACES:
            told = (
                (given.caption[i, None], given.keep[i, None]),
                (NULL.states[None], torch.ones(1, 1, dtype=torch.bool)),
            )
            readings = [teacher.read(*each) for each in told]

            def predict(x: Tensor, time: Tensor, heard: int, readings: Sequence[object] = readings) -> list[Tensor]:
                return teacher.denoise_each(x, time, readings[:heard])  # type: ignore[arg-type]

            levels = process.anchors(10)[i % 10 :][:2]
            wanted = ddim(guided(denoiser(predict, process), 3.0), x_t[i, None], levels)
            assert_close(stepped[i, None], wanted, rtol=1e-4, atol=1e-4)


class Point(Transformer):
    """Knows that every picture is the same one: its path is straight and its consistency function constant."""

    def __init__(self, clean: Tensor) -> None:
        super().__init__(transformer(1).config)
        self.goal = clean

    def denoise_each(self, latent: Tensor, time: Tensor, readings: Sequence[object], *_: object) -> list[Tensor]:  # type: ignore[override]
        t = (time / 1000)[:, None, None, None]
        return [torch.where(t > 0, (latent - self.goal) / t.clamp_min(1e-9), 0.0) for _ in readings]


def test_a_student_that_knows_the_end_has_no_loss_and_another_has() -> None:
    one = torch.randn(3, 8, 8)
    known, given = Point(one), batch()
    given.mean.copy_(one.expand(16, -1, -1, -1))
    process = Flow(FlowConfig())
    draws = Draws(0, PLACES)
    assert objective(process, known, known, known).each(known, given, draws).max() < 1e-4
    other = transformer(1)
    assert objective(process, other, known, known).each(other, given, draws).min() > 0.05


@pytest.mark.parametrize("process", [Flow(FlowConfig()), IDDPM(IDDPMConfig())])
def test_only_the_student_learns(process: Flow | IDDPM) -> None:
    student, teacher, target = (transformer(process.outputs, seed) for seed in range(3))
    made = objective(process, student, teacher, target)
    made.each(student, batch(), Draws(0, PLACES)).sum().backward()
    assert set(made.trained) == {name for name, _ in student.named_parameters()}
    assert any(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in student.parameters())
    assert all(parameter.grad is None for network in (teacher, target) for parameter in network.parameters())


def test_the_loss_is_straight_far_away_and_square_near_by() -> None:
    made = objective(Flow(FlowConfig()), transformer(1), transformer(1, 1), transformer(1, 2))
    given, draws = batch(), Draws(0, PLACES)
    straight = made.each(made.network, given, draws)
    made.config = ConsistencyConfig(anchors=10, guidance=3.0, huber=1e3)
    square = made.each(made.network, given, draws)
    with torch.no_grad():
        place = (draws.uniform("time") * 10).long()
        now, then = made.moments.at(place), made.moments.at(place + 1)
        x_now = now.alpha * given.mean + now.sigma * draws.normal("noise", (3, 8, 8))
        kept = torch.zeros(16, dtype=torch.bool)
        goal = made.end(made.target, made.step(x_now, now, then, given), then, given, kept)
        distance = made.end(made.network, x_now, now, given, kept) - goal
    assert_close(straight, distance.abs().mean((1, 2, 3)), rtol=0, atol=2e-3)
    assert_close(square, distance.square().mean((1, 2, 3)) / 2e3, rtol=1e-2, atol=1e-3)
