"""Charts side by side as one SVG file that stands alone: titles, axis and names, in the reader's light or dark."""

from collections.abc import Mapping, Sequence
from html import escape

from pinxit.recipes.chart import HEIGHT, WIDTH, Curve, draw

LINE, ABOVE, BELOW, MARGIN = 18, 34, 26, 14  # pixels
COLUMNS = 2
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


def standing_alone(charts: Mapping[str, Sequence[Curve]], below: str) -> str:
    """The whole file of charts by their titles; `below` says what lies along all of them, and the names of the first
    one's curves hold for all.
    """
    columns = min(COLUMNS, len(charts))
    width, cell = columns * (WIDTH + MARGIN) + MARGIN, ABOVE + HEIGHT
    foot, title = -(-len(charts) // columns) * cell, escape("; ".join(charts))
    names = [curve.name for curve in next(iter(charts.values()))]
    height = foot + BELOW + LINE * len(names) + MARGIN
    parts = [f'<rect class="card" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>']
    for place, (said, curves) in enumerate(charts.items()):
        x, y = MARGIN + place % columns * (WIDTH + MARGIN), place // columns * cell
        where = f'x="{x}" y="{y + ABOVE}" width="{WIDTH}" height="{HEIGHT}"'
        parts.append(f'<text class="title" x="{x}" y="{y + 22}">{escape(said)}</text>')
        parts.append(draw(curves, said).replace("<svg ", f"<svg {where} ", 1))
    parts.append(f'<text x="{width / 2:g}" y="{foot + 14}" text-anchor="middle">{escape(below)}</text>')
    for place, name in enumerate(names):
        y = foot + BELOW + LINE * (place + 1) - 6
        parts.append(
            f'<g class="c{place}"><path class="line" d="M{MARGIN + 6},{y - 4}h24"/>'
            f'<text class="name" x="{MARGIN + 38}" y="{y}">{escape(name)}</text></g>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img"><title>{title}</title><style>{STYLE}</style>{"".join(parts)}</svg>\n'
    )
