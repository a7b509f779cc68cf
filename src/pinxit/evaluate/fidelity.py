"""How near drawn pictures are to their truths, pixel by pixel: PSNR and SSIM, one number a picture."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from einops import rearrange, reduce
from jaxtyping import Float, UInt8

from pinxit.evaluate.feature import Pictures
from pinxit.models.package import require

BATCH = 16  # of each set
LEVELS = 255


def psnr(truth: Pictures, drawn: Pictures) -> Float[np.ndarray, "b"]:
    """10 log10(255^2 / the mean squared error) of each picture, in decibels; infinite where it is its truth.

    Raises ValueError for sets of unequal shapes.
    """
    errors = [np.empty(0)]
    for one, other in batches(truth, drawn):
        errors.append(reduce(np.square(one.astype(float) - other), "b h w c -> b", "mean"))
    with np.errstate(divide="ignore"):
        return 10 * np.log10(LEVELS**2 / np.concatenate(errors))


def ssim(truth: Pictures, drawn: Pictures) -> Float[np.ndarray, "b"]:
    """The structural similarity of each picture (Wang et al. 2004): 1 where it is its truth, about 0 where unrelated.

    As torchmetrics has it: a Gaussian window of 11 pixels with deviation 1.5, the picture mirrored beyond its border,
    the mean over pixels and over red, green and blue. Raises MissingExtra where torchmetrics is not installed, and
    ValueError for sets of unequal shapes.
    """
    require("torchmetrics", "the structural similarity", "torchmetrics>=1.9,<2")
    from torchmetrics.functional.image import structural_similarity_index_measure as similarity

    found = [np.empty(0, np.float32)]
    for batch in batches(truth, drawn):
        one, other = (rearrange(torch.tensor(part), "b h w c -> b c h w").float() / LEVELS for part in batch)
        found.append(similarity(one, other, data_range=1.0, reduction="none").numpy())
    return np.concatenate(found)


def batches(truth: Pictures, *sets: UInt8[np.ndarray, "_ _ _ 3"]) -> Iterator[Sequence[Pictures]]:
    """The truths and each set's pictures of them, a batch at a time; ValueError where the shapes differ."""
    for drawn in sets:
        if drawn.shape != truth.shape:
            raise ValueError(
                f"pictures {drawn.shape} and truths {truth.shape} are no pairs; give one for each, as large"
            )
    for start in range(0, len(truth), BATCH):
        yield [pictures[start : start + BATCH] for pictures in (truth, *sets)]
