"""Captions and seeds to latents: noise, levels, guidance, solver."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pinxit.diffusion.guidance import guided
from pinxit.diffusion.process import Denoise, Latent, Level, Prediction, Process
from pinxit.diffusion.solver.table import solve
from pinxit.generate.config import SamplingConfig
from pinxit.rng import Draws

Predict = Callable[[Latent, Float[Tensor, "b"]], Float[Tensor, "b c2 h w"]]  # a network bound to its condition


def denoiser(predict: Predict, process: Process) -> Denoise:
    """A denoiser that asks a network bound to its condition."""

    def denoise(x_t: Latent, level: Level) -> Prediction:
        time = torch.full((x_t.shape[0],), level.time, dtype=x_t.dtype)
        return process.predict(predict(x_t, time), x_t, level)

    return denoise


@torch.no_grad()
def sample(
    conditional: Predict,
    null: Predict,
    process: Process,
    settings: SamplingConfig,
    *,
    shape: tuple[int, int, int],
    seeds: Sequence[int],
) -> Latent:
    """One clean latent a seed; each picture's noise comes from its own seed, whatever the batch."""
    streams = [Draws(seed, (0,)) for seed in seeds]

    def noise(name: str) -> Latent:
        return torch.cat([stream.normal(name, shape) for stream in streams])

    denoise = guided(denoiser(conditional, process), denoiser(null, process), settings.guidance)
    levels = process.levels(settings.steps)
    start = noise("start") * levels[0].sigma
    return solve(settings.solver, denoise, start, levels, lambda step: noise(f"step/{step}"))
