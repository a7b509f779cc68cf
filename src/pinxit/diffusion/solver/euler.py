"""Euler's method along the straight line through the clean latent and the noise; for flows."""

from collections.abc import Sequence
from itertools import pairwise

from pinxit.diffusion.process import Denoise, Latent, Level


def euler(denoise: Denoise, x_t: Latent, levels: Sequence[Level]) -> Latent:
    """First order: dx/dsigma = eps + clean dalpha/dsigma; for a rectified flow x += (t' - t) velocity (Liu et al. 2022)."""
    for now, then in pairwise(levels):
        clean = denoise(x_t, now).clean
        eps = (x_t - now.alpha * clean) / now.sigma
        x_t = x_t + (then.sigma - now.sigma) * eps + (then.alpha - now.alpha) * clean
    return x_t
