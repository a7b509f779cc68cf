"""The iDDPM process against its equations, written slowly, number by number, in float64."""

from collections.abc import Iterator
from itertools import pairwise, product
from math import exp, log, pi, prod, sqrt, tanh

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from pinxit.diffusion.config import IDDPMConfig
from pinxit.diffusion.iddpm import IDDPM
from pinxit.diffusion.process import Latent, Level

SHAPE = (4, 2, 3, 2)
TIMES = [0, 1, 500, 999]
PROCESS = IDDPM(IDDPMConfig())
BETAS = [1e-4 + (2e-2 - 1e-4) * step / 999 for step in range(1000)]


def bar(time: int) -> float:
    return prod(1 - beta for beta in BETAS[: time + 1])


def case(times: list[int]) -> tuple[Tensor, Latent, Latent, Tensor]:
    source = torch.Generator().manual_seed(0)
    eps, clean = (torch.randn(len(times), *SHAPE[1:], generator=source, dtype=torch.float64) for _ in range(2))
    near = eps + 0.1 * torch.randn(eps.shape, generator=source, dtype=torch.float64)
    between = torch.tanh(torch.randn(eps.shape, generator=source, dtype=torch.float64))
    clean = clean.clamp(-1, 1)  # so that both edges of the discretised likelihood are met
    return torch.cat([near, between], 1), clean, eps, torch.tensor(times, dtype=torch.float64)


def posterior(clean: float, x_t: float, time: int) -> tuple[float, float]:
    """Mean and variance of the level before, from two observations weighed by their precisions."""
    beta, before = BETAS[time], bar(time - 1)
    prior, seen = 1 / (1 - before), (1 - beta) / beta
    mean = (prior * sqrt(before) * clean + seen * x_t / sqrt(1 - beta)) / (prior + seen)
    return mean, 1 / (prior + seen)


def slow_bound(said: float, between: float, clean: float, eps: float, time: int) -> float:
    """One number's term of the bound, in nats."""
    x_t = sqrt(bar(time)) * clean + sqrt(1 - bar(time)) * eps
    said_clean = (x_t - sqrt(1 - bar(time)) * said) / sqrt(bar(time))
    lowest = posterior(0.0, 0.0, max(time, 1))[1]
    said_variance = exp((between + 1) / 2 * log(BETAS[time]) + (1 - between) / 2 * log(lowest))
    if time > 0:
        (true_mean, _), (said_mean, _) = posterior(clean, x_t, time), posterior(said_clean, x_t, time)
        spread = lowest / said_variance
        return 0.5 * (spread - 1 - log(spread) + (true_mean - said_mean) ** 2 / said_variance)

    def below(x: float) -> float:
        """The normal's distribution function, in the tanh approximation."""
        u = (x - said_clean) / sqrt(said_variance)
        return (1 + tanh(sqrt(2 / pi) * (u + 0.044715 * u**3))) / 2

    upper = 1.0 if clean > 0.999 else below(clean + 1 / 255)
    lower = 0.0 if clean < -0.999 else below(clean - 1 / 255)
    return -log(max(upper - lower, 1e-12))


def numbers(output: Tensor, clean: Tensor, eps: Tensor) -> Iterator[tuple[float, float, float, float]]:
    """What is said, its place between the bounds, clean and eps, of every number of one picture."""
    for c, h, w in product(*(range(size) for size in clean.shape)):
        yield (float(output[c, h, w]), float(output[len(clean) + c, h, w]), float(clean[c, h, w]), float(eps[c, h, w]))


@pytest.mark.parametrize("time", TIMES)
def test_the_loss_is_the_squared_error_and_the_bound_in_bits(time: int) -> None:
    output, clean, eps, times = case([time] * 4)
    loss = PROCESS.loss(output, clean, eps, times)
    for picture in range(4):
        places = list(numbers(output[picture], clean[picture], eps[picture]))
        errors = [(said - drawn) ** 2 for said, _, _, drawn in places]
        bounds = [slow_bound(*place, time) / log(2) for place in places]
        assert float(loss[picture]) == pytest.approx(sum(errors + bounds) / len(places), rel=1e-9)


def test_the_case_meets_both_edges_and_the_middle_of_the_likelihood() -> None:
    _, clean, _, _ = case(TIMES)
    assert (clean == 1).any() and (clean == -1).any() and (clean.abs() < 0.9).any()


def test_a_picture_s_loss_does_not_depend_on_its_batch() -> None:
    output, clean, eps, times = case(TIMES)
    alone = [PROCESS.loss(output[i : i + 1], clean[i : i + 1], eps[i : i + 1], times[i : i + 1]) for i in range(4)]
    assert_close(PROCESS.loss(output, clean, eps, times), torch.cat(alone))


def test_single_precision_is_enough_for_the_loss() -> None:
    single = [part.float() for part in case(TIMES)]
    assert_close(PROCESS.loss(*single).double(), PROCESS.loss(*case(TIMES)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("most", [0.5, 5.0])
def test_min_snr_bounds_the_error_s_weight_and_leaves_the_bound(most: float) -> None:
    weighted = IDDPM(IDDPMConfig(most_snr=most))
    given = output, _, eps, times = case(TIMES)
    error = (output.chunk(2, 1)[0] - eps).square().mean((1, 2, 3))
    bars = PROCESS.bars[times.long()]
    weight = torch.tensor([min(bar / (1 - bar), most) / (bar / (1 - bar)) for bar in bars])
    assert_close(weighted.loss(*given), PROCESS.bound(*given) + weight * error)
    assert float(weight.min()) < 0.1
    assert float(weight.max()) == pytest.approx(1)


def test_the_bound_trains_the_variance_alone() -> None:
    output, clean, eps, times = case(TIMES)
    output.requires_grad_()
    (whole,) = torch.autograd.grad(PROCESS.loss(output, clean, eps, times).sum(), output)
    (bound,) = torch.autograd.grad(PROCESS.bound(output, clean, eps, times).sum(), output)
    said, _ = output.detach().chunk(2, 1)
    assert_close(whole[:, :2], 2 * (said - eps) / eps[0].numel())
    assert_close(whole[:, 2:], bound[:, 2:])
    assert bound[:, :2].abs().amax((1, 2, 3)).min() > 0  # there was something to detach
    assert whole[:, 2:].abs().amax((1, 2, 3)).min() > 0


def test_a_perfect_output_costs_nothing_after_the_first_time() -> None:
    _, clean, eps, times = case([1, 500, 999])
    perfect = torch.cat([eps, -torch.ones_like(eps)], 1)
    assert_close(PROCESS.loss(perfect, clean, eps, times), torch.zeros(3, dtype=torch.float64), atol=1e-9, rtol=0)


def test_prediction_undoes_the_noise_and_places_the_variance() -> None:
    output, clean, eps, _ = case([500] * 4)
    level = next(level for level in PROCESS.levels(2) if level.time == 500)
    x_t = PROCESS.add_noise(clean, eps, torch.full((4,), 500.0, dtype=torch.float64))
    lower, upper = level.log_variance or (0.0, 0.0)
    for place, log_variance in ((-1.0, lower), (0.0, (lower + upper) / 2), (1.0, upper)):
        said = PROCESS.predict(torch.cat([eps, torch.full_like(eps, place)], 1), x_t, level)
        assert_close(said.clean, clean)
        assert said.log_variance is not None
        assert_close(said.log_variance, torch.full_like(eps, log_variance))
    assert PROCESS.predict(output, x_t, Level(level.alpha, level.sigma, 500.0)).log_variance is None


def test_times_are_whole_equally_likely_and_inside() -> None:
    grid = PROCESS.draw_time((torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000)
    assert grid.unique(return_counts=True)[1].tolist() == [10] * 1000


@pytest.mark.parametrize("steps", [2, 50, 1000, 1023, 1024, 1025])
def test_the_largest_draw_is_the_last_time(steps: int) -> None:
    process = IDDPM(IDDPMConfig(steps=steps))
    assert process.draw_time(torch.tensor([0.0, 1 - 2**-24])).tolist() == [0.0, steps - 1.0]


@pytest.mark.parametrize("steps", [1, 2, 25, 999])
def test_levels_fall_to_clean(steps: int) -> None:
    levels = PROCESS.levels(steps)
    assert len(levels) == steps + 1 and levels[0].time == 999 and levels[-1] == Level(1.0, 0.0, 0.0)
    assert all(a.time > b.time and a.sigma > b.sigma and a.alpha < b.alpha for a, b in pairwise(levels))
