"""Bars: as high as their counts, within the drawing, none where there is nothing."""

import re

import pytest

from pinxit.recipes.bars import bars
from pinxit.recipes.chart import BOTTOM, HEIGHT, RIGHT, TOP, WIDTH


def test_a_bar_is_as_high_as_its_count() -> None:
    drawing = bars([4, 0, 1, 2], [(0.0, "a"), (0.5, "<b>"), (1.0, "c")], "counts")
    heights = [float(height) for height in re.findall(r'<rect [^>]*height="([\d.]+)"', drawing)]
    assert heights == pytest.approx([(HEIGHT - TOP - BOTTOM) * share for share in (1, 0.25, 0.5)], abs=0.1)
    rights = [float(x) + float(w) for x, w in re.findall(r'x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawing)]
    assert max(rights) <= WIDTH - RIGHT
    assert "&lt;b&gt;" in drawing
    assert re.findall(r'text-anchor="(\w+)"', drawing) == ["start", "middle", "end"]


@pytest.mark.parametrize("counts", [[], [0], [0, 0]])
def test_nothing_is_no_drawing(counts: list[int]) -> None:
    assert bars(counts, [], "none") == ""
