"""The randomness of one picture: the same whatever its batch, its process and the run's interruptions."""

import math
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

GOLDEN = 0x9E3779B97F4A7C15  # the odd constants of splitmix64
FIRST, SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
EXACT = 24  # bits of a whole number that float32 holds


def seed_at(seed: int, place: str | int) -> int:
    """A 63-bit seed that is a fixed function of a run's seed and a place in it."""
    digest = blake2b(f"{seed}/{place}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator_at(seed: int, place: str | int) -> torch.Generator:
    """The torch randomness of one place in a run, whatever its batch and however many processes."""
    return torch.Generator().manual_seed(seed_at(seed, place))


def numpy_at(seed: int, place: str | int) -> np.random.Generator:
    """The numpy randomness of one place in a run."""
    return np.random.default_rng(seed_at(seed, place))


def _wrapped(number: int) -> int:
    """A whole number as a signed 64-bit one, modulo 2^64."""
    return (number + 2**63) % 2**64 - 2**63


def _scramble(words: Int[Tensor, "*any"]) -> Int[Tensor, "*any"]:
    """Splitmix64's finaliser (Steele et al. 2014), in place: every bit of a 64-bit word depends on all its bits."""
    for shift, factor in ((30, FIRST), (27, SECOND)):
        words.bitwise_xor_(_top(words, shift)).mul_(_wrapped(factor))
    return words.bitwise_xor_(_top(words, 31))


def _top(words: Int[Tensor, "*any"], shift: int) -> Int[Tensor, "*any"]:
    """Words shifted to the right, zeros coming in."""
    return (words >> shift).bitwise_and_((1 << (64 - shift)) - 1)


class Draws:
    """The draws of one batch: each named stream of each position is a sequence of its own, whatever the others are.

    A draw is a hash of seed, name, position and place in the stream (splitmix64), so that a whole batch is drawn at
    once, on any device, each picture as it would be alone.
    """

    def __init__(
        self, seed: int, positions: Sequence[int] | Int[Tensor, "b"], device: torch.device | str = "cpu"
    ) -> None:
        self.seed = seed
        if not isinstance(positions, Tensor):
            positions = torch.tensor([_wrapped(position) for position in positions])
        self.positions = positions.to(device)

    def normal(self, name: str, shape: Sequence[int]) -> Float[Tensor, "b ..."]:
        """Standard normal noise of `shape` for every picture (Box and Muller 1958), within 6 deviations."""
        count = math.prod(shape)
        words = self._words(name, (count + 1) // 2)
        radius = _top(words, 64 - EXACT).float().add_(0.5).mul_(2.0**-EXACT).log_().mul_(-2).sqrt_()
        angle = words.bitwise_and_(2**EXACT - 1).float().mul_(math.tau * 2.0**-EXACT)
        pairs = torch.cat([radius * angle.cos(), radius * angle.sin()], 1)
        return pairs[:, :count].reshape(-1, *shape)

    def uniform(self, name: str) -> Float[Tensor, "b"]:
        """One number in [0, 1) for every picture."""
        return _top(self._words(name, 1)[:, 0], 64 - EXACT).float() * 2.0**-EXACT

    def shared(self, name: str) -> float:
        """One number in [0, 1) for the whole step, tied to its first picture."""
        return float(self.uniform(f"{name}/shared")[0])

    def _words(self, name: str, count: int) -> Int[Tensor, "b count"]:
        """The first `count` 64-bit words of every picture's stream."""
        keys = _scramble(self.positions * _wrapped(GOLDEN) + seed_at(self.seed, name))
        places = torch.arange(1, count + 1, device=keys.device) * _wrapped(GOLDEN)
        return _scramble(keys[:, None] + places)
