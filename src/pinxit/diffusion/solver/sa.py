"""SA-Solver: a stochastic multistep predictor and corrector on the clean latent."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, expm1, sqrt

from torch import Tensor

from pinxit.diffusion.process import Denoise, Latent, Level, Noise
from pinxit.diffusion.schedule import log_snr
from pinxit.diffusion.solver.ddim import ddim_step


def sa(denoise: Denoise, x_t: Latent, levels: Sequence[Level], noise: Noise) -> Latent:
    """SA-Solver of order 2 in predictor and corrector, one call of the denoiser a step: Xue et al. 2023.

    The clean latent is a straight line in log-SNR through its last two values: that line corrects the step that led
    here, with that step's own noise, and predicts the next one. First and last step are predicted with a constant.
    """
    begun: _Step | None = None
    for index, (now, then) in enumerate(pairwise(levels)):
        clean = denoise(x_t, now).clean
        slope: Tensor | float = 0.0
        if begun is not None and begun.now.alpha > 0:
            slope = (clean - begun.clean) / (log_snr(now) - log_snr(begun.now))
            x_t = begun.end(slope)
        tau = _tau(now)
        begun = _Step(x_t, clean, now, then, tau, noise(index) if tau and then.sigma else 0.0)
        x_t = begun.end(slope if then is not levels[-1] else 0.0)
    return x_t


@dataclass(frozen=True)
class _Step:
    """One step, begun at x_t: ended once as predicted and once as corrected."""

    x_t: Latent
    clean: Latent
    now: Level
    then: Level
    tau: float
    xi: Tensor | float

    def end(self, slope: Tensor | float) -> Latent:
        """The next level, if the clean latent changes by `slope` per unit of log-SNR.

        With s this level, t the next, h the gain in log-SNR, l the log-SNR so far gained and k = 1 + tau^2:
        x_t = sigma_t / sigma_s exp(-tau^2 h) x_s + alpha_t int_0^h k exp(-k (h - l)) (clean + slope l) dl
            + sigma_t sqrt(1 - exp(-2 tau^2 h)) xi.
        """
        now, then = self.now, self.then
        if now.alpha == 0 or then.sigma == 0:
            return ddim_step(self.clean, self.x_t, now, then)
        gain, square = log_snr(then) - log_snr(now), self.tau**2
        rate = 1 + square
        kept = then.sigma / now.sigma * exp(-square * gain) * self.x_t
        # The line's integral is h - (1 - exp(-k h)) / k. Its first term, k h^2 / 2, stands in its place, as the solver
        # was published: the two differ by h^3, which leaves the order as it is but changes pictures of few steps.
        moved = -expm1(-rate * gain) * self.clean + rate * gain**2 / 2 * slope
        return kept + then.alpha * moved + then.sigma * sqrt(-expm1(-2 * square * gain)) * self.xi


def _tau(level: Level) -> float:
    """How stochastic a step is: 1 in the middle of time, where noise mends errors, and 0 at both ends."""
    return 1.0 if 200 <= level.time <= 800 else 0.0
