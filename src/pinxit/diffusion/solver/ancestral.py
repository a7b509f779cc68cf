"""Ancestral sampling with the learned variance: the reverse chain itself."""

from collections.abc import Sequence
from itertools import pairwise
from math import log

import torch

from pinxit.diffusion.process import Denoise, Latent, Level, Noise


def ancestral(denoise: Denoise, x_t: Latent, levels: Sequence[Level], noise: Noise) -> Latent:
    """Draws each level given the one before (Ho et al. 2020, eq. 7; Nichol and Dhariwal 2021, eq. 15); no noise at the end.

    Where nothing is learned the variance is the lower bound, the true posterior's.
    """
    for step, (now, then) in enumerate(pairwise(levels)):
        said = denoise(x_t, now)
        ratio = now.alpha / then.alpha
        beta = 1 - ratio**2 if then.sigma else 1 - now.alpha**2
        clean_weight = then.alpha * beta / now.sigma**2
        noisy_weight = ratio * then.sigma**2 / now.sigma**2
        x_t = clean_weight * said.clean + noisy_weight * x_t
        if then.sigma:
            lower = torch.tensor(log(beta * then.sigma**2 / now.sigma**2))
            log_variance = lower if said.log_variance is None else said.log_variance
            x_t = x_t + torch.exp(0.5 * log_variance) * noise(step)
    return x_t
