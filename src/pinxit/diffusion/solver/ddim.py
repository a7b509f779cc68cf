"""DDIM: the deterministic first-order solver."""

from collections.abc import Sequence
from itertools import pairwise

from pinxit.diffusion.process import Denoise, Latent, Level


def ddim(denoise: Denoise, x_t: Latent, levels: Sequence[Level]) -> Latent:
    """Deterministic first-order solver: Song et al. 2021, eq. 12 with no added noise."""
    for now, then in pairwise(levels):
        clean = denoise(x_t, now).clean
        eps = (x_t - now.alpha * clean) / now.sigma
        x_t = then.alpha * clean + then.sigma * eps
    return x_t
