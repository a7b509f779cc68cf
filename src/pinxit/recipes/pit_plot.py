"""The curves of the study of self-improvement as one picture: improvers in reinforcement, on the watched prompts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pinxit.recipes.chart import Curve
from pinxit.recipes.drawing import standing_alone
from pinxit.recipes.pit_trial import Curves, Finished
from pinxit.recipes.pit_watch import chosen

CHARTS: Mapping[str, str] = {  # what was seen, and its title
    "reward": "Predicted gap: chooses the ringed weights",
    "judge": "The judge's score: looks on",
    "divergence": "Nats from its start",
    "length": "Tokens an answer",
}
BELOW = "questions of reinforcement, of round 0 and then of round 1, which begins with the weights chosen in round 0"


def plot(rows: Sequence[Finished], file: Path) -> Path | None:
    """The file, which has a curve of every seed in each chart; None where no row has one."""
    found = sorted((row for row in rows if isinstance(row, Curves)), key=lambda row: row.seed)
    if not found:
        return None
    charts = {title: [curve(row, seen) for row in found] for seen, title in CHARTS.items()}
    file.write_text(standing_alone(charts, BELOW), encoding="utf-8")
    return file


def curve(row: Curves, seen: str) -> Curve:
    """What was seen of a seed's improver, round after round; the points that were chosen are ringed."""
    at, values, ringed = list[int](), list[float](), list[int]()
    for looks in list(row.phases.values())[1:]:
        begun = max(at, default=0)
        ringed.append(len(at) + looks.index(chosen(looks)))
        at += [begun + look.seen for look in looks]
        values += [getattr(look, seen) for look in looks]
    return Curve(f"seed {row.seed}", at, values, ringed=ringed)
