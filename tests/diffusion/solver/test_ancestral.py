"""Ancestral sampling against another's, with the learned variance, and its law on an exact denoiser."""

import pytest
import torch
from diffusers import DDPMScheduler

from pinxit.diffusion.config import IDDPMConfig
from pinxit.diffusion.iddpm import IDDPM
from pinxit.diffusion.process import Latent, Level
from pinxit.diffusion.schedule import respaced
from pinxit.diffusion.solver.ancestral import ancestral

from .case import SHAPE, assert_law, assert_near, flow_levels, normal, of_bars, smooth, walk

STEPS = [1, 2, 5, 20, 25]


def another(steps: int, variance: str) -> DDPMScheduler:
    scheduler = DDPMScheduler(
        clip_sample=False, variance_type=variance, prediction_type="epsilon", timestep_spacing="linspace"
    )
    scheduler.set_timesteps(steps)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    return scheduler


def raw(x_t: Latent, level: Level) -> Latent:
    """A network's output: eps, and where between its bounds the variance is."""
    eps = (x_t - level.alpha * smooth(x_t, level).clean) / level.sigma
    return torch.cat([eps, torch.tanh(eps + 0.3)], 1)


def drawn(seed: int, steps: int) -> list[Latent]:
    source = torch.Generator().manual_seed(seed)
    return [torch.randn(SHAPE, generator=source, dtype=torch.float64) for _ in range(steps)]


@pytest.mark.parametrize("steps", STEPS)
def test_it_is_another_s_ancestral_sampling_with_the_learned_variance(steps: int) -> None:
    scheduler, noises, process = another(steps, "learned_range"), drawn(3, steps), IDDPM(IDDPMConfig())
    levels = respaced(scheduler.alphas_cumprod.numpy(), scheduler.timesteps.tolist())
    source = torch.Generator().manual_seed(3)
    others = walk(scheduler, raw, normal(0), levels, generator=source)
    ours = ancestral(
        lambda x, level: process.predict(raw(x, level), x, level), normal(0), levels, lambda step: noises[step]
    )
    assert_near(ours, others, 1e-10)


@pytest.mark.parametrize("steps", STEPS)
def test_without_a_learned_variance_it_takes_the_posterior_s(steps: int) -> None:
    scheduler, noises = another(steps, "fixed_small"), drawn(3, steps)
    levels = of_bars(scheduler.alphas_cumprod, scheduler.timesteps.tolist())
    source = torch.Generator().manual_seed(3)
    others = walk(scheduler, lambda x, level: raw(x, level)[:, :4], normal(0), levels, generator=source)
    assert_near(ancestral(smooth, normal(0), levels, lambda step: noises[step]), others, 1e-10)


def test_a_perfect_denoiser_s_latents_follow_the_process_on_a_flow() -> None:
    assert_law(ancestral, flow_levels([1.0, 0.9, 0.6, 0.35]))


def test_a_perfect_denoiser_s_latents_follow_the_process_on_discrete_noise() -> None:
    assert_law(ancestral, IDDPM(IDDPMConfig()).levels(4)[:-1])
