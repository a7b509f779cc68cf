"""Curves as inline SVG that takes its colours from the page: raw faint behind, smoothed in front."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from jaxtyping import Float

WIDTH, HEIGHT = 400, 210
LEFT, RIGHT, TOP, BOTTOM = 40, 8, 8, 24
MOST_POINTS = 400
SMOOTHING = 40  # a window is the curve's length over this


@dataclass(frozen=True)
class Curve:
    """A named curve over pictures seen, or what they cost; noisy ones are drawn smoothed, with the raw behind. The
    points at some of its places have a ring.
    """

    name: str
    seen: Sequence[int] | Sequence[float]
    values: Sequence[float]
    is_noisy: bool = False
    ringed: Sequence[int] = ()


@dataclass(frozen=True)
class _Frame:
    """Where pictures seen and values stand on the drawing."""

    x: tuple[float, float]
    y: tuple[float, float]

    def across(self, seen: float) -> float:
        first, last = self.x
        return LEFT + (WIDTH - LEFT - RIGHT) * (seen - first) / ((last - first) or 1)

    def down(self, value: float) -> float:
        low, high = self.y
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)


def draw(curves: Sequence[Curve], title: str) -> str:
    """One SVG of all curves over a common frame; values that are not finite are left out."""
    drawn = [(curve, *_finite(curve)) for curve in curves]
    drawn = [one for one in drawn if len(one[1])]
    if not drawn:
        return ""
    smooth = [smoothed(values) if curve.is_noisy else values for curve, _, values in drawn]
    frame = _frame([seen for _, seen, _ in drawn], [values for _, _, values in drawn], smooth)
    parts, rings = [], []
    for place, ((curve, seen, values), line) in enumerate(zip(drawn, smooth, strict=True)):
        if curve.is_noisy:
            parts.append(_polyline(frame, seen, values, f"raw c{place}"))
        parts.append(_polyline(frame, seen, line, f"line c{place}"))
        for x, y in ((float(curve.seen[ring]), curve.values[ring]) for ring in curve.ringed):
            rings.append(f'<circle class="line c{place}" cx="{frame.across(x):.1f}" cy="{frame.down(y):.1f}" r="4"/>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{_axes(frame)}{_inside(''.join(parts))}{''.join(rings)}</svg>"
    )


def smoothed(values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """The mean over a centred window; at both ends, over the part of it that there is."""
    reach = len(values) // (2 * SMOOTHING)
    total = np.concatenate([[0.0], np.cumsum(values)])
    place = np.arange(len(values))
    first, last = np.maximum(place - reach, 0), np.minimum(place + reach + 1, len(values))
    return np.asarray((total[last] - total[first]) / (last - first))


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` + 1 round numbers within `low` and `high`, evenly apart."""
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * (1 - 1e-9))
    return [step * k for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _finite(curve: Curve) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    seen, values = np.asarray(curve.seen, dtype=float), np.asarray(curve.values, dtype=float)
    keep = np.isfinite(values)
    return seen[keep], values[keep]


def _frame(
    seen: Sequence[Float[np.ndarray, "_"]],
    raw: Sequence[Float[np.ndarray, "_"]],
    smooth: Sequence[Float[np.ndarray, "_"]],
) -> _Frame:
    """Room for every smoothed point but the first few, and for nearly all of the raw."""
    places, values = np.concatenate(seen), np.concatenate(raw)
    settled = np.concatenate([line[len(line) // 50 :] for line in smooth])
    low = min(float(np.percentile(values, 1)), float(settled.min()))
    high = max(float(np.percentile(values, 98)), float(settled.max()))
    room = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    return _Frame((float(places.min()), float(places.max())), (low - room, high + room))


def _polyline(frame: _Frame, seen: Float[np.ndarray, "n"], values: Float[np.ndarray, "n"], classes: str) -> str:
    chosen = np.unique(np.linspace(0, len(seen) - 1, min(len(seen), MOST_POINTS)).round().astype(int))
    points = " ".join(f"{frame.across(seen[i]):.1f},{frame.down(values[i]):.1f}" for i in chosen)
    return f'<polyline class="{classes}" points="{points}"/>'


def _inside(content: str) -> str:
    """`content`, cut off at the frame."""
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    box = f'x="{LEFT}" y="{TOP}" width="{width}" height="{height}" viewBox="{LEFT} {TOP} {width} {height}"'
    return f'<svg {box} overflow="hidden">{content}</svg>'


def _axes(frame: _Frame) -> str:
    parts = []
    for value in ticks(*frame.y, most=4):
        y = frame.down(value)
        parts.append(f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{value:.4g}</text>')
    if frame.x[0] < frame.x[1]:
        for seen in ticks(*frame.x, most=5):
            x = frame.across(seen)
            anchor = "end" if x > WIDTH - 3 * RIGHT else "middle"
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{_say_seen(seen)}</text>')
    return "".join(parts)


def _say_seen(seen: float) -> str:
    size, unit = next(((s, u) for s, u in ((1e6, "M"), (1e3, "k")) if seen >= s), (1, ""))
    return f"{seen / size:g}{unit}"
