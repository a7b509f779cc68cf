"""DPM-Solver++ against another's on both kinds of levels, and its order on an exact denoiser."""

from math import sqrt

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler

from pinxit.diffusion.process import Latent, Level
from pinxit.diffusion.solver.ddim import ddim
from pinxit.diffusion.solver.dpm import dpm

from .case import assert_near, flow_levels, normal, of_normal, of_ratios, smooth, walk

STEPS = [1, 2, 5, 20, 25]
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the other's own


def another(steps: int, *, flow: bool) -> DPMSolverMultistepScheduler:
    """Ends at sigma = 0, where its last step is of first order as ours is; its state is taken in float64."""
    scheduler = DPMSolverMultistepScheduler(
        algorithm_type="dpmsolver++",
        solver_order=2,
        lower_order_final=False,
        final_sigmas_type="zero",
        prediction_type="flow_prediction" if flow else "sample",
        use_flow_sigmas=flow,
    )
    scheduler.set_timesteps(steps)
    scheduler.sigmas = scheduler.sigmas.double()
    return scheduler


@pytest.mark.parametrize("steps", STEPS)
def test_it_is_another_s_solver_of_second_order(steps: int) -> None:
    scheduler = another(steps, flow=False)
    levels = of_ratios(scheduler.sigmas, scheduler.timesteps)
    others = walk(scheduler, lambda x, level: smooth(x, level).clean, normal(0), levels)
    assert_near(dpm(smooth, normal(0), levels), others, 1e-6)


@pytest.mark.parametrize("steps", STEPS)
def test_it_is_another_s_on_a_flow(steps: int) -> None:
    scheduler = another(steps, flow=True)
    levels = flow_levels(scheduler.sigmas.tolist())

    def velocity(x_t: Latent, level: Level) -> Latent:
        return (x_t - smooth(x_t, level).clean) / level.sigma

    assert_near(dpm(smooth, normal(0), levels), walk(scheduler, velocity, normal(0), levels), 1e-6)


def test_from_pure_noise_its_first_step_is_ddim_s() -> None:
    """There the log-SNR is minus infinity; what follows starts anew."""
    levels = flow_levels([1.0, 0.9, 0.75, 0.5, 0.0])
    first = ddim(smooth, normal(0), levels[:2])
    assert torch.equal(dpm(smooth, normal(0), levels), dpm(smooth, first, levels[1:]))


def test_twice_the_steps_quarter_the_error() -> None:
    """Where clean is normal the path is known: x_t scales as its own standard deviation."""
    spread = 0.6
    errors = []
    for steps in (40, 80):
        levels = flow_levels(torch.linspace(0.9, 0.1, steps + 1, dtype=torch.float64).tolist())
        first, last = (sqrt((spread * level.alpha) ** 2 + level.sigma**2) for level in (levels[0], levels[-1]))
        found = dpm(of_normal(spread), normal(0), levels)
        errors.append(float((found - last / first * normal(0)).abs().max()))
    assert 3.6 < errors[0] / errors[1] < 4.4
