"""Edges are where the picture changes, thin where they should be, nowhere else, and turn with the picture."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from pinxit.data.edge import HIGH, canny, soft_edges

DETECTORS = (soft_edges, canny)


def square(inside: tuple[int, int, int] = (200, 40, 40), outside: tuple[int, int, int] = (20, 40, 40)) -> np.ndarray:
    """A square of 16 x 16 from row 8 and column 12 in a picture of 32 x 40."""
    picture = np.full((32, 40, 3), outside, np.uint8)
    picture[8:24, 12:28] = inside
    return picture


def noise(height: int = 30, width: int = 22) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def oracle_gradients(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Blur and Sobel pixel by pixel."""
    blur = np.outer((1, 4, 6, 4, 1), (1, 4, 6, 4, 1))
    sobel = np.outer((1, 2, 1), (-1, 0, 1))
    padded = np.pad(picture.astype(int), ((3, 3), (3, 3), (0, 0)), "edge")
    height, width, _ = picture.shape
    blurred = np.zeros((height + 2, width + 2, 3), int)
    for y, x in np.ndindex(height + 2, width + 2):
        blurred[y, x] = (padded[y : y + 5, x : x + 5] * blur[..., None]).sum((0, 1))
    across, down = np.zeros((2, height, width, 3), int)
    for y, x in np.ndindex(height, width):
        across[y, x] = (blurred[y : y + 3, x : x + 3] * sobel[..., None]).sum((0, 1))
        down[y, x] = (blurred[y : y + 3, x : x + 3] * sobel.T[..., None]).sum((0, 1))
    return across, down


def oracle_canny(picture: np.ndarray, low: float, high: float) -> np.ndarray:
    """Canny pixel by pixel."""
    across, down = oracle_gradients(picture)
    height, width, _ = picture.shape
    length = np.zeros((height + 2, width + 2))
    direction = {}
    for y, x in np.ndindex(height, width):
        squares = across[y, x] ** 2 + down[y, x] ** 2
        channel = int(squares.argmax())
        length[y + 1, x + 1] = squares[channel] ** 0.5 / 640
        direction[y, x] = np.arctan2(down[y, x, channel], across[y, x, channel])
    ridge = set()
    for (y, x), angle in direction.items():
        step = round(angle / (np.pi / 4)) % 8
        dy, dx = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))[step]
        here, ahead, behind = (length[y + 1 + turn * dy, x + 1 + turn * dx] for turn in (0, 1, -1))
        if here >= low and here > ahead and here >= behind:
            ridge.add((y, x))
    waiting = [(y, x) for y, x in ridge if length[y + 1, x + 1] >= high]
    found = set(waiting)
    while waiting:
        y, x = waiting.pop()
        near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & ridge - found
        found |= near
        waiting += near
    edges = np.zeros((height, width), np.uint8)
    for place in found:
        edges[place] = 255
    return edges


@pytest.mark.parametrize("thresholds", [(16.0, 40.0), (5.0, 5.0), (30.0, 120.0)])
def test_canny_is_what_the_slow_one_finds(thresholds: tuple[float, float]) -> None:
    for picture in (noise(), square(), square((250, 250, 10), (0, 250, 240))):
        assert_array_equal(canny(picture, *thresholds), oracle_canny(picture, *thresholds))


def test_soft_edges_are_the_root_of_the_slow_gradient() -> None:
    across, down = oracle_gradients(noise())
    length = np.sqrt((across**2 + down**2).sum(-1))
    assert_array_equal(soft_edges(noise()), np.rint(255 * np.sqrt(length / length.max())))


def test_cannys_edge_of_a_square_is_one_closed_line_on_its_brighter_side() -> None:
    edges = canny(square()) > 0
    line = np.zeros((32, 40), bool)
    line[8:24, 12:28] = True
    line[9:23, 13:27] = False
    corners = np.zeros_like(line)
    for y, x in ((8, 12), (8, 27), (23, 12), (23, 27)):
        corners[y - 1 : y + 2, x - 1 : x + 2] = True
    assert_array_equal(edges[~corners], line[~corners])
    assert (edges[8:24, 13:27].sum(0) == 2).all()  # thin: each column crosses the square's line twice
    assert set(np.unique(canny(square()))) == {0, 255}


def test_soft_edges_are_strongest_at_the_step_and_nothing_away_from_it() -> None:
    edges = soft_edges(square())
    assert edges.max() == 255
    assert edges[16, 11] == edges[16, 12] == edges.max()
    assert not edges[16, :9].any()
    assert not edges[12:20, 16:24].any()


@pytest.mark.parametrize("detect", DETECTORS)
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_picture_has_no_edge(detect, level: int) -> None:
    assert not detect(np.full((9, 14, 3), level, np.uint8)).any()


@pytest.mark.parametrize("detect", DETECTORS)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3)])
def test_the_smallest_pictures_have_edges_of_their_size(detect, size: tuple[int, int]) -> None:
    assert detect(noise(*size)).shape == size


@pytest.mark.parametrize("detect", DETECTORS)
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turning_the_picture_turns_its_edges(detect, turns: int) -> None:
    for picture in (noise(), square(), square((0, 200, 0), (200, 0, 0))):
        assert_array_equal(detect(np.ascontiguousarray(np.rot90(picture, turns))), np.rot90(detect(picture), turns))


@pytest.mark.parametrize("detect", DETECTORS)
def test_an_edge_between_colours_of_one_brightness_is_seen(detect) -> None:
    assert detect(square((200, 0, 0), (0, 200, 0)))[16].max() == 255
    grey = square((180, 60, 60), (100, 100, 100)).astype(int)
    assert abs(grey[0, 0].mean() - grey[16, 16].mean()) < 1
    assert detect(grey.astype(np.uint8))[16].max() == 255


def test_faint_noise_is_not_raised_to_full_edges() -> None:
    faint = (128 + noise() / 255 * 4).astype(np.uint8)
    assert soft_edges(faint).max() < 80
    assert not canny(faint).any()


def test_canny_needs_a_step_of_the_high_threshold_and_follows_it_down_to_the_low_one() -> None:
    assert not canny(square((100 + HIGH - 1,) * 3, (100,) * 3)).any()
    assert canny(square((100 + HIGH + 1,) * 3, (100,) * 3)).any()
    fading = square((120, 120, 120), (100, 100, 100))  # a step of 20, between both thresholds
    assert not canny(fading).any()
    fading[8:24, 12:28] = np.linspace(200, 120, 16).astype(np.uint8)[:, None, None]
    edges = canny(fading)
    assert (edges[10:22, 12] == 255).all()  # the faint end is joined to the strong one
    assert (edges[10:22, 27] == 255).all()
