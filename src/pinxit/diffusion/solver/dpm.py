"""DPM-Solver++: the multistep solver of second order on the clean latent."""

from collections.abc import Sequence
from itertools import pairwise
from math import expm1

from pinxit.diffusion.process import Denoise, Latent, Level
from pinxit.diffusion.schedule import log_snr
from pinxit.diffusion.solver.ddim import ddim_step


def dpm(denoise: Denoise, x_t: Latent, levels: Sequence[Level]) -> Latent:
    """DPM-Solver++(2M): Lu et al. 2022, algorithm 2; first order at its start, and from pure noise and to clean."""
    before: tuple[Latent, float] | None = None  # the clean latent of the step before, and its log-SNR
    for now, then in pairwise(levels):
        clean = denoise(x_t, now).clean
        if now.alpha == 0 or then.sigma == 0:
            x_t = ddim_step(clean, x_t, now, then)
            continue
        here, there = log_snr(now), log_snr(then)
        target = clean
        if before is not None:
            earlier, was = before
            target = clean + (there - here) / (2 * (here - was)) * (clean - earlier)
        x_t = then.sigma / now.sigma * x_t - then.alpha * expm1(here - there) * target
        before = clean, here
    return x_t
