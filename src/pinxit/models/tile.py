"""Large latents decoded in tiles that overlap: where two meet, one fades into the other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise, product
from math import ceil

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

MARGIN = 16  # latent pixels at a tile's cut that do not count: they saw zeros where the picture goes on
BLEND = 16  # latent pixels over which one tile fades into the next
SETTLED = 5e-3  # of a deviation: by how much a norm's mean or deviation may still have changed in the last pass

Decode = Callable[[Float[Tensor, "b c h w"]], Float[Tensor, "b 3 H W"]]


@dataclass(frozen=True)
class Tile:
    """One of the squares of `side` that cover `height` by `width` latent pixels: in which row of them and column."""

    height: int
    width: int
    side: int
    row: int
    column: int

    def cut(self, whole: Float[Tensor, "b c H W"], factor: int = 1) -> Float[Tensor, "b c h w"]:
        """Its part of a tensor that is `factor` times as large as the latent."""
        (top, down), (left, across) = self._windows(factor)
        return whole[..., factor * top : factor * top + len(down), factor * left : factor * left + len(across)]

    def counts(self, like: Float[Tensor, "b c h w"]) -> Float[Tensor, "h w"]:
        """How much each of its places counts in something made from its latent; over all tiles they sum to 1."""
        (_, down), (_, across) = self._windows(like.shape[-1] // min(self.side, self.width))
        return torch.outer(down, across).to(like)

    def _windows(self, factor: int) -> list[tuple[int, Float[Tensor, "places"]]]:
        axes = ((self.height, self.row), (self.width, self.column))
        return [windows(length, self.side, factor)[index] for length, index in axes]


class WholeNorm:
    """A group norm's work on the tiles of a picture, by mean and deviation of the whole as the last pass found them."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        self.norm = norm
        self.tile: Tile | None = None
        self.known: Float[Tensor, "2 b g"] | None = None  # mean and deviation; None: each tile goes by its own
        self.sums: list[Float[Tensor, "3 b g"]] = []

    def __call__(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The norm of a tile, in the place of the norm's own `forward`."""
        assert self.tile is not None
        counts = self.tile.counts(x).flatten().double()
        groups = (part.flatten(2).double() for part in x.chunk(self.norm.num_groups, 1))  # one after another: few bytes
        powers = [((part @ counts).mean(1), (part.square() @ counts).mean(1)) for part in groups]
        first, second = (torch.stack(each, 1) for each in zip(*powers, strict=True))
        self.sums.append(torch.stack([counts.sum().expand_as(first), first, second]))
        if self.known is None:
            return type(self.norm).forward(self.norm, x)
        mean, deviation = (
            repeat(each.to(x), "b g -> b (g e) 1 1", e=x.shape[1] // self.norm.num_groups) for each in self.known
        )
        weight, bias = (rearrange(each, "c -> c 1 1") for each in (self.norm.weight, self.norm.bias))
        scale = weight / deviation
        return torch.addcmul(bias - mean * scale, x, scale)

    def learn(self) -> float:
        """The whole is known as the tiles of this pass tell it; returns by how many deviations that is news at most."""
        count, first, second = torch.stack(self.sums).sum(0)
        mean = first / count
        deviation = ((second / count - mean.square()).clamp_min(0) + self.norm.eps).sqrt()
        before, self.known, self.sums = self.known, torch.stack([mean, deviation]), []
        return float("inf") if before is None else float(((self.known - before) / deviation).abs().max())


def decode_in_tiles(
    decode: Decode, latent: Float[Tensor, "b c h w"], side: int, factor: int
) -> Float[Tensor, "b 3 H W"]:
    """The pictures of latents, `factor` times as large, decoded in tiles of `side` by `side` latent pixels.

    A decoder that sees no further than `MARGIN` gives what it gives of the whole, to rounding. One that sees more, as
    by a norm over all pixels, gives what it says of a single tile, but where two fade into each other.
    """
    return _joined(lambda tile: decode(tile.cut(latent)), latent, side, factor)


def decode_with_norms(
    decode: Decode, norms: Sequence[nn.GroupNorm], latent: Float[Tensor, "b c h w"], side: int, factor: int
) -> Float[Tensor, "b 3 H W"]:
    """The same for a decoder that sees all pixels by its `norms` alone: they work by the whole picture.

    What all tiles say of a norm's mean and deviation it goes by in the next pass. So after n passes the first n norms
    in the decoder are right; passes end when nothing is news, or all are.
    """
    whole = [WholeNorm(norm) for norm in norms]

    def decode_one(tile: Tile) -> Tensor:
        for norm in whole:
            norm.tile = tile
        return decode(tile.cut(latent))

    with ExitStack() as stack:
        for each in whole:
            vars(each.norm)["forward"] = each
            stack.callback(vars(each.norm).pop, "forward")
        for _ in range(len(norms) + 1):
            pixels = _joined(decode_one, latent, side, factor)
            if max(norm.learn() for norm in whole) <= SETTLED:
                break
    return pixels


def _joined(
    decode: Callable[[Tile], Float[Tensor, "b 3 h w"]], latent: Float[Tensor, "b c h w"], side: int, factor: int
) -> Float[Tensor, "b 3 H W"]:
    *batch, _, height, width = latent.shape
    whole = latent.new_zeros(*batch, 3, height * factor, width * factor)
    for tile in tiles(height, width, side):
        pixels = decode(tile)
        tile.cut(whole, factor).addcmul_(tile.counts(pixels), pixels)
    return whole


def tiles(height: int, width: int, side: int) -> Iterator[Tile]:
    """The tiles that cover so many latent pixels."""
    rows, columns = (range(len(windows(length, side, 1))) for length in (height, width))
    return (Tile(height, width, side, *place) for place in product(rows, columns))


def windows(length: int, side: int, factor: int) -> list[tuple[int, Float[Tensor, "pixels"]]]:
    """Where the tiles along an axis start, evenly, and how much each of their pixels counts: in sum 1 everywhere."""
    stride, side = side - 2 * MARGIN - BLEND, min(side, length)
    count = 1 + ceil((length - side) / stride)
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
