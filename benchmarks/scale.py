"""What a picture costs against its tokens and against the batch, on the processor, beside the count of its products.

    python benchmarks/scale.py measure [THREADS] [ROUNDS] [tiny] > docs/scale.json
    python benchmarks/scale.py draw docs/scale.json docs/scale.svg

8 blocks of width 384 and 6 heads, captions of 120 real tokens 4096 wide: a pass without gradients, and forward with
backward. `measure` times all cases in turn, round by round, together with a product of two matrices of side 2048; each
case is held against the time that its own count of operations would take at the rate of that product in the same
round, and the medians are printed as one JSON line. `draw` makes the picture of it, and prints the ratios in words.
`tiny` is 2 blocks of width 96, to try the script in seconds.
"""

import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import torch

from pinxit.ledger.meter import find_hardware
from pinxit.models.config import TransformerConfig
from pinxit.models.count import transformer
from pinxit.models.transformer import Transformer

NETWORK, TINY = TransformerConfig(depth=8, width=384, heads=6), TransformerConfig(depth=2, width=96, heads=6)
CAPTION, SQUARE = 120, 2048
SIZES = [(side * side, 1) for side in (4, 8, 16, 32, 64)]
FEW, MANY = 64, 1024  # tokens, against the batch
BATCHES = [(FEW, batch) for batch in (2, 4, 8, 16, 32)] + [(MANY, batch) for batch in (2, 4)]
PASS, BOTH = "forward", "forward and backward"
LEAST = 0.2  # seconds of a case in one round: short ones are repeated


def operations(config: TransformerConfig, n: int, work: str) -> float:
    """Floating-point operations in the matrix products of one picture of n tokens; a product and a sum are two.

    Backward is twice forward, without the gradients of captions and latents, which nobody needs.
    """
    network = transformer(config, n, CAPTION)
    return network.forward if work == PASS else network.training


@dataclass(frozen=True)
class Case:
    """One work of the network on a batch."""

    network: Transformer
    tokens: int
    batch: int
    work: str

    def prepare(self) -> Callable[[], object]:
        """What does it once."""
        side = 2 * math.isqrt(self.tokens)
        inputs = (
            torch.randn(self.batch, 4, side, side),
            torch.rand(self.batch) * 1000,
            torch.randn(self.batch, CAPTION, self.network.config.caption_width),
            torch.ones(self.batch, CAPTION, dtype=torch.bool),
        )

        def forward() -> object:
            with torch.no_grad():
                return self.network(*inputs)

        def both() -> object:
            self.network(*inputs).square().mean().backward()
            self.network.zero_grad()
            return None

        return forward if self.work == PASS else both


def seconds(work: Callable[[], object]) -> float:
    """Of one call."""
    calls, begun = 0, time.perf_counter()
    while (taken := time.perf_counter() - begun) < LEAST:
        work()
        calls += 1
    return taken / calls


def measure(threads: int = 1, rounds: int = 7, size: str = "small") -> dict[str, object]:
    """The medians over all rounds."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    config = TINY if size == "tiny" else NETWORK
    network = Transformer(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    cases = [Case(network, *each, work) for each in SIZES + BATCHES for work in (PASS, BOTH)]
    square = torch.randn(SQUARE, SQUARE)
    rates, taken = list[float](), {case: list[float]() for case in cases}
    for case in cases:
        case.prepare()()  # the first call of each plans its products
    for index in range(rounds):
        rates.append(2 * SQUARE**3 / seconds(lambda: square @ square))
        for case in cases[:: 1 if index % 2 else -1]:
            taken[case].append(seconds(case.prepare()) / case.batch)
    points = []
    for case, values in taken.items():
        count = operations(config, case.tokens, case.work)
        ratios = [value * rate / count for value, rate in zip(values, rates, strict=True)]
        points.append({
            "tokens": case.tokens, "batch": case.batch, "work": case.work,
            "seconds": float(f"{statistics.median(values):.4g}"), "gigaflop": float(f"{count / 1e9:.4g}"),
            "over_count": round(statistics.median(ratios), 3),
        })  # fmt: skip
    return {
        "benchmark": "scale", "torch": torch.__version__, "hardware": find_hardware().say(), "threads": threads,
        "rounds": rounds, "depth": config.depth, "width": config.width, "heads": config.heads, "caption": CAPTION,
        "gigaflop_per_second": round(statistics.median(rates) / 1e9, 1), "points": points,
    }  # fmt: skip


STYLE = """
text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #3d444d }
.card { fill: #ffffff; stroke: #d1d9e0 } .rule { stroke: #e3e7eb }
.title { font-weight: 600; fill: #1f2328 } .small { font-size: 11.5px; fill: #59636e }
.pass { color: #0969da } .both { color: #bc4c00 }
.line { fill: none; stroke: currentColor; stroke-width: 1.5 } .dot { fill: currentColor }
.name { fill: currentColor; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  text { fill: #b7bdc8 } .card { fill: #0d1117; stroke: #3d444d } .title { fill: #f0f6fc } .small { fill: #9198a1 }
  .pass { color: #4493f8 } .both { color: #f0883e } .rule { stroke: #2a313c } .name { fill: currentColor }
}
"""
WIDTH, HEIGHT, TOP, BOTTOM = 860, 420, 56, 316
KINDS = {PASS: "pass", BOTH: "both"}
Dots = list[tuple[int, float]]


@dataclass(frozen=True)
class Panel:
    """One of the two plots, both axes logarithmic; `x` and `y`, in seconds, are what it shows."""

    left: float
    right: float
    x: tuple[float, float]
    y: tuple[float, float]

    def across(self, value: float) -> float:
        return self.left + (self.right - self.left) * share(value, *self.x)

    def down(self, value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * share(value, *self.y)

    def axes(self, marks: Iterable[int], title: str, below: str) -> str:
        """A rule at every power of ten, a number at every mark."""
        parts = [words(self.left, TOP - 24, title, "title", "start")]
        parts.append(words((self.left + self.right) / 2, BOTTOM + 42, below, "small"))
        parts += [words(self.across(mark), BOTTOM + 20, f"{mark:,}", "small") for mark in marks]
        for power in range(math.ceil(math.log10(self.y[0])), math.floor(math.log10(self.y[1])) + 1):
            y = self.down(10.0**power)
            label = f"{10**power} s" if power >= 0 else f"{10 ** (power + 3):g} ms"
            parts.append(f'<path class="rule" d="M{self.left},{y:.1f}H{self.right}"/>')
            parts.append(words(self.left - 8, y + 4, label, "small", "end"))
        return "".join(parts)

    def line(self, dots: Iterable[tuple[float, float]], kind: str) -> str:
        path = "L".join(f"{self.across(x):.1f},{self.down(y):.1f}" for x, y in dots)
        return f'<path class="line {kind}" d="M{path}"/>'

    def dots(self, dots: Dots, kind: str) -> str:
        places = ((self.across(x), self.down(y)) for x, y in dots)
        return "".join(f'<circle class="dot {kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in places)


def share(value: float, low: float, high: float) -> float:
    """How far a value is from low to high, by its logarithm."""
    return math.log(value / low) / math.log(high / low)


def words(x: float, y: float, said: str, classes: str, anchor: str = "middle") -> str:
    return f'<text class="{classes}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(said)}</text>'


def draw(found: dict[str, Any]) -> str:
    """Time of a picture against its tokens and, beside it, against the batch: dots are measured, lines counted."""
    config = TransformerConfig(depth=found["depth"], width=found["width"], heads=found["heads"])

    def counted(n: int, work: str) -> float:
        return operations(config, n, work) / float(found["gigaflop_per_second"]) / 1e9

    def chosen(work: str, axis: str, **where: int) -> Dots:
        rows = [row for row in found["points"] if row["work"] == work and where.items() <= row.items()]
        return sorted((row[axis], row["seconds"]) for row in rows)

    finely = [round(16 * 2 ** (step / 8)) for step in range(65)]
    every = [counted(n, work) for n in (16, 4096) for work in KINDS] + [row["seconds"] for row in found["points"]]
    seen = min(every) / 1.6, max(every) * 1.6
    left, right = Panel(74, 424, (12.5, 5200), seen), Panel(504, 760, (0.85, 38), seen)
    parts = [
        left.axes(
            (16, 64, 256, 1024, 4096), "Seconds a picture, alone", "image tokens (256 px have 256, 1024 px 4,096)"
        ),
        right.axes((1, 2, 4, 8, 16, 32), "Seconds a picture, in a batch", "pictures in the batch"),
    ]
    for place, (work, kind) in enumerate(KINDS.items()):
        parts.append(words(left.left + 14, TOP + 38 - 20 * place, work, f"name {kind}", "start"))
        parts.append(left.line([(n, counted(n, work)) for n in finely], kind))
        parts.append(left.dots(chosen(work, "tokens", batch=1), kind))
        for n in (FEW, MANY):
            dots = chosen(work, "batch", tokens=n)
            last, level = dots[-1][0], counted(n, work)
            parts += [right.line([(1, level), (last, level)], kind), right.dots(dots, kind)]
            parts.append(words(right.across(last) + 10, right.down(dots[-1][1]) + 4, f"{n:,} tokens", "small", "start"))
    parts += [words(20, HEIGHT - 30 + 17 * i, said, "small", "start") for i, said in enumerate(legend(found))]
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><title>What a picture costs</title>'
        f'<style>{STYLE}</style><rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>'
        f"{''.join(parts)}</svg>\n"
    )


def legend(found: dict[str, Any]) -> tuple[str, str]:
    """What dots and lines are, and of what."""
    threads = f"{found['threads']} thread{'s' * (found['threads'] > 1)}"
    rounds = f"median of {found['rounds']} rounds" if found["rounds"] > 1 else "one round"
    return (
        f"Dots: measured, {rounds}, {threads}. Lines: the count of operations at the "
        f"{found['gigaflop_per_second']:g} GFLOP/s of a large matrix product.",
        f"{found['depth']} blocks of width {found['width']}, captions of {found['caption']} tokens; float32, "
        f"torch {found['torch']}, {found['hardware']}.",
    )


def ratios(found: dict[str, Any]) -> str:
    """Measured over counted: a line for each work and panel."""
    ways = (("tokens", "batch", 1), ("batch", "tokens", FEW), ("batch", "tokens", MANY))
    lines = []
    for work in KINDS:
        for axis, held, at in ways:
            rows = [row for row in found["points"] if row["work"] == work and row[held] == at]
            told = ", ".join(f"{row[axis]}: {row['over_count']:.2f}" for row in sorted(rows, key=lambda row: row[axis]))
            lines.append(f"{work}, {held} {at}, by {axis}: {told}")
    return "\n".join(lines)


def main(what: str, *given: str) -> None:
    if what == "measure":
        print(json.dumps(measure(*map(int, given[:2]), *given[2:])))  # type: ignore[arg-type]
    else:
        found = json.loads(Path(given[0]).read_text(encoding="utf-8"))
        Path(given[1]).write_text(draw(found), encoding="utf-8")
        print(ratios(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
