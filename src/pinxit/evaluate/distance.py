"""How far the features of drawn pictures are from those of real ones: kernel and Fréchet distance, and their floor."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pinxit.evaluate.interval import Estimate, middle, resample
from pinxit.rng import numpy_at

COMPONENTS = 64  # at most, in which the Fréchet distance is taken
HALVINGS = 10  # of the real pictures, over which a floor is averaged

Distance = Callable[[Float[Tensor, "r d"], Float[Tensor, "m d"]], float]


def kernel_distance(real: Float[Tensor, "r d"], drawn: Float[Tensor, "m d"]) -> float:
    """The kernel distance (KID): the unbiased squared MMD with k(x, y) = (x.y / d + 1)^3 (Bińkowski et al. 2018).

    All rows at once, in float64. Without bias it may fall below 0, and the counts of rows need not be equal. The sets
    are taken to be independent; where each picture was drawn from a real one of the set, use `paired_kernel_distance`.
    Raises ValueError for a set of fewer than two rows.
    """
    refuse_fewer_than_two(real, drawn)
    within = mean_of_pairs(kernel(real, real)) + mean_of_pairs(kernel(drawn, drawn))
    return within - 2 * float(kernel(real, drawn).mean())


def paired_kernel_distance(truth: Float[Tensor, "n d"], drawn: Float[Tensor, "n d"], seed: int) -> Estimate:
    """The kernel distance of pictures drawn from conditions, row i from what was made of row i of the truth.

    Such a picture is nearer to its own truth than chance would have it, and comparing the two would lower the distance:
    for 400 scenes of 64 pixels, halved and enlarged again, to 0.010 in place of 0.016. The squared MMD over pairs does
    not, and is unbiased (Gretton et al. 2012, eq. 4). The interval is a bootstrap of pictures, each with its truth.
    Raises ValueError for fewer than two rows, and for unequal counts.
    """
    refuse_unpaired(truth, drawn)
    return estimate(kernel(truth, truth) + excess(truth, drawn), seed)


def kernel_difference(
    truth: Float[Tensor, "n d"], first: Float[Tensor, "n d"], second: Float[Tensor, "n d"], seed: int
) -> Estimate:
    """By how much `first` is farther from the truth than `second`: the difference of their paired kernel distances.

    Row i of all three is of one picture, and drawn with the same condition and noise; the pictures are bootstrapped,
    each in all three sets at once. Between sets that are both near the truth the interval is rather too wide than too
    narrow. Raises ValueError for fewer than two rows, and for unequal counts.
    """
    refuse_unpaired(truth, first, second)
    return estimate(excess(truth, first) - excess(truth, second), seed)


def frechet_distance(real: Float[Tensor, "r d"], drawn: Float[Tensor, "m d"]) -> float:
    """The squared Fréchet distance of two normal distributions in the first principal components of the real features.

    |mean - mean'|^2 + tr(C + C' - 2 (C C')^(1/2)) (Heusel et al. 2017), in at most 64 components, fewer where the real
    rows span fewer; what drawn features differ in beyond them is not seen. It grows as rows get fewer: compare it only
    at equal counts of rows, and with the floor. Pictures drawn from conditions share with their truths what chance gave
    these, and come out too near: 400 scenes of 64 pixels, halved and enlarged again, at 11, 400 other scenes at 22.
    Hold such pictures against other real ones. Raises ValueError for fewer than two rows, and for real rows all alike.
    """
    refuse_fewer_than_two(real, drawn)
    centre, lengths, axes = principal_components(real.double())
    deviations = lengths / sqrt(len(real) - 1)
    rows = (drawn.double() - centre) @ axes.T
    shift = rows.mean(0)
    spread = (rows - shift) / sqrt(len(drawn) - 1)
    overlap = torch.linalg.svdvals(spread * deviations).sum()  # tr (C C')^(1/2), C diagonal in its own components
    return float(shift.square().sum() + deviations.square().sum() + spread.square().sum() - 2 * overlap)


@dataclass(frozen=True)
class Floor:
    """What a distance comes to between two sets of `rows` real pictures: its mean and its standard deviation."""

    mean: float
    deviation: float
    rows: int


def measure_floor(distance: Distance, real: Float[Tensor, "n d"], rows: int, seed: int) -> Floor:
    """The distance between random halves of the real features, of `rows` rows each or as many as there are.

    Give the count of the drawn pictures, and twice as many real ones: the Fréchet distance grows as rows get fewer, so
    at a smaller count its floor is too high. The kernel distance has no such bias, its mean here is about 0 for any
    features: read its deviation, which falls with the count of rows. Raises ValueError for fewer than four real rows.
    """
    rows = min(rows, len(real) // 2)
    found = []
    for halving in range(HALVINGS):
        order = torch.from_numpy(numpy_at(seed, halving).permutation(len(real)))
        found.append(distance(real[order[:rows]], real[order[rows : 2 * rows]]))
    return Floor(float(np.mean(found)), float(np.std(found)), rows)


def kernel(first: Float[Tensor, "a d"], second: Float[Tensor, "b d"]) -> Float[Tensor, "a b"]:
    """(x.y / d + 1)^3 for each row of the first and each of the second, in float64."""
    return (first.double() @ second.double().T / first.shape[1] + 1) ** 3


def excess(truth: Float[Tensor, "n d"], drawn: Float[Tensor, "n d"]) -> Float[Tensor, "n n"]:
    """Each two pictures' term of the squared MMD but the truth's part: k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i)."""
    between = kernel(truth, drawn)
    return kernel(drawn, drawn) - between - between.T


def estimate(terms: Float[Tensor, "n n"], seed: int) -> Estimate:
    """The mean of the terms of two different pictures, with the interval of a bootstrap over pictures.

    A picture that a sample holds twice is not compared with itself, which would shift the interval; a sample of one
    picture alone says nothing. The terms are worked out once: each sample's mean is a sum of them, weighted by how
    often it holds their pictures.
    """
    n = len(terms)
    apart = terms.clone().fill_diagonal_(0)
    counts = np.stack([np.bincount(places, minlength=n) for places in resample(n, seed)])
    weights = torch.from_numpy(counts).double()
    sums, pairs = ((weights @ apart) * weights).sum(1), n**2 - weights.square().sum(1)
    return Estimate(mean_of_pairs(terms), middle((sums / pairs)[pairs > 0].numpy()))


def mean_of_pairs(terms: Float[Tensor, "n n"]) -> float:
    """The mean off the diagonal."""
    return float(terms.sum() - terms.diagonal().sum()) / (len(terms) * (len(terms) - 1))


def principal_components(
    rows: Float[Tensor, "n d"],
) -> tuple[Float[Tensor, "d"], Float[Tensor, "k"], Float[Tensor, "k d"]]:
    """The rows' mean, their lengths about it along the first components, longest first, and these components."""
    centre = rows.mean(0)
    _, lengths, axes = torch.linalg.svd(rows - centre, full_matrices=False)
    rounding = torch.linalg.vector_norm(rows) * max(rows.shape) * torch.finfo(rows.dtype).eps
    count = min(COMPONENTS, int((lengths > rounding).sum()))
    if not count:
        raise ValueError("the real pictures are all alike, and have no principal components; give different ones")
    return centre, lengths[:count], axes[:count]


def refuse_fewer_than_two(*sets: Float[Tensor, "_ d"]) -> None:
    """Raises ValueError where a set has fewer rows than a spread can be told from."""
    for rows in sets:
        if len(rows) < 2:
            raise ValueError(f"a set has {len(rows)} of the two rows that its spread needs; give more pictures")


def refuse_unpaired(truth: Float[Tensor, "n d"], *sets: Float[Tensor, "_ d"]) -> None:
    """Raises ValueError where a set has not one row for each of the truth, or the truth fewer than two."""
    refuse_fewer_than_two(truth)
    for rows in sets:
        if len(rows) != len(truth):
            raise ValueError(f"{len(rows)} rows and {len(truth)} of the truth are no pairs; give one for each picture")
