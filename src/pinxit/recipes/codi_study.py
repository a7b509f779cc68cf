"""`pinxit reproduce codi`: which trials there are, and the tables that their rows make."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path

from pinxit.errors import DataError
from pinxit.log import read_lines
from pinxit.recipes.evidence import redraw
from pinxit.recipes.study import FEW, MANY, WHOLE, Study
from pinxit.recipes.trial import TASKS, Trial
from pinxit.recipes.verdict import Finished, Verdict, judge, told

STUDY = "codi"
BACKBONES = ("flow", "iddpm")
MAIN = "inpaint"
RATES = (1.0, 0.5, 2.0)
SPLITS = (0.5, 0.75, 0.25)
SEEDS = (0, 1, 2)
JUDGED = 4  # steps, by which the best rate and split are told
CURVE = (96, 384)  # thousands of evaluations, beside the whole
METHODS: Sequence[Mapping[str, object]] = (
    {"method": "fine-tune"},
    {"method": "CoDi"},
    {"method": "CM-II"},
    {"method": "GD-II", "final": 4},
    {"method": "GD-II", "final": 2},
)
ABLATION = ("no consistency", "another path", "as printed", "as published")


def reproduce(evidence: Path, page: Path, work: Path, only: str, fill: bool) -> tuple[int, int]:
    """Trials that have all of their rows, and trials; those whose name holds `only` were filled first, if asked, and
    the page's tables are those of the rows that there are.

    Raises DataError where the weights are not there that the trials begin with.
    """
    backbones = {name: evidence / STUDY / f"{name}.safetensors" for name in BACKBONES}
    study = Study(work, evidence / f"{STUDY}.jsonl", {name: file for name, file in backbones.items() if file.is_file()})
    if not study.backbones:
        problem = f"holds none of the weights {', '.join(BACKBONES)} that the trials begin with"
        raise DataError(evidence / STUDY, problem, "run it in a clone of pinxit, or name its docs/evidence")
    trials = [trial for name in study.backbones for trial in plan(name)]
    if fill:
        study.fill([trial for trial in trials if only in trial.name])
    rows = [Finished.model_validate(row) for row in read_lines(study.evidence)]
    redraw(page, STUDY, tables(rows, judge(study, rows, evidence / f"{STUDY}-verdicts.jsonl")))
    return sum(not study.missing(trial) for trial in trials), len(trials)


def plan(backbone: str) -> list[Trial]:
    """Every trial on a backbone, those first that tell most; none twice."""
    asked = (
        *METHODS,
        *each([{"method": "CoDi"}], {"objective": ABLATION}),
        *each(METHODS, {"task": list(TASKS)}),
        *each([{"method": "bicubic"}], {"task": [task for task in TASKS if "upscale" in task]}),
        *each(METHODS, {"rate": RATES}),
        *each(METHODS, {"compute": CURVE}),
        *each(METHODS, {"seed": SEEDS}),
        *each(METHODS[2:], {"split": SPLITS}),
        *each(METHODS, {"task": [MAIN, "upscale x4"], "trains": ["all"]}),
        *each(METHODS, {"task": list(TASKS), "rate": RATES}),
    )
    same = {"backbone": backbone, "compute": WHOLE}
    trials = [Trial.model_validate({**same, **changes}) for changes in asked]
    return list({trial.name: trial for trial in trials}.values())


def each(
    methods: Sequence[Mapping[str, object]], choices: Mapping[str, Sequence[object]]
) -> list[Mapping[str, object]]:
    """Every choice of all settings with every method."""
    settings = [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
    return [{**method, **chosen} for chosen in settings for method in methods]


def tables(rows: Sequence[Finished], verdicts: Iterable[Verdict]) -> str:
    """Markdown: a table for each backbone and task, of the rows that there are, and below it what they say of CoDi."""
    parts, lines = [], told(verdicts)
    for backbone, task in sorted({(row.trial.backbone, row.trial.task) for row in rows}):
        group = [row for row in rows if (row.trial.backbone, row.trial.task) == (backbone, task)]
        below = "".join(f"{line}\n" for line in lines.get((backbone, task), []))
        floors = group[-1]
        above = (
            f"{floors.n:,} pictures; halves of the true ones apart: kernel 0 ± {1.96 * floors.kernel_floor:.2f}, "
            f"Fréchet {floors.frechet_floor:.1f}."
        )
        parts.append(f"### {task}, {backbone}\n\n{above}\n\n{_table(group)}\n" + (f"\n{below}" if below else ""))
    return "\n".join(parts) or "No row has been made yet.\n"


def _table(rows: Sequence[Finished]) -> str:
    """A line a method: of its rates and splits the one whose distance at four steps, or where it has none at the steps
    it has, is the least; all of the same seed and the whole computing.
    """
    whole = [row for row in rows if row.trial.compute == WHOLE and row.trial.seed == 0]
    lines = [
        f"| method | rate | pictures | {' | '.join(map(str, (*FEW, MANY)))} | Fréchet | HED | PSNR | SSIM |",
        f"|---|---|---|{'---|' * (len(FEW) + 1)}---|---|---|---|",
    ]
    for method in dict.fromkeys(row.label for row in whole):
        of_method = [row for row in whole if row.label == method]
        judged = [row for row in of_method if row.steps == JUDGED] or of_method
        best = min(judged, key=lambda row: row.kernel)
        chosen = {row.steps: row for row in of_method if _same_run(row.trial, best.trial)}
        cells = [_distance(chosen.get(steps)) for steps in (*FEW, MANY)]
        rate = f"{best.trial.rate:g}" + (f", split {best.trial.split:g}" if best.trial.before else "")
        lines.append(
            f"| {method} | {rate} | {best.images:,} | {' | '.join(cells)} | {best.frechet:.1f} | {best.hed:.3f} | "
            f"{best.psnr:.1f} | {best.ssim:.3f} |"
        )
    return "\n".join(lines)


def _same_run(one: Trial, other: Trial) -> bool:
    """Whether two trials differ at most in the steps that progressive distillation was made for."""
    return one.model_copy(update={"final": 0}) == other.model_copy(update={"final": 0})


def _distance(row: Finished | None) -> str:
    """A kernel distance with half of its interval."""
    if row is None:
        return ""
    low, high = row.interval
    return f"{row.kernel:.2f} ± {(high - low) / 2:.2f}"
