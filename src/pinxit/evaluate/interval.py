"""How far a measured number can be trusted: 95 % intervals of a share and of a mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
from jaxtyping import Float

Z = 1.959964  # 97.5 % of a normal distribution lie below


@dataclass(frozen=True)
class Share:
    """So many right out of `n`."""

    right: int
    n: int

    @property
    def value(self) -> float:
        """The share that is right; not a number where nothing was asked."""
        return self.right / self.n if self.n else nan

    @property
    def interval(self) -> tuple[float, float]:
        """The share's 95 % interval."""
        return wilson(self.right, self.n)


def wilson(right: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); all is possible where n is 0. Raises ValueError outside 0..n."""
    if not 0 <= right <= n:
        raise ValueError(f"{right} of {n} is no share; give 0 <= right <= n")
    if n == 0:
        return 0.0, 1.0
    share, spread = right / n, Z * Z / n
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(values: Sequence[float] | Float[np.ndarray, "n"], seed: int, draws: int = 2000) -> tuple[float, float]:
    """The 95 % percentile interval of a mean (Efron 1979), the same for the same seed; ValueError without values."""
    sample = np.asarray(values, float)
    if not len(sample):
        raise ValueError("an empty sample has no mean; give at least one value")
    chosen = np.random.default_rng(seed).integers(len(sample), size=(draws, len(sample)))
    low, high = np.quantile(sample[chosen].mean(1), (0.025, 0.975))
    return float(low), float(high)


def drawn_mean(values: Sequence[float] | Float[np.ndarray, "n"], population: int) -> tuple[float, float]:
    """The 95 % interval of the mean of `population` numbers, of which these were drawn without repetition.

    Of all of them it has no width; of fewer than two nothing is known of it. Raises ValueError without values.
    """
    sample = np.asarray(values, float)
    if not 0 < len(sample) <= population:
        raise ValueError(f"{len(sample)} of {population} are no sample; give at least one, and no more than there are")
    if len(sample) == population:
        return float(sample.mean()), float(sample.mean())
    if len(sample) == 1:
        return -inf, inf
    half = Z * float(sample.std(ddof=1)) * sqrt((1 - len(sample) / population) / len(sample))
    return float(sample.mean()) - half, float(sample.mean()) + half
