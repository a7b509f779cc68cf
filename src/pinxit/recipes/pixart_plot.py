"""Curves of the study of PixArt-α as pictures that stand alone: bits along the pictures or the computing."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import mean

from pinxit.recipes.chart import HEIGHT, WIDTH, Curve, draw
from pinxit.recipes.pixart_study import ARMS, Row
from pinxit.recipes.pixart_table import BASE, Finished, finished, label

AXES: Mapping[str, tuple[str, float]] = {  # what stands below, and its unit
    "captioned": ("pictures with captions", 1.0),
    "operations": ("computing, 10^12 operations", 1e12),
}
DRAWN: Sequence[tuple[str, str]] = (
    ("captions", "captioned"), ("stages", "operations"), ("stages", "captioned"), ("network", "operations"),
    ("beyond", "operations"), ("two things", "captioned"),
)  # fmt: skip
LINE, ABOVE, BELOW, MARGIN = 18, 34, 26, 14  # pixels
STYLE = """
text { font: 11px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #59636e }
.title { font-size: 13px; font-weight: 600; fill: #1f2328 } .card { fill: #ffffff; stroke: #d1d9e0 }
.rule { stroke: #e3e7eb } .line { fill: none; stroke: currentColor; stroke-width: 1.8 } .name { fill: currentColor }
.c0 { color: #0969da } .c1 { color: #bc4c00 } .c2 { color: #1a7f37 } .c3 { color: #8250df } .c4 { color: #9a6700 }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1 } .title { fill: #f0f6fc } .card { fill: #0d1117; stroke: #3d444d } .rule { stroke: #2a313c }
  .c0 { color: #4493f8 } .c1 { color: #f0883e } .c2 { color: #3fb950 } .c3 { color: #ab7df8 } .c4 { color: #d29922 }
  .name { fill: currentColor }
}
"""


def plot(rows: Sequence[Row], folder: Path) -> list[str]:
    """The names of the drawings in the folder, one for each table and axis with at least two curves."""
    names = []
    for group, axis in DRAWN:
        arms = (*([] if group == "two things" else [BASE]), *ARMS[group])
        found = [arm for each in arms if (arm := finished(rows, each))]
        curves = [curve for arm in found if len((curve := averaged(arm, group, axis)).seen) > 1]
        if len(curves) > 1:
            name = f"{group.replace(' ', '-')}-{axis}.svg"
            folder.mkdir(parents=True, exist_ok=True)
            title = f"{group.capitalize()}: bits on bare names by pixels, fewer are better"
            (folder / name).write_text(standing_alone(curves, title, AXES[axis][0]), encoding="utf-8")
            names.append(name)
    return names


def averaged(arm: Finished, group: str, axis: str) -> Curve:
    """An arm's bits at each point, the mean over the seeds that have it."""
    points: dict[float, list[Row]] = {}
    for run in arm.runs.values():
        for row in run:
            points.setdefault(row.part, []).append(row)
    at = [mean(getattr(row, axis) for row in rows) / AXES[axis][1] for rows in points.values()]
    return Curve(label(arm.arm, group), at, [mean(row.bits for row in rows) for rows in points.values()])


def standing_alone(curves: Sequence[Curve], title: str, below: str) -> str:
    """A whole SVG file: title, curves, their axis and names; in the reader's light or dark."""
    width = WIDTH + 2 * MARGIN
    height = ABOVE + HEIGHT + BELOW + LINE * len(curves) + MARGIN
    chart = draw(curves, title).replace("<svg ", f'<svg x="{MARGIN}" y="{ABOVE}" width="{WIDTH}" height="{HEIGHT}" ', 1)
    parts = [
        f'<rect class="card" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
        f'<text class="title" x="{MARGIN}" y="22">{escape(title)}</text>',
        chart,
        f'<text x="{width / 2:g}" y="{ABOVE + HEIGHT + 14}" text-anchor="middle">{escape(below)}</text>',
    ]
    for place, curve in enumerate(curves):
        y = ABOVE + HEIGHT + BELOW + LINE * (place + 1) - 6
        parts.append(
            f'<g class="c{place}"><path class="line" d="M{MARGIN + 6},{y - 4}h24"/>'
            f'<text class="name" x="{MARGIN + 38}" y="{y}">{escape(curve.name)}</text></g>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img"><title>{escape(title)}</title><style>{STYLE}</style>{"".join(parts)}</svg>\n'
    )
