"""What the solvers are tried on: a smooth contractive denoiser, the exact denoiser of a normal, others' levels."""

from collections.abc import Callable, Sequence
from math import sqrt

import torch
from torch import Tensor

from pinxit.diffusion.process import Denoise, Latent, Level, Prediction

SHAPE = (2, 4, 6, 5)


def normal(seed: int, shape: Sequence[int] = SHAPE) -> Latent:
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def smooth(x_t: Latent, level: Level) -> Prediction:
    """A picture, bent by what is seen: it changes with x_t and level, and forgets errors."""
    return Prediction(0.5 * normal(1) + 0.4 * torch.tanh(level.alpha * x_t + level.time / 1000))


def of_normal(deviation: float) -> Denoise:
    """The mean of clean given x_t where clean is normal with mean 0: Bayes' rule."""

    def denoise(x_t: Latent, level: Level) -> Prediction:
        seen = (level.alpha * deviation) ** 2
        return Prediction(x_t * level.alpha * deviation**2 / (seen + level.sigma**2))

    return denoise


def of_bars(bars: Tensor, times: Sequence[int], *, clean: bool = True) -> list[Level]:
    """Levels of another's table; `clean` adds the last one."""
    levels = [Level(sqrt(bars[t]), sqrt(1 - bars[t]), float(t)) for t in times]
    return [*levels, Level(1.0, 0.0, 0.0)] if clean else levels


def of_ratios(ratios: Tensor, times: Tensor) -> list[Level]:
    """Levels of a table of sigma / alpha with alpha^2 + sigma^2 = 1; the last one has no time of its own."""
    alphas = [1 / sqrt(1 + float(ratio) ** 2) for ratio in ratios]
    return [
        Level(alpha, float(ratio) * alpha, float(time))
        for alpha, ratio, time in zip(alphas, ratios, [*times.tolist(), 0], strict=True)
    ]


def flow_levels(times: Sequence[float]) -> list[Level]:
    return [Level(1 - t, t, 1000 * t) for t in times]


def walk(
    scheduler: object, says: Callable[[Latent, Level], Tensor], x_t: Latent, levels: Sequence[Level], **given: object
) -> Latent:
    """The other's loop: its own times, our levels for the denoiser alone."""
    for level, time in zip(levels, scheduler.timesteps, strict=False):  # type: ignore[attr-defined]
        x_t = scheduler.step(says(x_t, level), time, x_t, **given).prev_sample  # type: ignore[attr-defined]
    return x_t


def assert_law(solver: Callable[..., Latent], levels: Sequence[Level]) -> None:
    """With the true clean latent known, what a stochastic solver draws has the process's own mean and deviation."""
    shape, picture = (1, 1, 400, 400), 0.7
    first, last = levels[0], levels[-1]
    start = first.alpha * picture + first.sigma * normal(1, shape)
    drawn = solver(
        lambda x_t, level: Prediction(torch.full_like(x_t, picture)),
        start,
        levels,
        lambda step: normal(2 + step, shape),
    )
    assert abs(float(drawn.mean()) - last.alpha * picture) < 0.01 * last.sigma
    assert abs(float(drawn.std()) / last.sigma - 1) < 0.01


def assert_near(ours: Latent, others: Latent, tolerance: float) -> None:
    """To `tolerance` of the largest value."""
    worst = float((ours - others).abs().max() / others.abs().max())
    assert worst < tolerance, worst
