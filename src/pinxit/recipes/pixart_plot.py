"""Curves of the study of PixArt-α as pictures that stand alone: bits along the pictures or the computing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from pinxit.recipes.chart import Curve
from pinxit.recipes.drawing import standing_alone
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
            title = f"{group.capitalize()}: bits on bare names, fewer are better"
            (folder / name).write_text(standing_alone({title: curves}, AXES[axis][0]), encoding="utf-8")
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
