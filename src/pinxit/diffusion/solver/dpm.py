"""DPM-Solver++: the multistep solver of second order on the clean latent."""

from collections.abc import Sequence
from itertools import pairwise
from math import expm1

from pinxit.diffusion.process import Denoise, Latent, Level
from pinxit.diffusion.schedule import log_snr

FEW = 15  # steps below which the last one is of first order, for stability


def dpm(denoise: Denoise, x_t: Latent, levels: Sequence[Level]) -> Latent:
    """DPM-Solver++(2M): Lu et al. 2022b, algorithm 2; first order at the first step, at the clean end and, in few steps, last."""
    before: tuple[Latent, float] | None = None  # the clean latent of the step before, and its log-SNR
    for step, (now, then) in enumerate(pairwise(levels)):
        clean = denoise(x_t, now).clean
        if then.sigma == 0:
            x_t = then.alpha * clean
            continue
        if now.alpha == 0:  # pure noise: its log-SNR is minus infinity, and the step is the deterministic one
            x_t = then.alpha * clean + then.sigma / now.sigma * x_t
            continue
        here, there = log_snr(now), log_snr(then)
        target = clean
        last = step == len(levels) - 2 and len(levels) - 1 < FEW
        if before is not None and not last:
            ratio = (here - before[1]) / (there - here)
            target = clean + (clean - before[0]) / (2 * ratio)
        x_t = then.sigma / now.sigma * x_t - then.alpha * expm1(here - there) * target
        before = (clean, here)
    return x_t
