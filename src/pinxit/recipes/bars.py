"""Counts as a row of bars: inline SVG that takes its colours from the page."""

from collections.abc import Sequence
from html import escape

from pinxit.recipes.chart import BOTTOM, HEIGHT, RIGHT, TOP, WIDTH

LEFT = 8


def bars(counts: Sequence[int], labels: Sequence[tuple[float, str]], title: str) -> str:
    """One SVG of a bar a count; a label stands under its place, 0 the left end and 1 the right. Empty if all are 0."""
    most = max(counts, default=0)
    if not most:
        return ""
    wide, high = (WIDTH - LEFT - RIGHT) / len(counts), HEIGHT - TOP - BOTTOM
    parts = [
        f'<rect class="bar" x="{LEFT + place * wide:.1f}" y="{TOP + high * (1 - count / most):.1f}" '
        f'width="{max(0.5, wide - 1):.1f}" height="{high * count / most:.1f}"/>'
        for place, count in enumerate(counts)
        if count
    ]
    parts += [
        f'<text x="{LEFT + place * (WIDTH - LEFT - RIGHT):.1f}" y="{HEIGHT - 6}" text-anchor="{_anchor(place)}">'
        f"{escape(label)}</text>"
        for place, label in labels
    ]
    base = f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>'
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{base}{''.join(parts)}</svg>"
    )


def _anchor(place: float) -> str:
    return "start" if place < 0.05 else "end" if place > 0.95 else "middle"
