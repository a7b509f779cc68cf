"""SA-Solver against another's with the same draws, its order without noise, its law with noise."""

from math import sqrt

import pytest
import torch
from diffusers import SASolverScheduler

from pinxit.diffusion.config import IDDPMConfig
from pinxit.diffusion.iddpm import IDDPM
from pinxit.diffusion.process import Latent
from pinxit.diffusion.solver.ddim import ddim
from pinxit.diffusion.solver.sa import sa

from .case import SHAPE, assert_law, assert_near, flow_levels, normal, of_normal, of_ratios, smooth, walk

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the other's own


def silent(step: int) -> Latent:
    raise AssertionError(f"step {step} asked for noise")


@pytest.mark.parametrize("steps", [1, 2, 5, 20, 25])
def test_it_is_another_s_sa_solver_with_the_same_draws(steps: int) -> None:
    scheduler = SASolverScheduler(prediction_type="sample", predictor_order=2, corrector_order=2)
    scheduler.set_timesteps(steps)
    scheduler.sigmas = scheduler.sigmas.double()
    levels = of_ratios(scheduler.sigmas, scheduler.timesteps)
    source = torch.Generator().manual_seed(3)
    noises = [torch.randn(SHAPE, generator=source, dtype=torch.float64) for _ in range(steps)]
    source = torch.Generator().manual_seed(3)
    others = walk(scheduler, lambda x, level: smooth(x, level).clean, normal(0), levels, generator=source)
    assert_near(sa(smooth, normal(0), levels, lambda step: noises[step]), others, 1e-10)


def test_noise_is_asked_for_in_the_middle_of_time_alone() -> None:
    asked: list[int] = []

    def noise(step: int) -> Latent:
        asked.append(step)
        return normal(step)

    sa(smooth, normal(0), flow_levels([1.0, 0.81, 0.8, 0.5, 0.2, 0.19, 0.0]), noise)
    assert asked == [2, 3, 4]


def test_from_pure_noise_its_first_step_is_ddim_s() -> None:
    levels = flow_levels([1.0, 0.95, 0.9, 0.85, 0.0])
    first = ddim(smooth, normal(0), levels[:2])
    assert torch.equal(sa(smooth, normal(0), levels, silent), sa(smooth, first, levels[1:], silent))


def test_without_noise_twice_the_steps_quarter_the_error() -> None:
    """At times below 200 no noise is added, and the path of a normal clean is known."""
    spread = 0.6
    errors = []
    for steps in (160, 320):
        levels = flow_levels(torch.linspace(0.19, 0.05, steps + 1, dtype=torch.float64).tolist())
        first, last = (sqrt((spread * level.alpha) ** 2 + level.sigma**2) for level in (levels[0], levels[-1]))
        found = sa(of_normal(spread), normal(0), levels, silent)
        errors.append(float((found - last / first * normal(0)).abs().max()))
    assert 3.8 < errors[0] / errors[1] < 4.2


def test_a_perfect_denoiser_s_latents_follow_the_process_on_a_flow() -> None:
    assert_law(sa, flow_levels([1.0, 0.8, 0.6, 0.35]))


def test_a_perfect_denoiser_s_latents_follow_the_process_on_discrete_noise() -> None:
    assert_law(sa, IDDPM(IDDPMConfig()).levels(4)[:-1])
