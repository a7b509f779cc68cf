"""DDIM against another's, as Euler's method on a flow, and its order on an exact denoiser."""

from math import sqrt

import pytest
import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler

from pinxit.diffusion.solver.ddim import ddim

from .case import assert_near, flow_levels, normal, of_bars, of_normal, smooth, walk


@pytest.mark.parametrize("steps", [1, 2, 5, 20, 25])
def test_it_is_another_s_ddim(steps: int) -> None:
    scheduler = DDIMScheduler(clip_sample=False, prediction_type="sample", timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    levels = of_bars(scheduler.alphas_cumprod, scheduler.timesteps.tolist())
    others = walk(scheduler, lambda x, level: smooth(x, level).clean, normal(0), levels)
    assert_near(ddim(smooth, normal(0), levels), others, 1e-12)


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("steps", [1, 2, 5, 20, 25])
def test_it_is_another_s_euler_on_a_flow(steps: int, shift: float) -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(steps)
    levels = flow_levels(scheduler.sigmas.tolist())
    others = walk(scheduler, lambda x, level: (x - smooth(x, level).clean) / level.sigma, normal(0), levels)
    assert_near(ddim(smooth, normal(0), levels), others, 1e-6)


def test_twice_the_steps_halve_the_error() -> None:
    """Where clean is normal the path is known: x_t scales as its own standard deviation."""
    spread = 0.6
    errors = []
    for steps in (40, 80):
        levels = flow_levels(torch.linspace(0.9, 0.1, steps + 1, dtype=torch.float64).tolist())
        first, last = (sqrt((spread * level.alpha) ** 2 + level.sigma**2) for level in (levels[0], levels[-1]))
        found = ddim(of_normal(spread), normal(0), levels)
        errors.append(float((found - last / first * normal(0)).abs().max()))
    assert 1.9 < errors[0] / errors[1] < 2.1
