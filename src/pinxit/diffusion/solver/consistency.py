"""Sampling a consistency function: to the clean latent at once, noise again, and so on down (Song et al. 2023)."""

from collections.abc import Sequence
from itertools import pairwise

from pinxit.diffusion.process import Denoise, Latent, Level, Noise, Process
from pinxit.errors import ConfigError


def consistency(denoise: Denoise, x_t: Latent, levels: Sequence[Level], noise: Noise) -> Latent:
    """Multistep consistency sampling: algorithm 1 of Song et al. 2023, algorithm 3 of Luo et al. 2023.

    The last level is the end, to which nothing is added, whatever noise it has.
    """
    for step, (now, then) in enumerate(pairwise(levels)):
        x_t = denoise(x_t, now).clean
        if step < len(levels) - 2:
            x_t = then.alpha * x_t + then.sigma * noise(step)
    return x_t


def few_levels(process: Process, anchors: int, steps: int) -> list[Level]:
    """The levels of `steps` steps among the anchors: the noisiest, then others as evenly as they lie, and the end."""
    if not 0 < steps <= anchors:
        raise ConfigError("steps", steps, f"the model was distilled at {anchors} levels", f"ask for 1 to {anchors}")
    levels = process.anchors(anchors)
    return [*(levels[step * anchors // steps] for step in range(steps)), levels[-1]]
