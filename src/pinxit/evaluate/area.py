"""Where things are in a picture with a plain background: its colour, and the connected areas off it."""

from collections.abc import Mapping

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom excluded

DIFFERENCE = 24  # levels of 255, in any channel, from which a pixel is off the background
SPECK = 0.0015  # share of the picture below which an area is a speck


def background_colour(picture: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "3"]:
    """The median of the picture's outermost pixels, channel by channel."""
    sides = (picture[0], picture[-1], picture[1:-1, 0], picture[1:-1, -1])
    return np.median(np.concatenate(sides), axis=0).astype(np.float32)


def name_colour(colour: Float[np.ndarray, "3"], palette: Mapping[str, tuple[int, int, int]]) -> str:
    """The name of the palette's nearest colour."""
    return min(palette, key=lambda name: float(np.square(colour - np.array(palette[name])).sum()))


def off_background(pictures: UInt8[np.ndarray, "b h w 3"]) -> Bool[Tensor, "b h w"]:
    """Where each picture differs from its own background, gaps of one pixel closed."""
    colours = np.stack([background_colour(picture) for picture in pictures])
    far = np.abs(pictures - rearrange(colours, "b c -> b 1 1 c")).max(-1) > DIFFERENCE
    grown = F.max_pool2d(torch.from_numpy(far).float(), 3, 1, 1)
    return -F.max_pool2d(-grown, 3, 1, 1) > 0


def label(mask: Bool[Tensor, "b h w"]) -> Int[Tensor, "b h w"]:
    """One positive number for each area of `mask` whose pixels touch by side or corner, 0 off it."""
    count = mask[0].numel()
    start = rearrange(torch.arange(1.0, count + 1), "(h w) -> 1 h w", w=mask.shape[2]) * mask
    found, last = start, torch.zeros_like(start)
    while not torch.equal(found, last):
        found, last = F.max_pool2d(found, 3, 1, 1) * mask, found
    return found.long()
