"""Tables of the study of PixArt-α: each arm at its best rate beside the base, and verdicts that noise cannot make."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from pinxit.evaluate.interval import Estimate, paired_difference
from pinxit.recipes.pixart_exam import NAMES, PAIRS, SENTENCES
from pinxit.recipes.pixart_study import ARMS, Row
from pinxit.recipes.pixart_trial import PixartTrial

Curve = Sequence[tuple[float, float]]  # where on an axis, and bits there
BASE = PixartTrial()
TITLES: Mapping[str, str] = {
    "captions": "Captions", "stages": "Stages", "network": "Network", "beyond": "Beyond the paper",
    "two things": "Captions of pictures with one and two things",
}  # fmt: skip
LABELS: Mapping[str, str] = {"captions": "dense captions", "stages": "one stage", "network": "adaLN-single"}
BARE: Mapping[str, str] = {
    "pixels first": "first by pixels", "pixels among 5": "among 5", "lite0 bits": "bits by Lite0",
    "lite0 first": "first by Lite0", "lite0 among 5": "among 5",
}  # fmt: skip
OWN: Sequence[tuple[str, str, str]] = (
    (SENTENCES, "pixels bits", "bits by pixels"), (SENTENCES, "lite0 bits", "bits by Lite0"),
    (SENTENCES, "colour", "colour"), (PAIRS, "colour", "colour of pairs"), (PAIRS, "count", "count"),
    (PAIRS, "concept_by_pixels_5", "things among 5 by pixels"), (PAIRS, "left_right", "left, right"),
    (PAIRS, "above_below", "above, below"),
)  # fmt: skip


@dataclass(frozen=True)
class Finished:
    """An arm at its best rate: its rows by seed, in the order of the computing."""

    arm: PixartTrial
    rate: float
    runs: Mapping[int, Sequence[Row]]

    @property
    def ends(self) -> Mapping[int, Row]:
        """The last row of every seed whose run is whole."""
        return {seed: rows[-1] for seed, rows in self.runs.items() if rows[-1].part == 1}

    def mean(self, kind: str, measure: str) -> float | None:
        """Over seeds, at the end; None where it was not asked."""
        found = [row.marks[kind][measure] for row in self.ends.values() if measure in row.marks.get(kind, {})]
        return mean(found) if found else None


def finished(rows: Iterable[Row], arm: PixartTrial) -> Finished | None:
    """The arm at the rate that ends with the fewest bits at the first seed; None before a run of that is whole."""
    own = [row for row in rows if row.trial.but(rate=1.0, seed=0) == arm]
    first = min((row.trial.seed for row in own), default=0)
    ends = [row for row in own if row.part == 1 and row.trial.seed == first]
    if not ends:
        return None
    rate = min(ends, key=lambda row: row.bits).trial.rate
    runs: dict[int, list[Row]] = {}
    for row in sorted(own, key=lambda row: (row.trial.seed, row.part)):
        if row.trial.rate == rate:
            runs.setdefault(row.trial.seed, []).append(row)
    return Finished(arm, rate, runs)


def noise_of(base: Finished) -> float | None:
    """The deviation of the base's bits between seeds; None for a single one."""
    bits = [row.bits for row in base.ends.values()]
    return stdev(bits) if len(bits) > 1 else None


def difference(one: Finished, base: Finished) -> Estimate | None:
    """By how many bits an arm ends above another at the same seeds; None for fewer than two of them."""
    seeds = sorted(one.ends.keys() & base.ends.keys())
    if len(seeds) < 2:
        return None
    return paired_difference([one.ends[seed].bits for seed in seeds], [base.ends[seed].bits for seed in seeds])


def is_seen(found: Estimate, noise: float) -> bool:
    """Whether a difference is larger than the noise of the base's seeds, and its interval is on one side of zero."""
    low, high = found.interval
    return abs(found.value) > noise and low * high > 0


def verdict(found: Estimate | None, noise: float | None) -> str:
    """What a difference of bits says, of which fewer are better."""
    if found is None or noise is None:
        return "one seed yet"
    low, high = found.interval
    said = "not seen" if not is_seen(found, noise) else "better" if found.value < 0 else "worse"
    return f"{found.value:+.2f} ({low:+.2f} to {high:+.2f}): {said}"


def reach(curve: Curve, target: float) -> float | None:
    """Where a curve first comes down to a target, straight lines between its points; None where it never does."""
    before: tuple[float, float] | None = None
    for place, bits in curve:
        if bits <= target:
            if before is None or before[1] == bits:
                return place
            return before[0] + (place - before[0]) * (before[1] - target) / (before[1] - bits)
        before = place, bits
    return None


def curve_of(rows: Sequence[Row], axis: str) -> Curve:
    """A run's bits along one of its axes: "captioned" or "operations"."""
    return [(float(getattr(row, axis)), row.bits) for row in rows]


def shares(one: Finished, other: Finished, axis: str) -> list[float | None]:
    """Seed by seed, how much of what the other needed for its best score the one needs for the same."""
    found = []
    for seed in sorted(one.ends.keys() & other.ends.keys()):
        best = min(curve_of(other.runs[seed], axis), key=lambda point: point[1])
        place = reach(curve_of(one.runs[seed], axis), best[1])
        found.append(None if place is None else place / best[0])
    return found


def told_shares(found: Sequence[float | None]) -> str:
    """Each seed's in words."""
    return ", ".join("never" if share is None else f"{share:.0%}" for share in found) or "no seed yet"


def way(one: Finished, begin: Finished, end: Finished) -> Estimate:
    """What share of the bits between two arms a third one gains on the first, at the same seeds, two at least.

    A ratio of means, its interval linearised: that of what single seeds depart from it.
    """
    seeds = sorted(one.ends.keys() & begin.ends.keys() & end.ends.keys())
    before = [begin.ends[seed].bits for seed in seeds]
    gained, whole = ([b - arm.ends[seed].bits for b, seed in zip(before, seeds, strict=True)] for arm in (one, end))
    share = sum(gained) / sum(whole)
    apart = paired_difference(gained, [share * each for each in whole])
    half = apart.interval[1] / abs(mean(whole))
    return Estimate(share, (share - half, share + half))


def told_way(improved: Finished, sparse: Finished, dense: Finished, noise: float | None) -> str:
    """How far improved captions come from sparse to dense ones; said only where those two are seen apart."""
    found, both = difference(dense, sparse), improved.ends.keys() & dense.ends.keys() & sparse.ends.keys()
    if found is None or noise is None or len(both) < 2:
        said = "one seed yet"
    elif not is_seen(found, noise):
        said = "not told, these are not seen apart"
    else:
        share = way(improved, sparse, dense)
        low, high = share.interval
        said = f"{share.value:.0%} ({low:.0%} to {high:.0%})"
    return f"Of the way from sparse captions to dense ones, in bits, improved ones come: {said}."


def tables(rows: Sequence[Row], below: Mapping[str, str]) -> str:
    """Markdown of all that there is; `below` has more to stand under a table, by its name."""
    base = finished(rows, BASE)
    if base is None:
        return "\n".join(["No row has been made yet.\n", *(f"### {TITLES[name]}\n\n{below[name]}" for name in below)])
    noise = noise_of(base)
    said = "seeds: not known before a second" if noise is None else f"{len(base.ends)} seeds: {noise:.2f} bits"
    parts = [f"The base's deviation between {said}.\n"]
    for name, others in ARMS.items():
        arms = [found for arm in (*([] if name == "two things" else [BASE]), *others) if (found := finished(rows, arm))]
        if arms:
            own = _own(arms) if name in {"captions", "two things"} else ""
            more = "\n".join(text for text in (own, _lines(name, arms, noise), below.get(name, "")) if text)
            parts.append(f"### {TITLES[name]}\n\n{_table(name, arms, noise)}\n\n{more}".rstrip() + "\n")
    return "\n".join(parts)


def label(arm: PixartTrial, group: str) -> str:
    """An arm's name in a table."""
    return LABELS.get(group, "the base") if arm == BASE else arm.arm


def _table(group: str, arms: Sequence[Finished], noise: float | None) -> str:
    first = arms[0]
    heads = ["", "rate", "seeds", "captioned pictures", "bits by pixels", "less the first row's", *BARE.values()]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for arm in arms:
        said = "" if arm is first else verdict(difference(arm, first), noise)
        pictures = [row.captioned for row in arm.ends.values()]
        marks = [_said(measure, arm.mean(NAMES, measure)) for measure in ("pixels bits", *BARE)]
        told = [label(arm.arm, group), f"{arm.rate:g}", str(len(pictures)), f"{mean(pictures):,.0f}"]
        lines.append(_row([*told, marks[0], said, *marks[1:]]))
    ceiling = [_said(measure, _ceiling(arms, NAMES, measure)) for measure in ("pixels bits", *BARE)]
    lines.append(_row(["true pictures", "", "", "", ceiling[0], "", *ceiling[1:]]))
    return "\n".join(lines)


def _own(arms: Sequence[Finished]) -> str:
    """The table of sentences, and of pairs where they were asked: of the arms that learned from sentences."""
    told = [arm for arm in arms if arm.mean(SENTENCES, "colour") is not None]
    if not told:
        return ""
    asked = [(kind, name, head) for kind, name, head in OWN if _ceiling(told, kind, name) is not None]
    lines = [_row(["sentences", *(head for _, _, head in asked)]), _row(["---"] * (len(asked) + 1))]
    lines += [
        _row([label(arm.arm, "captions"), *(_said(name, arm.mean(kind, name)) for kind, name, _ in asked)])
        for arm in told
    ]
    lines.append(_row(["true pictures", *(_said(name, _ceiling(told, kind, name)) for kind, name, _ in asked)]))
    return "\n".join(lines) + "\n"


def _lines(group: str, arms: Sequence[Finished], noise: float | None) -> str:
    """What the paper's claim comes to, seed by seed."""
    first, *others = arms
    if group in {"captions", "two things"}:
        by = {arm.arm.captions: arm for arm in arms}
        if not {"dense", "sparse"} <= by.keys():
            return ""
        needed = told_shares(shares(first, by["sparse"], "captioned"))
        said = f"Of the pictures with which sparse captions score best, dense ones need for that score: {needed}.\n"
        return f"{said}\n{told_way(by['improved'], by['sparse'], first, noise)}\n" if "improved" in by else said
    lines = [
        f"- {arm.arm.arm}: {told_shares(shares(arm, first, 'operations'))} of the computing, "
        f"{told_shares(shares(arm, first, 'captioned'))} of the captioned pictures"
        for arm in others
    ]
    return (
        "\n".join(["Of what the first row's best score took, these took for the same, seed by seed:\n", *lines, ""])
        if lines
        else ""
    )


def _ceiling(arms: Sequence[Finished], kind: str, measure: str) -> float | None:
    found = [
        row.ceilings[kind][measure]
        for arm in arms
        for row in arm.ends.values()
        if measure in row.ceilings.get(kind, {})
    ]
    return mean(found) if found else None


def _said(measure: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if measure.endswith("bits") else f"{value:.1%}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
