"""The tables of the study of self-improvement, in Markdown."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from pinxit.recipes.pit_exam import MARGIN
from pinxit.recipes.pit_trial import HEADROOM, Arm, Curves, Finished, Gate, Number, Order, Rounds
from pinxit.recipes.pit_watch import chosen

R = TypeVar("R", Gate, Arm, Order, Rounds, Curves)


def tables(rows: Sequence[Finished], picture: str) -> str:
    """A section for each kind of rows that there are, seeds beside or below each other; the last has the picture."""
    sections = (
        _gates(_of(Gate, rows)), _arms(_of(Arm, rows)), _orders(_of(Order, rows)), _rounds(_of(Rounds, rows)),
        _curves(_of(Curves, rows), picture),
    )  # fmt: skip
    return "\n\n".join("\n".join(lines) for each in sections if (lines := list(each))) + "\n" if rows else (
        "No row has been made yet.\n"
    )  # fmt: skip


def _of(kind: type[R], rows: Sequence[Finished]) -> list[R]:
    return [row for row in rows if isinstance(row, kind)]


def _gates(rows: Sequence[Gate]) -> Iterator[str]:
    if rows:
        yield "### Is there something to improve?\n"
    for row in rows:
        verdict = "passed" if row.is_passed else "NOT passed"
        yield (
            f"- seed {row.seed}, {verdict}: the data's better answers score {_score(row.better)}, the imitating policy "
            f"{_score(row.start)}, the policy {_score(row.policy)} at temperature 1 and {_score(row.cooler)} at 0.5; "
            f"asked is more than the first and less than {HEADROOM:g}"
        )


def _arms(rows: Sequence[Arm]) -> Iterator[str]:
    if not rows:
        return
    yield f"### What is made of the policy's answers\n\n{rows[0].n:,} prompts; ties within {MARGIN:g} of score.\n"
    yield "| way | seed | score | broken | words | win - lose, % | score gained | improver's win - lose over it, % |"
    yield "|---|---|---|---|---|---|---|---|"
    order = list(dict.fromkeys(row.trial for row in rows))
    for row in sorted(rows, key=lambda row: (order.index(row.trial), row.seed)):
        over = "" if row.trial == "improver" else _percent(row.improver)
        yield (
            f"| {row.trial} | {row.seed} | {_score(row.score)} | {100 * row.broken:.1f} % | {row.words:.1f} "
            f"| {_percent(row.delta)} | {_gain(row.gain)} | {over} |"
        )
    for row in rows:
        if row.trial == "improver":
            parts = ", ".join(f"new {kind} {_percent(part)}" for kind, part in row.parts.items())
            yield f"\nThe improver's win - lose by what is new in the prompts, seed {row.seed}, %: {parts}."


def _orders(rows: Sequence[Order]) -> Iterator[str]:
    if not rows:
        return
    yield "### Do rewards put answers in order?\n\n% of pairs, the better and the worse by the judge.\n"
    yield "| pairs | seed | number | five terms, all four | five terms, both sides | difference of rewards |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        for origin, count in row.pairs.items():
            cells = (_percent(by[origin], "") for by in (row.gap, row.gap_sides, row.difference))
            yield f"| {origin} | {row.seed} | {count:,} | {' | '.join(cells)} |"


def _rounds(rows: Sequence[Rounds]) -> Iterator[str]:
    if not rows:
        return
    yield "### Round by round\n"
    yield "| round | seed | score | predicted gap | rating |"
    yield "|---|---|---|---|---|"
    for row in rows:
        gaps = ("", *(f"{gap:+.2f}" for gap in row.gaps))
        for number, (score, gap, rating) in enumerate(zip(row.scores, gaps, row.ratings, strict=True)):
            value, low, high = rating
            points = f"{value:+.0f} ({low:+.0f} to {high:+.0f})" if number else "0"
            yield f"| {number} | {row.seed} | {_score(score)} | {gap} | {points} |"
    for row in rows:
        yield (
            f"\nSeed {row.seed}: the stop rule takes {row.stopped_after:.2f} rounds on the average and scores "
            f"{_score(row.stopped)}; less round {row.best}, which is the best by the judge: {_gain(row.lost)}."
        )


def _curves(rows: Sequence[Curves], picture: str) -> Iterator[str]:
    if not rows:
        return
    yield f"### During reinforcement\n\n{picture}\nThe weights that were chosen:\n"
    yield "| phase | seed | questions | reward | judge | nats from its start | tokens |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        for phase, looks in row.phases.items():
            look = chosen(looks)
            yield (
                f"| {phase} | {row.seed} | {look.seen:,} | {look.reward:+.2f} | {look.judge:.3f} "
                f"| {look.divergence:.2f} | {look.length:.1f} |"
            )


def _score(number: Number) -> str:
    """A score with half of its interval."""
    value, low, high = number
    return f"{value:.3f} ± {(high - low) / 2:.3f}"


def _gain(number: Number) -> str:
    value, low, high = number
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f})"


def _percent(number: Number, sign: str = "+") -> str:
    value, low, high = (f"{100 * each:{sign}.1f}" for each in number)
    return f"{value} ({low} to {high})"
