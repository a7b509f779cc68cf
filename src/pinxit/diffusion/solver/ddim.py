"""DDIM: the deterministic first-order solver; on a rectified flow it is Euler's method."""

from collections.abc import Sequence
from itertools import pairwise

from pinxit.diffusion.process import Denoise, Latent, Level


def ddim(denoise: Denoise, x_t: Latent, levels: Sequence[Level]) -> Latent:
    """Deterministic first-order solver: Song et al. 2021, eq. 12 with no added noise.

    On a rectified flow this is x += (t' - t) velocity (Liu et al. 2022): both keep the clean latent and the noise.
    """
    for now, then in pairwise(levels):
        x_t = ddim_step(denoise(x_t, now).clean, x_t, now, then)
    return x_t


def ddim_step(clean: Latent, x_t: Latent, now: Level, then: Level) -> Latent:
    """The clean latent and the noise that it leaves in x_t, mixed for the next level; needs no log-SNR."""
    eps = (x_t - now.alpha * clean) / now.sigma
    return then.alpha * clean + then.sigma * eps
