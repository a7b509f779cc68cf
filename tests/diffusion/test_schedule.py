"""The discrete schedule and its respacing: against another's tables, and the reverse step worked out by precisions."""

from itertools import pairwise

import numpy as np
import pytest
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler

from pinxit.diffusion.process import Level
from pinxit.diffusion.schedule import alpha_bars, linear_betas, log_snr, posterior_variances, respaced, uniform_times
from pinxit.errors import ConfigError

BARS = alpha_bars(linear_betas(1000, 1e-4, 2e-2))


def test_the_bars_are_another_s() -> None:
    np.testing.assert_allclose(BARS, DDPMScheduler().alphas_cumprod.numpy(), rtol=2e-5)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the other's own
@pytest.mark.parametrize("steps", [1, 2, 5, 20, 25, 999])
def test_uniform_times_are_another_s_and_all_different(steps: int) -> None:
    scheduler = DPMSolverMultistepScheduler(timestep_spacing="linspace")
    scheduler.set_timesteps(steps)
    assert uniform_times(steps, 1000) == scheduler.timesteps.tolist()
    assert len(set(uniform_times(steps, 1000))) == steps


@pytest.mark.parametrize("steps", [0, 1000])
def test_a_number_of_steps_that_the_schedule_lacks_is_refused(steps: int) -> None:
    with pytest.raises(ConfigError, match=f"steps = {steps}: .*ask for 1 to 999"):
        uniform_times(steps, 1000)


def test_log_snr_is_of_alpha_over_sigma() -> None:
    assert log_snr(Level(alpha=np.e**2, sigma=1 / np.e, time=0.0)) == pytest.approx(3)


@pytest.mark.parametrize("times", [range(1000), [0, 250, 251, 999], [7, 640]])
def test_bounds_are_those_of_the_respaced_chain(times: list[int]) -> None:
    """Upper: the noise that the step added. Lower: what is left when prior and observation are both known."""
    levels = respaced(BARS, times)
    for now, then in pairwise(levels[:-1]):
        kept = now.alpha**2 / then.alpha**2
        beta = 1 - kept
        precision = 1 / then.sigma**2 + kept / beta
        assert now.log_variance == pytest.approx((-np.log(precision), np.log(beta)), rel=1e-9)


@pytest.mark.parametrize("times", [[999, 0, 500], [500, 999, 500, 0]])
def test_levels_go_down_once_each_to_the_clean_one(times: list[int]) -> None:
    levels = respaced(BARS, times)
    assert [level.time for level in levels] == [999, 500, 0, 0]
    assert levels[-1] == Level(1.0, 0.0, 0.0)


def test_the_first_step_s_lower_bound_is_the_second_s_and_a_lone_step_s_its_beta() -> None:
    lower, upper = posterior_variances(BARS)
    assert lower[0] == lower[1] and np.isfinite(lower).all() and (lower[1:] < upper[1:]).all()
    (alone,), (above,) = posterior_variances(BARS[[999]])
    assert alone == above == pytest.approx(np.log(1 - BARS[999]))


def test_levels_hold_alpha_and_sigma_of_their_time() -> None:
    for level in respaced(BARS, [3, 777])[:-1]:
        assert (level.alpha**2, level.alpha**2 + level.sigma**2) == pytest.approx((BARS[int(level.time)], 1.0))
