"""Large latents decoded in tiles that overlap: where two meet, one fades into the other."""

from collections.abc import Callable
from itertools import pairwise
from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor

MARGIN = 16  # latent pixels at a tile's cut that do not count: they saw zeros where the picture goes on
BLEND = 16  # latent pixels over which one tile fades into the next

Decode = Callable[[Float[Tensor, "b c h w"]], Float[Tensor, "b 3 H W"]]


def decode_in_tiles(
    decode: Decode, latent: Float[Tensor, "b c h w"], side: int, factor: int
) -> Float[Tensor, "b 3 H W"]:
    """The pictures of latents, `factor` times as large, decoded in tiles of `side` by `side` latent pixels.

    A decoder that sees no further than `MARGIN` gives what it gives of the whole, to rounding. One that sees more, as
    by a norm over all pixels, gives what it says of a single tile, but where two fade into each other.
    """
    *batch, _, height, width = latent.shape
    whole = latent.new_zeros(*batch, 3, height * factor, width * factor)
    for top, down in windows(height, side, factor):
        for left, across in windows(width, side, factor):
            pixels = decode(latent[..., top : top + side, left : left + side])
            weight = torch.outer(down, across).to(pixels)
            rows, columns = (slice(s * factor, s * factor + n) for s, n in ((top, len(down)), (left, len(across))))
            whole[..., rows, columns] += weight * pixels
    return whole


def windows(length: int, side: int, factor: int) -> list[tuple[int, Float[Tensor, "pixels"]]]:
    """Where the tiles along an axis start, evenly, and how much each of their pixels counts: in sum 1 everywhere."""
    side = min(side, length)
    count = 1 + ceil((length - side) / (side - 2 * MARGIN - BLEND))
    starts = [round(index * (length - side) / max(1, count - 1)) for index in range(count)]
    place = (torch.arange(length * factor) + 0.5) / factor
    shown = [torch.ones_like(place)]  # how much of a tile, or of one after it, shows
    for now, then in pairwise(starts):
        shown.append(((place - (then + now + side) / 2) / BLEND + 0.5).clamp(0, 1))
    shown.append(torch.zeros_like(place))
    return [
        (start, (this - following)[start * factor : (start + side) * factor])
        for start, (this, following) in zip(starts, pairwise(shown), strict=True)
    ]
