"""Randomness: a function of seed, name and position alone; uniform and normal where it says so."""

import math

import pytest
import torch
from torch.testing import assert_close

from pinxit.rng import Draws

MASK = 2**64 - 1


def splitmix(state: int) -> int:
    """Splitmix64's finaliser in whole numbers without end."""
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


def test_a_uniform_draw_is_the_top_of_a_splitmix_word() -> None:
    from pinxit.rng import GOLDEN, seed_at

    position = 123_456_789
    key = splitmix((position * GOLDEN + seed_at(5, "time")) & MASK)
    word = splitmix((key + GOLDEN) & MASK)
    assert float(Draws(5, (position,)).uniform("time")) == (word >> 40) / 2**24


def test_the_published_first_word_of_seed_zero() -> None:
    assert splitmix(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF  # of the author's splitmix64.c
    from pinxit.rng import _scramble, _wrapped

    words = _scramble(torch.tensor([_wrapped(0x9E3779B97F4A7C15)]))
    assert int(words[0]) & MASK == 0xE220A8397B1DCDAF


@pytest.mark.parametrize("positions", [(0,), (7, 3, 2**62, 2**64 + 5, -1)])
def test_a_picture_draws_what_it_would_draw_alone(positions: tuple[int, ...]) -> None:
    together = Draws(0, positions)
    for place, position in enumerate(positions):
        alone = Draws(0, (position,))
        assert torch.equal(together.normal("noise", (3, 5))[place], alone.normal("noise", (3, 5))[0])
        assert torch.equal(together.uniform("time")[place], alone.uniform("time")[0])


def test_seed_name_and_position_each_give_another_stream() -> None:
    drawn = [
        Draws(seed, (position,)).normal(name, (64,))[0]
        for seed in (0, 1)
        for name in ("noise", "posterior")
        for position in (0, 1)
    ]
    apart = torch.corrcoef(torch.stack(drawn)) - torch.eye(len(drawn))
    assert apart.abs().max() < 0.5


def test_normal_draws_are_normal_within_and_across_pictures() -> None:
    drawn = Draws(1, range(512)).normal("noise", (4, 32, 32))
    assert drawn.isfinite().all()
    for numbers in (drawn.flatten(), drawn[:, 0, 0, :2].flatten()):
        error = 5 / math.sqrt(len(numbers))
        assert_close(numbers.mean(), torch.tensor(0.0), atol=error, rtol=0)
        assert_close(numbers.square().mean(), torch.tensor(1.0), atol=error * 2**0.5, rtol=0)
        assert_close(numbers.pow(4).mean(), torch.tensor(3.0), atol=error * 96**0.5, rtol=0)
    ranks = torch.special.ndtr(drawn.flatten()).sort().values
    uniform = (torch.arange(len(ranks)) + 0.5) / len(ranks)
    assert (ranks - uniform).abs().max() < 2 / math.sqrt(len(ranks))  # Kolmogorov and Smirnov, one in a thousand


def test_uniform_draws_fill_the_interval_evenly() -> None:
    drawn = Draws(2, range(100_000)).uniform("time")
    assert (drawn >= 0).all()
    assert (drawn < 1).all()
    counts = torch.histc(drawn, 100, 0, 1)
    assert ((counts - 1000).square() / 1000).sum() < 160  # chi squared of 99 degrees: one in ten thousand


def test_an_odd_number_of_normal_draws_and_a_single_one() -> None:
    for shape in ((), (1,), (3,)):
        assert Draws(0, (1, 2)).normal("noise", shape).shape == (2, *shape)


def test_one_number_is_shared_by_a_step_and_tied_to_its_first_picture() -> None:
    assert Draws(3, (8, 9)).shared("scale") == Draws(3, (8, 1)).shared("scale") != Draws(3, (9, 8)).shared("scale")
