"""Where things are in a picture with a plain background: its colour, and the connected areas off it."""

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image
from torch.nn import functional as F

from pinxit.data.kind import Pixels
from pinxit.data.palette import PALETTE

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom excluded
Colour = Float[np.ndarray, "3"]
Mask = Bool[np.ndarray, "height width"]

DIFFERENCE = 24  # levels of 255, in any channel, from which a pixel is off the background
AROUND = 10  # the same for the mean of the 3 x 3 pixels around it
CONTRAST = 100  # levels of 255 from which a pixel at an area's edge is covered whole; below, it is in part
GAP = 1 / 64  # of the shorter side: gaps up to twice as wide are closed
SPECK = 0.0015  # share of the picture below which an area is a speck


def background_colour(picture: Pixels) -> Colour:
    """The median of the picture's outermost pixels, channel by channel."""
    sides = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
    colour: Colour = np.median(np.concatenate(sides), axis=0).astype(np.float32)
    return colour


def name_colour(colour: Colour) -> str:
    """The name of the palette's nearest colour."""
    return min(PALETTE, key=lambda name: float(np.square(colour - np.array(PALETTE[name])).sum()))


def find_areas(picture: Pixels, colour: Colour) -> list[Mask]:
    """The connected areas that differ from the background's colour, largest first; gaps closed, specks dropped."""
    numbers = label(close(differs(picture, colour), reach(min(picture.shape[:2]))))
    names, counts = np.unique(numbers[numbers > 0], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [numbers == names[i] for i in order if counts[i] >= SPECK * numbers.size]


def reach(shorter: int) -> int:
    """Pixels by which things grow before gaps are closed, in a picture with that shorter side."""
    return max(1, round(GAP * shorter))


def least_gap(shorter: int) -> int:
    """Pixels that two things must have between them to be found as two, in a picture with that shorter side."""
    return 2 * reach(shorter) + 1


def differs(picture: Pixels, colour: Colour) -> Mask:
    """Where the picture is off a colour, and its surroundings are too: lone noisy pixels do not count."""
    difference = picture - colour
    around = F.avg_pool2d(rearrange(torch.tensor(difference), "h w c -> 1 c h w"), 3, 1, 1)
    smooth = rearrange(around.abs().amax(1), "1 h w -> h w").numpy()
    off: Mask = (np.abs(difference).max(-1) > DIFFERENCE) & (smooth > AROUND)
    return off


def close(mask: Mask, reach: int) -> Mask:
    """The mask with gaps of up to twice `reach` pixels filled; nothing grows beyond the picture."""
    side = 2 * reach + 1
    pixels = rearrange(torch.tensor(mask).float(), "h w -> 1 1 h w")
    grown = F.max_pool2d(pixels, side, 1, reach)
    shrunk = -F.max_pool2d(-grown, side, 1, reach)
    return rearrange(shrunk, "1 1 h w -> h w").numpy() > 0


def label(mask: Mask) -> Int[np.ndarray, "height width"]:
    """One positive number for each area whose pixels touch by side or corner, 0 off the mask."""
    inside = rearrange(torch.tensor(mask).float(), "h w -> 1 1 h w")
    found = inside * torch.arange(1.0, mask.size + 1).view_as(inside)
    while True:
        spread = F.max_pool2d(found, 3, 1, 1) * inside
        if torch.equal(spread, found):
            return rearrange(found, "1 1 h w -> h w").long().numpy()
        found = spread


def box_of(mask: Mask) -> Box:
    """The smallest box around the mask's pixels; the whole picture if there are none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0, 0, mask.shape[1], mask.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def crop(picture: Pixels, mask: Mask, colour: Colour, side: int) -> UInt8[np.ndarray, "side side 3"]:
    """What the mask's box holds, in the middle of a square of the background's colour, averaged to `side` pixels.

    Pixels at the edge count by how far they are covered, or a small drawing would be framed wider than a large one.
    """
    left, top, right, bottom = box_of(mask)
    covered = np.clip(np.abs(picture - colour).max(-1) / CONTRAST, 0, 1) * mask
    across, down = covered.max(0), covered.max(1)
    x, y = left + 1 - across[left], top + 1 - down[top]
    width, height = right - 1 + across[right - 1] - x, bottom - 1 + down[bottom - 1] - y
    half = max(width, height, 1) / 2
    margin = max(right - left, bottom - top)
    canvas = np.empty((bottom - top + 2 * margin, right - left + 2 * margin, 3), np.uint8)
    canvas[:] = np.round(colour)
    canvas[margin : margin + bottom - top, margin : margin + right - left] = picture[top:bottom, left:right]
    x_centre, y_centre = x + width / 2 - left + margin, y + height / 2 - top + margin
    square = (x_centre - half, y_centre - half, x_centre + half, y_centre + half)
    return np.asarray(Image.fromarray(canvas).resize((side, side), Image.Resampling.BOX, box=square))
