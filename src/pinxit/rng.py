"""The randomness of one picture: the same whatever its batch, its process and the run's interruptions."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


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


@dataclass(frozen=True)
class Draws:
    """The draws of one batch, picture by picture: each named stream of each position is its own generator."""

    seed: int
    positions: Sequence[int]

    def normal(self, name: str, shape: Sequence[int]) -> Float[Tensor, "b ..."]:
        """Standard normal noise of `shape` for every picture."""
        return torch.stack(
            [torch.randn(tuple(shape), generator=generator_at(self.seed, f"{p}/{name}")) for p in self.positions]
        )

    def uniform(self, name: str) -> Float[Tensor, "b"]:
        """One number in [0, 1) for every picture."""
        return torch.stack([torch.rand((), generator=generator_at(self.seed, f"{p}/{name}")) for p in self.positions])

    def shared(self, name: str) -> float:
        """One number in [0, 1) for the whole step, tied to its first picture."""
        return float(torch.rand((), generator=generator_at(self.seed, f"{self.positions[0]}/{name}/shared")))
