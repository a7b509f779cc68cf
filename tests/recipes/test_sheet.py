"""Sheets of pictures: cutting undoes laying, and what cannot be cut is named."""

import numpy as np
import pytest
from PIL import Image

from pinxit.errors import DataError
from pinxit.recipes.sheet import cut, grid, lay


def noise(seed: int, side: int = 6) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8))


@pytest.mark.parametrize(("number", "columns"), [(1, 1), (1, 4), (5, 3), (8, 4), (8, 8), (7, 1), (12, 5), (16, 4)])
def test_cutting_undoes_laying_whatever_the_columns(number: int, columns: int) -> None:
    pictures = [noise(seed) for seed in range(number)]
    found = cut(lay(pictures, columns), number, "sheet.png")
    assert [picture.tobytes() for picture in found] == [picture.tobytes() for picture in pictures]


def test_a_sheet_with_gaps_is_refused_with_its_size() -> None:
    with pytest.raises(
        DataError, match=r"a\.png: 26 x 12 pixels cannot be 8 equal squares without gaps; write the sheet"
    ):
        cut(Image.new("RGB", (26, 12)), 8, "a.png")


def test_the_grid_brings_pictures_of_all_sizes_to_the_largest() -> None:
    small, large = Image.new("RGB", (4, 4), (255, 0, 0)), Image.new("RGB", (16, 16), (0, 0, 255))
    pixels = np.asarray(grid([("one", "", [small] * 3), ("two", "", [large])], columns=2))
    assert (pixels == (255, 0, 0)).all(-1).sum() == 2 * 16 * 16
    assert (pixels == (0, 0, 255)).all(-1).sum() == 16 * 16


def test_what_a_column_is_stands_above_it_where_it_changes() -> None:
    rows = [("one", "", [Image.new("RGB", (64, 64), (255, 0, 0))] * 4)]
    heads = ("training", "training", "held out", "held out")
    plain, headed = np.asarray(grid(rows, 4)), np.asarray(grid(rows, 4, heads))
    extra = headed.shape[0] - plain.shape[0]
    assert extra > 0
    assert np.array_equal(headed[12 + extra :], plain[12:])
    written = (headed[:27] != headed[0, 0]).any((0, 2)).nonzero()[0]
    starts = [plain.shape[1] - 8 - 68 * left for left in (4, 2)]
    assert all(any(start - 1 <= x < start + 64 for start in starts) for x in written)
    assert all(any(start <= x < start + 8 for x in written) for start in starts)
