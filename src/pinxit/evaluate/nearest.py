"""Which candidate is nearest: the rank of the right concept, and the nearest training picture of a sample."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from pinxit.errors import DataError

TIE = 1e-5  # distances nearer to each other than this are equal: one drawing often stands for several concepts

Distance = Callable[[Float[Tensor, "q f"], Float[Tensor, "c f"]], Float[Tensor, "q c"]]


def euclidean(queries: Float[Tensor, "q f"], candidates: Float[Tensor, "c f"]) -> Float[Tensor, "q c"]:
    """The distance of each pair, without the rounding that the faster matrix form brings."""
    return torch.cdist(queries, candidates, compute_mode="donot_use_mm_for_euclid_dist")


def cosine(queries: Float[Tensor, "q f"], candidates: Float[Tensor, "c f"]) -> Float[Tensor, "q c"]:
    """1 minus the cosine of each pair.

    For Lite0 features the right choice: on blurred, noisy emoji the right concept was nearest by cosine in 51 % of
    cases and by Euclidean distance in 39 % (1,239 candidates, 32 pixels); on clean ones 95 % and 93 %.
    """
    return 1 - F.normalize(queries, dim=1) @ F.normalize(candidates, dim=1).T


@dataclass(frozen=True)
class Ranking:
    """Concepts and the distance of each one's nearest candidate to one picture."""

    concepts: tuple[str, ...]
    distances: Float[Tensor, "k"]

    def rank(self, concept: str) -> int:
        """1 for the nearest, which several share where they are equally near; DataError for a concept not there."""
        if concept not in self.concepts:
            raise DataError(concept, "it is not among the candidates", "judge with art that holds what was asked for")
        own = self.distances[self.concepts.index(concept)]
        return 1 + int((self.distances < own - TIE).sum())

    @property
    def nearest(self) -> str:
        """The first of the nearest concepts."""
        return self.concepts[int(self.distances.argmin())]


def rank_concepts(distances: Float[Tensor, "q c"], concepts: Sequence[str]) -> list[Ranking]:
    """For each query the concepts by distance; `concepts` names each candidate's, a concept may have several."""
    names = tuple(dict.fromkeys(concepts))
    places = {name: place for place, name in enumerate(names)}
    index = torch.tensor([places[name] for name in concepts]).expand_as(distances)
    nearest = distances.new_full((len(distances), len(names)), torch.inf).scatter_reduce(1, index, distances, "amin")
    return [Ranking(names, row) for row in nearest]


def rank(distances: Float[Tensor, "q c"], concepts: Sequence[str], asked: Sequence[str]) -> list[int]:
    """For each query the rank of the concept asked for among those of the candidates."""
    return [row.rank(concept) for row, concept in zip(rank_concepts(distances, concepts), asked, strict=True)]


def find_nearest(
    queries: Float[Tensor, "q f"], candidates: Float[Tensor, "c f"], distance: Distance
) -> tuple[Int[Tensor, "q"], Float[Tensor, "q"]]:
    """For each sample the index of the nearest training picture and its distance: what a memorised picture shows."""
    found = distance(queries, candidates).min(1)
    return found.indices, found.values
