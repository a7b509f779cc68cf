"""The page of a run: one file that opens without a network, written from what the run folder holds."""

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from PIL import Image

from pinxit.ledger.quantity import say_number
from pinxit.recipes.chart import Curve, draw
from pinxit.recipes.markup import Cell, figure, note, picture, picture_file, section, table
from pinxit.recipes.receipt import costs, facts
from pinxit.recipes.result import NEXT, Nearest, Probe, Result, Score, Sheet, read_result
from pinxit.recipes.sheet import cut, grid

PAGE = "report.html"
GRID = "grid.png"
SHOWN = 12  # pictures shown one by one, each with its caption
COLUMNS = 8  # most seeds in the grid of all stages
REAL = "real.png"
NEAREST = "nearest training picture"
REFERENCES = (
    ("ceiling.png", "ceiling", "Real pictures through the autoencoder and back: no model on top of it can do better."),
    (REAL, "real", "The real picture of each prompt."),
)


def write_page(folder: Path, next_commands: Sequence[str] = ()) -> Path:
    """`report.html` shows the run in `folder`, and `samples/grid.png` its stages; a missing part is said in words.

    The commands to try next stay in the folder: a page that is written again has them too.

    Raises DataError for a folder without a recipe, or a file in it that cannot be read.
    """
    result = read_result(folder)
    if next_commands:
        (folder / NEXT).write_text(json.dumps(next_commands, ensure_ascii=False), encoding="utf-8")
    _write_grid(result)
    sections = (
        _drawings(result),
        _stages(result),
        _scores(result.scores),
        _losses(result),
        costs(result.bill),
        _works(result),
        _recipe(result),
        _next(next_commands or result.commands),
    )
    template = Template(files("pinxit.recipes").joinpath("page.html").read_text(encoding="utf-8"))
    page = folder / PAGE
    page.write_text(
        template.substitute(
            title=escape(result.name), lead=escape(_lead(result)), facts=facts(result.bill), sections="".join(sections)
        ),
        encoding="utf-8",
    )
    return page


def _lead(result: Result) -> str:
    start = "the model that ships" if result.start == "shipped" else result.start
    begun = f" It began with the weights of {start}." if start else ""
    if result.bill is None:
        return f"A text-to-image model.{begun} Nothing has been metered yet."
    stages = sum(1 for stage in result.bill.stages if stage.pictures)
    over = "one stage" if stages == 1 else f"{stages} stages"
    seen = (
        f"It saw {result.bill.total.pictures:,} pictures, repeats counted, up to {result.bill.ended.partition('T')[0]}."
    )
    return f"A text-to-image model, trained in {over}.{begun} {seen}"


def _cells(result: Result, file: str, number: int) -> list[Image.Image]:
    with Image.open(result.samples / file) as opened:
        return cut(opened.convert("RGB"), number, str(result.samples / file))


def _drawings(result: Result) -> str:
    title = "What it draws"
    if not result.sheets:
        return section(title, note("No samples were drawn: samples/index.json is not there."))
    last = result.sheets[-1]
    if last.nearest:
        return section(title, *_beside(result, last, last.nearest))
    shown = list(zip(_cells(result, last.file, len(last.seeds)), last.captions, last.seeds, strict=True))[:SHOWN]
    figures = [figure(picture(cell, caption), "", caption) for cell, caption, _ in shown]
    seeds = ", ".join(str(seed) for _, _, seed in shown)
    return section(
        title,
        f'<div class="pictures">{"".join(figures)}</div>',
        note(f"After {last.stage}, {_seen(last.seen)}. Seeds {seeds}, in this order."),
    )


def _beside(result: Result, last: Sheet, nearest: Nearest) -> tuple[str, str]:
    """For each prompt what was drawn from it and its seed, the training picture nearest to that, the real picture."""
    number = len(last.seeds)
    same = [sheet for sheet in result.sheets if (sheet.captions, sheet.seeds) == (last.captions, last.seeds)]
    columns = [(sheet.stage, _cells(result, sheet.file, number)) for sheet in same]
    columns.append((NEAREST, _cells(result, nearest.file, number)))
    if (result.samples / REAL).is_file():
        columns.append(("real picture", _cells(result, REAL, number)))
    strips = []
    for place, (caption, seed) in enumerate(zip(last.captions, last.seeds, strict=True)):
        pictures = [figure(picture(cells[place], f"{label}: {caption}"), "", label) for label, cells in columns]
        split = f"Caption of a {last.splits[place].replace(' ', '-')} picture. " if last.splits else ""
        strips.append(figure(f'<div class="strip">{"".join(pictures)}</div>', caption, f"{split}Seed {seed}."))
    remark = (
        f"After {last.stage}, {_seen(last.seen)}. The nearest is that of {nearest.among:,} training pictures which "
        "differs least at 16 x 16 pixels: a drawing that equals it was learned by heart."
    )
    return f'<div class="strips">{"".join(strips)}</div>', note(remark)


def _stages(result: Result) -> str:
    sheets = [
        figure(picture_file(result.samples / sheet.file, f"samples, {sheet.stage}"), sheet.stage, _seen(sheet.seen))
        for sheet in result.sheets
    ]
    references = [
        figure(picture_file(result.samples / name, label), label, text)
        for name, label, text in REFERENCES
        if (result.samples / name).is_file()
    ]
    if not sheets and not references:
        return ""
    missing = [f"samples/{name}" for name, _, _ in REFERENCES if not (result.samples / name).is_file()]
    return section(
        "The same prompts and seeds, stage by stage",
        f'<div class="sheets">{"".join(sheets + references)}</div>',
        note(f"Not there to compare with: {', '.join(missing)}.") if missing else "",
    )


def _seen(seen: int) -> str:
    return f"{seen:,} pictures seen" if seen else "before the first picture"


def _write_grid(result: Result) -> None:
    rows = [(sheet.stage, _seen(sheet.seen), _cells(result, sheet.file, len(sheet.seeds))) for sheet in result.sheets]
    if not rows:
        return
    last = result.sheets[-1]
    if last.nearest:
        rows.append((NEAREST, f"of {last.nearest.among:,}", _cells(result, last.nearest.file, len(last.seeds))))
    columns = min(COLUMNS, max(len(cells) for _, _, cells in rows))
    grid(rows, columns, last.splits).save(result.samples / GRID, optimize=True)


def _scores(scores: Sequence[Score]) -> str:
    title = "How well it draws"
    if not scores:
        return section(title, note("No scores were taken: scores.jsonl is not there."))
    stages = list(dict.fromkeys(score.stage for score in scores))
    measures = dict.fromkeys((score.measure, score.kind) for score in scores)
    last = {(score.measure, score.kind, score.stage): score for score in scores}
    rows = []
    for measure, kind in measures:
        found = [last.get((measure, kind, stage)) for stage in stages]
        known = [score for score in found if score]
        ceiling = known[-1].ceiling
        counts = " / ".join(dict.fromkeys(f"{score.n:,}" for score in known))
        label: Cell = (measure, f"{kind}, {counts} pictures")
        rows.append([label, *map(_score, found), "–" if ceiling is None else say_number(ceiling)])
    remark = "Below each score, its interval. Ceiling: what real pictures reach on the same measure."
    return section(title, table(["", *stages, "ceiling"], rows), note(remark))


def _score(score: Score | None) -> Cell:
    if score is None:
        return "–"
    if score.low is None or score.high is None:
        return say_number(score.value)
    return say_number(score.value), f"{say_number(score.low)} to {say_number(score.high)}"


def _losses(result: Result) -> str:
    title = "How it learned"
    if not result.steps:
        return section(title, note("No losses were written: steps.jsonl is not there."))
    charts = []
    for stage in dict.fromkeys(step.stage for step in result.steps):
        steps = [step for step in result.steps if step.stage == stage]
        curve = Curve(stage, [step.seen for step in steps], [step.loss for step in steps], is_noisy=True)
        charts.append(figure(draw([curve], f"training loss in {stage}"), stage, "training loss over pictures seen"))
    if result.probes:
        charts.append(_probes(result))
    missing = "" if result.probes else note("No probe loss was taken: probe.jsonl is not there.")
    return section(title, f'<div class="charts">{"".join(charts)}</div>', _bands(result.probes), missing)


def _probes(result: Result) -> str:
    splits = dict.fromkeys(probe.split for probe in result.probes)
    curves = []
    for split in splits:
        probes = [probe for probe in result.probes if probe.split == split]
        curves.append(Curve(split, [probe.seen for probe in probes], [probe.loss for probe in probes]))
    keys = "".join(f'<span class="key c{place}">{escape(split)}</span>' for place, split in enumerate(splits))
    chart = draw(curves, "probe loss: " + ", ".join(splits))
    remark = "the same pictures at the same noise and times: where the two part, it is learning by heart"
    return figure(chart + f"<p>{keys}</p>", "probe loss", remark)


def _bands(probes: Sequence[Probe]) -> str:
    """Each stage's last losses by the noise's share, beside what knowing nothing of pictures loses."""
    last = {(probe.stage, probe.split): probe for probe in probes if probe.bands}
    if not last:
        return ""

    def row(name: str, numbers: Sequence[float | None]) -> tuple[str, ...]:
        return (name, *("" if each is None else f"{each:.3f}" for each in numbers))

    rows = []
    for (stage, split), probe in last.items():
        rows.append(row(f"{stage}, {split}", probe.bands))
        rows.append(row("knowing nothing", probe.blind))
    quarters = ("least noise", "second quarter", "third quarter", "most noise")
    remark = "probe loss by time: a stage that loses more than knowing nothing of pictures does is off"
    return figure(table(("", *quarters), rows), "by noise", remark)


def _works(result: Result) -> str:
    title = "What it is made of"
    if not result.works:
        return section(title, note("No licences were recorded: licences.json is not there."))
    return section(title, table(("", "licence"), [((work.name, work.note), work.spdx) for work in result.works]))


def _recipe(result: Result) -> str:
    remark = "Everything that was set, and all that is needed to run it again."
    shown = f"<details><summary>recipe.yaml</summary><pre><code>{escape(result.recipe)}</code></pre></details>"
    return section("The recipe", note(remark), shown)


def _next(commands: Sequence[str]) -> str:
    if not commands:
        return ""
    items = "".join(f"<li><pre><code>{escape(command)}</code></pre></li>" for command in commands)
    return section("What to try next", f'<ol class="next">{items}</ol>')
