"""Consistency sampling: against diffusers' LCMScheduler, and what a perfect consistency function draws."""

import pytest
import torch
from diffusers import LCMScheduler
from torch.testing import assert_close

from pinxit.diffusion.config import FlowConfig, IDDPMConfig
from pinxit.diffusion.flow import Flow
from pinxit.diffusion.iddpm import IDDPM
from pinxit.diffusion.process import Level, Prediction
from pinxit.diffusion.solver.consistency import consistency, few_levels
from pinxit.errors import ConfigError
from pinxit.generate.sample import pinned


def noise(step: int) -> torch.Tensor:
    return torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(100 + step), dtype=torch.float64)


def scheduler() -> LCMScheduler:
    return LCMScheduler(
        beta_start=1e-4, beta_end=2e-2, beta_schedule="linear", timestep_scaling=10.0, original_inference_steps=50,
        clip_sample=False, set_alpha_to_one=True,
    )  # fmt: skip


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 8])
def test_it_draws_what_diffusers_draws(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    process, theirs = IDDPM(IDDPMConfig()), scheduler()
    theirs.set_timesteps(steps)
    levels = few_levels(process, 50, steps)
    assert [level.time for level in levels[:-1]] == theirs.timesteps.tolist()
    draws = iter(noise(step) for step in range(steps))
    monkeypatch.setattr("diffusers.schedulers.scheduling_lcm.randn_tensor", lambda *_, **__: next(draws))

    def eps(x_t: torch.Tensor, time: float) -> torch.Tensor:
        return 0.3 * torch.tanh(x_t) + 0.1 * time / 1000

    start = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x_t = start
    for time in theirs.timesteps:
        x_t = theirs.step(eps(x_t, float(time)), time, x_t, return_dict=False)[0]

    def denoise(now: torch.Tensor, level: Level) -> Prediction:
        said = eps(now, level.time)
        return process.predict(torch.cat([said, said], 1), now, level)

    drawn = consistency(pinned(denoise, process), start, levels, noise)
    assert_close(drawn, x_t, rtol=0, atol=2e-6 * float(x_t.abs().max()))  # its tables are float32


@pytest.mark.parametrize("steps", [1, 2, 7, 50])
@pytest.mark.parametrize("process", [Flow(FlowConfig(shift=1.5)), IDDPM(IDDPMConfig())])
def test_a_perfect_function_returns_the_picture_in_any_number_of_steps(steps: int, process: Flow | IDDPM) -> None:
    clean = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    levels = few_levels(process, 50, steps)
    assert len(levels) == steps + 1
    assert_close(consistency(lambda _x, _level: Prediction(clean), noise(0), levels, noise), clean)


@pytest.mark.parametrize("process", [Flow(FlowConfig()), IDDPM(IDDPMConfig())])
def test_at_the_end_it_is_what_it_is_given(process: Flow | IDDPM) -> None:
    x_t, end = torch.randn(1, 4, 2, 2), process.anchors(10)[-1]
    assert end.time == 0
    said = torch.randn(1, 4 * process.outputs, 2, 2)
    clean = process.clean(said, x_t, end.alpha, end.sigma)
    assert_close(process.pin(clean, x_t, end.time), x_t)


def test_more_steps_than_anchors_are_refused() -> None:
    with pytest.raises(ConfigError, match="distilled at 10 levels"):
        few_levels(Flow(FlowConfig()), 10, 11)


def test_anchors_that_would_fall_together_are_refused() -> None:
    with pytest.raises(ConfigError, match="two apart"):
        IDDPM(IDDPMConfig()).anchors(501)
