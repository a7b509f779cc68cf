"""How far a measured number can be trusted: 95 % intervals of a share, a mean and a difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
from jaxtyping import Float, Int

Z = 1.959964  # 97.5 % of a normal distribution lie below
T = (12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157)  # the same of Student's
DRAWS = 2000  # samples that a bootstrap draws

Values = Sequence[float] | Float[np.ndarray, "n"]


@dataclass(frozen=True)
class Estimate:
    """A number measured on a sample, and its 95 % interval."""

    value: float
    interval: tuple[float, float]


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


def bootstrap(values: Values, seed: int, draws: int = DRAWS) -> tuple[float, float]:
    """The 95 % percentile interval of a mean (Efron 1979), the same for the same seed; ValueError without values."""
    sample = np.asarray(values, float)
    if not len(sample):
        raise ValueError("an empty sample has no mean; give at least one value")
    return middle(sample[resample(len(sample), seed, draws)].mean(1))


def mean_difference(first: Values, second: Values, seed: int) -> Estimate:
    """By how much the first mean is above the second, where value i of both is of the same picture.

    The pictures are bootstrapped, not the values: what makes a picture hard for both falls out of the interval.
    Raises ValueError where the two are not of the same pictures, and where a difference is not finite.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values and {len(second)} are no pairs; give one of each for every picture")
    with np.errstate(invalid="ignore"):
        differences = np.asarray(first, float) - np.asarray(second, float)
    if not np.isfinite(differences).all():
        place = int(np.flatnonzero(~np.isfinite(differences))[0])
        raise ValueError(f"picture {place}: {first[place]} - {second[place]} is not finite; leave such pictures out")
    interval = bootstrap(differences, seed)
    return Estimate(float(differences.mean()), interval)


def paired_difference(first: Values, second: Values) -> Estimate:
    """By how much the first mean is above the second, where value i of both is of runs that differ in nothing else.

    For two to ten pairs, whose differences are taken as normal (Student 1908); ValueError for other numbers of them.
    """
    if len(first) != len(second) or not 2 <= len(first) <= len(T) + 1:
        raise ValueError(f"{len(first)} values and {len(second)}; give 2 to {len(T) + 1} pairs")
    differences = np.asarray(first, float) - np.asarray(second, float)
    value, half = float(differences.mean()), T[len(first) - 2] * float(differences.std(ddof=1)) / sqrt(len(first))
    return Estimate(value, (value - half, value + half))


def resample(n: int, seed: int, draws: int = DRAWS) -> Int[np.ndarray, "draws n"]:
    """In each row `n` places out of `n`, drawn with replacement."""
    return np.random.default_rng(seed).integers(n, size=(draws, n))


def middle(values: Float[np.ndarray, "n"]) -> tuple[float, float]:
    """The ends between which the middle 95 % of the values lie."""
    low, high = np.quantile(values, (0.025, 0.975))
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
