"""Areas of drawn shapes: how many, where, and what does not count."""

import numpy as np
import pytest

from pinxit.evaluate.area import background_colour, box_of, close, crop, differs, find_areas, label, least_gap

WHITE = np.full(3, 255, np.float32)


def sheet(*boxes: tuple[int, int, int, int], side: int = 64) -> np.ndarray:
    """Black rectangles on white."""
    picture = np.full((side, side, 3), 255, np.uint8)
    for left, top, right, bottom in boxes:
        picture[top:bottom, left:right] = 0
    return picture


def flood(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """The slow obvious way to connected areas."""
    left, found = {(int(y), int(x)) for y, x in np.argwhere(mask)}, []
    while left:
        area, edge = set(), [left.pop()]
        while edge:
            y, x = edge.pop()
            area.add((y, x))
            near = {(y + down, x + across) for down in (-1, 0, 1) for across in (-1, 0, 1)} & left
            left -= near
            edge += near
        found.append(area)
    return found


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.7, 1.0])
def test_labels_are_those_of_a_flood(share: float) -> None:
    mask = np.random.default_rng(3).random((20, 31)) < share
    numbers = label(mask)
    areas = [{(int(y), int(x)) for y, x in np.argwhere(numbers == n)} for n in np.unique(numbers[numbers > 0])]
    assert sorted(map(sorted, areas)) == sorted(map(sorted, flood(mask)))
    assert ((numbers > 0) == mask).all()


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ((), 0),
        (((10, 10, 30, 30),), 1),
        (((0, 0, 30, 64),), 1),  # reaches three borders
        (((5, 5, 25, 25), (35, 35, 60, 60)), 2),
        (((5, 5, 30, 30), (30, 5, 55, 30)), 1),  # they touch
        (((5, 5, 30, 30), (32, 5, 55, 30)), 1),  # a gap of two pixels is closed
        (((5, 5, 30, 30), (34, 5, 55, 30)), 2),  # one of four is not
        (((5, 5, 30, 30), (50, 50, 52, 52)), 1),  # a speck
    ],
)
def test_areas_are_counted_by_the_stated_rules(boxes: tuple[tuple[int, int, int, int], ...], expected: int) -> None:
    assert len(find_areas(sheet(*boxes), WHITE)) == expected


def test_areas_come_largest_first_and_in_their_places() -> None:
    found = find_areas(sheet((2, 2, 12, 12), (0, 30, 34, 64)), WHITE)
    assert [box_of(area) for area in found] == [(0, 30, 34, 64), (2, 2, 12, 12)]


def test_a_picture_all_of_one_colour_is_all_background() -> None:
    black = np.zeros((16, 16, 3), np.uint8)
    assert find_areas(black, background_colour(black)) == []


def test_the_background_is_the_border_that_most_of_it_has() -> None:
    assert (background_colour(sheet((0, 0, 60, 20))) == WHITE).all()
    assert (background_colour(sheet((0, 0, 64, 60))) == 0).all()


def test_noise_is_not_an_area() -> None:
    noisy = np.clip(200 + np.random.default_rng(0).normal(0, 8, (64, 64, 3)), 0, 255).astype(np.uint8)
    assert find_areas(noisy, np.full(3, 200, np.float32)) == []


def test_closing_fills_gaps_and_grows_nothing_else() -> None:
    mask = np.zeros((9, 12), bool)
    mask[:, :4] = mask[:, 6:9] = True
    closed = close(mask, 1)
    assert closed[:, :9].all()
    assert not closed[:, 9:].any()


@pytest.mark.parametrize("side", [30, 60, 120])
def test_a_crop_looks_the_same_at_every_size(side: int) -> None:
    box = (side // 6, side // 3, side // 2, side // 2)
    picture = sheet(box, side=side)
    small = crop(picture, differs(picture, WHITE), WHITE, 8)
    assert (small[2:6] == 0).all()
    assert (small[:2] == 255).all()
    assert (small[6:] == 255).all()


def test_a_crop_of_nothing_is_the_background() -> None:
    picture = sheet()
    assert (crop(picture, differs(picture, WHITE), WHITE, 4) == 255).all()


@pytest.mark.parametrize("side", [32, 64, 128])
def test_things_with_the_least_gap_between_them_are_two_and_nearer_ones_are_one(side: int) -> None:
    for gap in (least_gap(side) - 1, least_gap(side)):
        picture = sheet((4, 8, 12, 24), (12 + gap, 8, 20 + gap, 24), side=side)
        assert len(find_areas(picture, WHITE)) == 1 + (gap == least_gap(side))
