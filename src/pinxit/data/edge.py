"""Edges of a picture: soft ones by strength, and Canny's thin ones; a turned picture has them turned, to the bit."""

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from pinxit.data.record import Pixels

STEP = 640  # gradient beside a step of one level: 4 of Sobel and 16 of the blur along it, 15 - 5 of the blur across
FAINTEST = 48  # levels: where no step is greater, the strongest edge is not raised to full
LOW, HIGH = 16, 40  # levels: Canny's thresholds
DIAGONAL = np.tan(np.pi / 8)  # a gradient flatter than this against an axis counts as along it


def soft_edges(picture: Pixels) -> UInt8[np.ndarray, "height width"]:
    """How strong the edge is at each pixel: 255 at the strongest of the picture, 0 where it is flat.

    The strength is the square root of the gradient's length over all colours, so that faint edges still show; a
    picture with no step of at least `FAINTEST` levels in every colour is measured against such a step instead.
    """
    across, down = _gradients(picture)
    squared = (across**2 + down**2).sum(0) / 3
    strongest = max(float(squared.max(initial=0)), (FAINTEST * STEP) ** 2)
    strength: UInt8[np.ndarray, "height width"] = np.rint(255 * (squared / strongest) ** 0.25).astype(np.uint8)
    return strength


def canny(picture: Pixels, low: float = LOW, high: float = HIGH) -> UInt8[np.ndarray, "height width"]:
    """255 on edges one pixel thin, 0 elsewhere: Canny 1986.

    Thresholds are in levels of a step between two flat parts. An edge counts from `high` on, and goes on from there
    down to `low`. Of the colours each pixel takes the one with the strongest gradient; of two equal pixels on either
    side of a step the one where the colour is greater is the edge.
    """
    across, down = _gradients(picture)
    squared = across**2 + down**2
    strongest = squared.max(0)
    rows, columns = np.nonzero(strongest >= (low * STEP) ** 2)
    colour = squared[:, rows, columns].argmax(0)
    on_ridge = _is_ridge(across[colour, rows, columns], down[colour, rows, columns], strongest, rows, columns)
    weak = np.zeros(strongest.shape, bool)
    weak[rows[on_ridge], columns[on_ridge]] = True
    return _connected(weak & (strongest >= (high * STEP) ** 2), weak) * np.uint8(255)


def _gradients(
    picture: Pixels,
) -> tuple[Float32[np.ndarray, "3 height width"], Float32[np.ndarray, "3 height width"]]:
    """Sobel's gradients across and down of the blurred picture, whose border is repeated outwards.

    The blur is 1 4 6 4 1, which is near a Gaussian of one pixel. It and Sobel's 1 2 1 are sums of neighbours repeated,
    and Sobel's -1 0 1 is one such sum and a difference. All are whole numbers that float32 holds exactly.
    """
    values = np.pad(picture.transpose(2, 0, 1).astype(np.float32), ((0, 0), (3, 3), (3, 3)), "edge")
    for _ in range(5):
        values = values[:, 1:] + values[:, :-1]
        values = values[:, :, 1:] + values[:, :, :-1]
    across, down = values[:, 1:] + values[:, :-1], values[:, :, 1:] + values[:, :, :-1]
    return across[:, :, 1:] - across[:, :, :-1], down[:, 1:] - down[:, :-1]


def _is_ridge(
    across: Float32[np.ndarray, "n"],
    down: Float32[np.ndarray, "n"],
    squared: Float32[np.ndarray, "height width"],
    rows: Int[np.ndarray, "n"],
    columns: Int[np.ndarray, "n"],
) -> Bool[np.ndarray, "n"]:
    """Whether the gradient at each place is greater than ahead along itself, and no less than behind."""
    wide, high = np.abs(across), np.abs(down)
    x = np.sign(across).astype(int) * (wide > DIAGONAL * high)
    y = np.sign(down).astype(int) * (high > DIAGONAL * wide)
    around = np.pad(squared, 1)
    ahead, behind = around[rows + 1 + y, columns + 1 + x], around[rows + 1 - y, columns + 1 - x]
    here = squared[rows, columns]
    return np.asarray((here > ahead) & (here >= behind))


def _connected(
    strong: Bool[np.ndarray, "height width"], weak: Bool[np.ndarray, "height width"]
) -> Bool[np.ndarray, "height width"]:
    """The weak pixels that a chain of weak ones joins to a strong one, diagonals included."""
    height, width = strong.shape
    allowed, reached = np.pad(weak, 1).ravel(), np.pad(strong, 1).ravel()
    steps = np.array([y * (width + 2) + x for y in (-1, 0, 1) for x in (-1, 0, 1)])
    front = np.flatnonzero(reached)
    while len(front):
        near = (front[:, None] + steps).ravel()
        front = np.unique(near[allowed[near] & ~reached[near]])
        reached[front] = True
    return reached.reshape(height + 2, width + 2)[1:-1, 1:-1]
