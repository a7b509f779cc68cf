"""The noise schedule of DDPM, in float64: betas, their products, and respaced sequences of levels."""

from collections.abc import Sequence
from math import log, sqrt

import numpy as np
from jaxtyping import Float

from pinxit.diffusion.process import Level
from pinxit.errors import ConfigError

Table = Float[np.ndarray, "steps"]


def linear_betas(steps: int, first: float, last: float) -> Table:
    """Linear betas (Ho et al. 2020, section 4)."""
    return np.linspace(first, last, steps, dtype=np.float64)


def alpha_bars(betas: Table) -> Table:
    """Products of 1 - beta up to each step."""
    return np.cumprod(1 - betas)


def log_snr(level: Level) -> float:
    """log(alpha / sigma): half the log of the signal-to-noise ratio."""
    return log(level.alpha) - log(level.sigma)


def posterior_variances(bars: Table) -> tuple[Table, Table]:
    """Logs of the lower and upper variance of each reverse step of a (respaced) sequence, noisiest last.

    Upper: beta; lower: beta (1 - bar before) / (1 - bar) (Ho et al. 2020, eq. 7); the lower one of the first step,
    which is zero, takes the second's place (Nichol and Dhariwal 2021).
    """
    before = np.append(1.0, bars[:-1])
    betas = 1 - bars / before
    lower = betas * (1 - before) / (1 - bars)
    if len(lower) > 1:
        lower[0] = lower[1]
    else:
        lower[0] = betas[0]
    return np.log(lower), np.log(betas)


def respaced(bars: Table, times: Sequence[int]) -> list[Level]:
    """Levels at the given times, noisiest first, and the clean one at the end, with the bounds of each reverse step."""
    chosen = np.array(sorted(set(times)))
    lower, upper = posterior_variances(bars[chosen])
    levels = [
        Level(sqrt(bars[t]), sqrt(1 - bars[t]), float(t), (float(lower[i]), float(upper[i])))
        for i, t in enumerate(chosen)
    ]
    return [*reversed(levels), Level(1.0, 0.0, 0.0)]


def uniform_times(steps: int, training_steps: int) -> list[int]:
    """`steps` different times from the last down: the rounded ends of equal steps from T - 1 to 0, without 0 itself."""
    if not 0 < steps < training_steps:
        remedy = f"ask for 1 to {training_steps - 1}"
        raise ConfigError("steps", steps, f"the process has {training_steps - 1} levels above its first", remedy)
    return [round(t) for t in np.linspace(training_steps - 1, 0, steps + 1)[:-1]]
