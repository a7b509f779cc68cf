"""Which candidate is nearest: the rank of the right concept, and the nearest training picture of a sample."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pinxit.data.kind import Pixels
from pinxit.errors import DataError
from pinxit.evaluate.feature import thumbnails

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


def find_nearest(drawn: Sequence[Pixels], known: Iterable[Pixels]) -> list[Pixels]:
    """For each drawn picture the one of `known` whose thumbnail is nearest: itself, if it was learned by heart.

    All pictures are of one size. `known` is gone through once, and none of it held but what is nearest so far.
    """
    queries = thumbnails(np.stack(drawn))
    least = torch.full((len(drawn),), torch.inf)
    found: dict[int, Pixels] = {}
    for picture in known:
        distances = euclidean(queries, thumbnails(picture[None]))[:, 0]
        found.update(dict.fromkeys((distances < least).nonzero()[:, 0].tolist(), picture))
        least = torch.minimum(least, distances)
    return [found[place] for place in range(len(drawn))]
