"""Ratings of systems from their scores on the same prompts (Bradley and Terry 1952), with intervals."""

import numpy as np
from jaxtyping import Float

from pinxit.evaluate.interval import Estimate, middle, resample

SCALE = 400 / np.log(10)  # Elo's: 400 points are odds of ten to one
ROUNDS = 200  # of the fit, far more than it needs
DRAWS = 200
PRIOR = 0.5  # wins of each over each, so that who always loses has a rating too


def rate(scores: Float[np.ndarray, "systems prompts"], margin: float, seed: int) -> list[Estimate]:
    """Each system's points above the first, with 95 % intervals over the prompts; within the margin both half win."""
    wins = _wins(scores, margin)
    found = _fit(wins.sum(2))
    samples = resample(scores.shape[1], seed, DRAWS)
    drawn = np.stack([_fit(wins[:, :, places].sum(2)) for places in samples])
    return [Estimate(float(one), middle(others)) for one, others in zip(found, drawn.T, strict=True)]


def _wins(scores: Float[np.ndarray, "k n"], margin: float) -> Float[np.ndarray, "k k n"]:
    """What each wins over each at every prompt: 1, a half or nothing."""
    apart = scores[:, None] - scores[None]
    return np.where(apart > margin, 1.0, np.where(apart < -margin, 0.0, 0.5))


def _fit(wins: Float[np.ndarray, "k k"]) -> Float[np.ndarray, "k"]:
    """The likeliest ratings, in points above the first (Hunter 2004, eq. 3)."""
    count = len(wins)
    won = (wins + PRIOR) * (1 - np.eye(count))
    games, strength = won + won.T, np.ones(count)
    for _ in range(ROUNDS):
        strength = won.sum(1) / (games / (strength[:, None] + strength[None])).sum(1)
        strength /= np.exp(np.log(strength).mean())
    return np.asarray(SCALE * np.log(strength / strength[0]))
