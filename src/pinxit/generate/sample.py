"""Captions and seeds to latents: noise, levels, guidance, solver."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pinxit.diffusion.guidance import DenoiseEach, guided
from pinxit.diffusion.process import Denoise, Latent, Level, Prediction, Process
from pinxit.diffusion.solver.consistency import few_levels
from pinxit.diffusion.solver.table import solve
from pinxit.generate.config import SamplingConfig
from pinxit.rng import Draws

Predict = Callable[[Latent, Float[Tensor, "1"], int], Sequence[Tensor]]
"""A network bound to its condition and, where guidance is not 1, to the null one: what it says of the first so many."""


def denoiser(predict: Predict, process: Process) -> DenoiseEach:
    """A denoiser that asks a network bound to its conditions."""

    def denoise(x_t: Latent, level: Level, heard: int) -> list[Prediction]:
        time = torch.full((1,), level.time, dtype=x_t.dtype, device=x_t.device)
        return [process.predict(output, x_t, level) for output in predict(x_t, time, heard)]

    return denoise


def pinned(denoise: Denoise, process: Process) -> Denoise:
    """The consistency function of a distilled network's predictions."""

    def ends(x_t: Latent, level: Level) -> Prediction:
        return Prediction(process.pin(denoise(x_t, level).clean, x_t, level.time))

    return ends


@torch.no_grad()
def sample(
    predict: Predict,
    process: Process,
    settings: SamplingConfig,
    *,
    shape: tuple[int, int, int],
    seeds: Sequence[int],
    device: torch.device | str = "cpu",
) -> Latent:
    """One clean latent a seed; each picture's noise comes from its own seed, whatever the batch."""
    draws = Draws(0, seeds, device)
    denoise = guided(denoiser(predict, process), settings.guidance, settings.guided_above)
    levels = process.levels(settings.steps)
    if settings.solver in {"consistency", "codi"}:
        levels = few_levels(process, settings.anchors, settings.steps)
    if settings.solver == "codi":
        levels[-1] = Level(1.0, 0.0, 0.0)  # an iDDPM's last anchor is only nearly clean
    if settings.solver == "consistency":
        denoise = pinned(denoise, process)
    start = draws.normal("start", shape) * levels[0].sigma
    return solve(settings.solver, denoise, start, levels, lambda step: draws.normal(f"step/{step}", shape))
