"""The flow process: its loss, its times' law, the shift and its inverse, its levels."""

from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from pinxit.diffusion.config import FlowConfig
from pinxit.diffusion.flow import Flow, shifted
from pinxit.diffusion.process import Level

from .solver.case import normal

GRID = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000


def test_the_loss_is_the_velocity_s_mean_squared_error_a_picture() -> None:
    output, clean, eps = normal(0), normal(1), normal(2)
    slow = [
        sum(
            (o - (e - c)) ** 2 for o, c, e in zip(*(x[i].flatten().tolist() for x in (output, clean, eps)), strict=True)
        )
        for i in range(2)
    ]
    found = Flow(FlowConfig()).loss(output, clean, eps, torch.tensor([1.0, 999.0]))
    assert found.tolist() == pytest.approx([one / clean[0].numel() for one in slow])


def test_noise_is_added_along_the_straight_line_and_undone_by_the_velocity() -> None:
    process, clean, eps = Flow(FlowConfig()), normal(1), normal(2)
    x_t = process.add_noise(clean, eps, torch.tensor([250.0, 1000.0], dtype=torch.float64))
    assert_close(x_t[0], 0.75 * clean[0] + 0.25 * eps[0])
    assert_close(x_t[1], eps[1])
    said = process.predict((eps - clean)[:1], x_t[:1], Level(0.75, 0.25, 250.0))
    assert_close(said.clean, clean[:1])
    assert said.log_variance is None


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.0), (-0.6, 1.4)])
def test_the_logits_of_times_are_normal(mean: float, spread: float) -> None:
    logits = torch.logit(Flow(FlowConfig(time_mean=mean, time_spread=spread)).draw_time(GRID) / 1000)
    centred = (logits - logits.mean()) / logits.std()
    assert float(logits.mean()) == pytest.approx(mean, abs=1e-6)
    assert float(logits.std()) == pytest.approx(spread, rel=1e-3)
    assert float(centred.pow(3).mean()) == pytest.approx(0, abs=1e-6)
    assert float(centred.pow(4).mean()) == pytest.approx(3, rel=1e-2)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_times_grow_with_the_draw_and_stay_inside(shift: float) -> None:
    process = Flow(FlowConfig(shift=shift))
    assert (process.draw_time(GRID).diff() > 0).all()
    lowest, middle, highest = process.draw_time(torch.tensor([0.0, 0.5, 1 - 2**-24])).tolist()
    assert 0 < lowest < 10 * shift and 980 < highest < 1000
    assert middle == pytest.approx(1000 * shift / (1 + shift))


def test_the_inverse_shift_undoes_the_shift() -> None:
    assert_close(shifted(shifted(GRID, 3.0), 1 / 3.0), GRID)
    assert (shifted(GRID, 3.0) > GRID).all()
    assert shifted(torch.tensor([0.0, 1.0]), 3.0).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("steps", [1, 2, 25, 1000])
def test_levels_fall_from_pure_noise_to_clean(steps: int, shift: float) -> None:
    levels = Flow(FlowConfig(shift=shift)).levels(steps)
    assert len(levels) == steps + 1
    assert levels[0] == Level(0.0, 1.0, 1000.0) and levels[-1] == Level(1.0, 0.0, 0.0)
    assert all(a.time > b.time and a.sigma > b.sigma and a.alpha < b.alpha for a, b in pairwise(levels))
    assert all(level.alpha + level.sigma == pytest.approx(1) for level in levels)
