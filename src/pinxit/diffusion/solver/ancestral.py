"""Ancestral sampling with the learned variance: the reverse chain itself."""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

from pinxit.diffusion.process import Denoise, Latent, Level, Noise


def ancestral(denoise: Denoise, x_t: Latent, levels: Sequence[Level], noise: Noise) -> Latent:
    """Draws each level given the one before: Ho et al. 2020, eq. 7; Nichol and Dhariwal 2021, eq. 15.

    Written for any alpha and sigma, so flows have it too. Where no variance is learned it is the true posterior's,
    the lower bound. The last step, to the clean level, draws nothing.
    """
    for step, (now, then) in enumerate(pairwise(levels)):
        said = denoise(x_t, now)
        ratio = now.alpha / then.alpha
        added = 1 - (ratio * then.sigma / now.sigma) ** 2  # the share of this level's noise that the next one lacks
        x_t = then.alpha * added * said.clean + ratio * (then.sigma / now.sigma) ** 2 * x_t
        if then.sigma > 0:
            learned = said.log_variance
            deviation = then.sigma * sqrt(added) if learned is None else (0.5 * learned).exp()
            x_t = x_t + deviation * noise(step)
    return x_t
