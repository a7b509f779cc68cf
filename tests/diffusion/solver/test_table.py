"""Every solver suits both processes: a perfect denoiser returns the picture in any number of steps."""

import pytest
import torch
from torch.testing import assert_close

from pinxit.diffusion.config import FlowConfig, IDDPMConfig
from pinxit.diffusion.flow import Flow
from pinxit.diffusion.iddpm import IDDPM
from pinxit.diffusion.process import Denoise, Latent, Level, Prediction, Process
from pinxit.diffusion.solver.table import DETERMINISTIC, STOCHASTIC, solve

from .case import normal, smooth

SOLVERS = [*DETERMINISTIC, *STOCHASTIC]
PROCESSES = {"iddpm": IDDPM(IDDPMConfig()), "flow": Flow(FlowConfig()), "shifted": Flow(FlowConfig(shift=3.0))}


def of_network(process: Process, clean: Latent) -> Denoise:
    """The denoiser of a network whose raw output is right for this picture, the variance half way."""

    def denoise(x_t: Latent, level: Level) -> Prediction:
        eps = (x_t - level.alpha * clean) / level.sigma
        output = torch.cat([eps, torch.zeros_like(eps)], 1) if process.outputs == 2 else eps - clean
        return process.predict(output, x_t, level)

    return denoise


@pytest.mark.parametrize("steps", [1, 2, 5, 20, 25])
@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("name", SOLVERS)
def test_a_perfect_denoiser_returns_the_picture_in_any_number_of_steps(name: str, process: str, steps: int) -> None:
    levels, clean = PROCESSES[process].levels(steps), normal(1)
    start = levels[0].sigma * normal(0)
    found = solve(name, of_network(PROCESSES[process], clean), start, levels, lambda step: normal(10 + step))
    assert_close(found, clean, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_drawn_latent_keeps_the_precision_of_its_start(name: str) -> None:
    for process in PROCESSES.values():
        found = solve(name, smooth_single, normal(0).float(), process.levels(5), lambda step: normal(step).float())
        assert found.dtype == torch.float32 and found.isfinite().all()


def smooth_single(x_t: Latent, level: Level) -> Prediction:
    return Prediction(smooth(x_t, level).clean.float())


@pytest.mark.parametrize("name", SOLVERS)
def test_the_denoiser_is_asked_once_at_every_level_but_the_clean_one(name: str) -> None:
    for process in PROCESSES.values():
        asked: list[Level] = []

        def denoise(x_t: Latent, level: Level, asked: list[Level] = asked) -> Prediction:
            asked.append(level)
            return smooth(x_t, level)

        levels = process.levels(7)
        solve(name, denoise, normal(0), levels, normal)
        assert asked == levels[:-1]


@pytest.mark.parametrize("name", sorted(STOCHASTIC))
def test_other_noise_draws_another_latent_from_the_same_start(name: str) -> None:
    for process in PROCESSES.values():
        one, same, other = (
            solve(name, smooth, normal(0), process.levels(6), lambda step, seed=seed: normal(seed + step))
            for seed in (1, 1, 50)
        )
        assert torch.equal(one, same)
        assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize("name", sorted(DETERMINISTIC))
def test_deterministic_solvers_ask_for_no_noise(name: str) -> None:
    def never(step: int) -> Latent:
        raise AssertionError(f"step {step} asked for noise")

    solve(name, smooth, normal(0), PROCESSES["flow"].levels(3), never)
