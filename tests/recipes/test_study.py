"""The study of tools: equal computing for all, rows filled once, exams of unseen art, tables of what there is."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pinxit.cli import reproduce as command
from pinxit.data.config import EdgesConfig, EditConfig, InpaintConfig
from pinxit.data.emoji import load_art
from pinxit.data.split import split
from pinxit.errors import DataError, MissingExtra
from pinxit.evaluate.feature import Lite0
from pinxit.evaluate.perceptual import HedVGG16
from pinxit.generate.card import MODEL, model_file, read_card
from pinxit.log import read_lines
from pinxit.recipes import study as study_module
from pinxit.recipes.codi_study import BACKBONES, METHODS, STUDY, plan, tables
from pinxit.recipes.course import Course
from pinxit.recipes.emoji import smallest
from pinxit.recipes.evidence import redraw
from pinxit.recipes.exam import questions
from pinxit.recipes.finish import save_model
from pinxit.recipes.measure import edge_errors
from pinxit.recipes.study import Study, ways
from pinxit.recipes.trial import BATCH, Trial
from pinxit.recipes.verdict import Finished, contests, judge


@pytest.fixture(scope="module", autouse=True)
def _assets() -> None:
    try:
        load_art(("Fxemoji",), 16)
        Lite0()
        HedVGG16()
    except (DataError, MissingExtra):
        pytest.skip("the emoji art or the networks that look are not there: pinxit data emoji, pinxit data assets")


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with finished weights of the smallest kind."""
    folder = tmp_path_factory.mktemp("start")
    base = smallest()
    stage = base.stages["alignment"].model_copy(update={"images": 64})
    recipe = base.model_copy(update={"stages": {"alignment": stage}})
    save_model(recipe, Course(recipe, folder).run(), folder)
    return folder / MODEL


@pytest.mark.parametrize("name", BACKBONES)
def test_every_trial_has_a_name_of_its_own_and_the_same_computing(name: str) -> None:
    trials = plan(name)
    assert len({trial.name for trial in trials}) == len({trial.slug for trial in trials}) == len(trials)
    for trial in (each for each in trials if each.method != "bicubic"):
        spent = trial.images * trial.price + (trial.before.images * trial.before.price if trial.before else 0)
        assert 0 <= 1000 * trial.compute - spent < 2 * 5 * BATCH, trial.name


def test_each_evaluation_is_counted() -> None:
    prices = [Trial.model_validate(method).price for method in METHODS]
    assert prices == [3, 4, 5, 5, 5]  # its own with the gradient, the average's, the teacher's
    assert Trial(method="CoDi", objective="no consistency").price == 3
    assert Trial(method="CoDi", objective="another path").price == 5


def test_every_trial_has_a_recipe() -> None:
    card = read_card(model_file(None))
    for trial in (each for each in plan("flow") if each.method != "bicubic"):
        made = trial.recipe(card, Path("shipped"), Path("before") if trial.before else None, 8_000)
        assert made.stages["codi"].images == trial.images
        assert {solver for solver, _ in ways(trial)} >= {made.sampling.solver}
    with pytest.raises(ValidationError, match="task knitting is none of inpaint, edges"):
        Trial(method="CoDi", task="knitting")


def test_exams_are_of_unseen_art_and_always_the_same() -> None:
    parts = split(load_art(("Fxemoji",)))
    training = {(piece.concept, piece.style) for piece in parts.training}
    for task in (InpaintConfig(), EditConfig(kinds=("swap",))):
        first, again = (questions(task, ("Fxemoji",), 32, 10) for _ in range(2))
        assert len(first) == 10
        for one, other in zip(first, again, strict=True):
            assert np.array_equal(one.picture, other.picture)
            assert one.prompt == other.prompt
            assert (one.edit is not None) == isinstance(task, EditConfig)
    pieces = [each for one in first if one.edit for each in one.edit.after.facts.pieces]
    assert len(pieces) >= 10
    assert not {(each.concept, each.style) for each in pieces} & training


def test_edges_of_the_truth_are_those_asked_for() -> None:
    asked = questions(EdgesConfig(), ("Fxemoji",), 32, 4)
    truth = np.stack([question.picture for question in asked])
    assert edge_errors(EdgesConfig(), asked, truth).tolist() == [0, 0, 0, 0]
    assert edge_errors(EdgesConfig(), asked, 255 - truth[::-1]).min() > 0.01


def test_rows_are_filled_once_and_go_on(backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tmp_path / "rows.jsonl"
    study = Study(tmp_path / "work", rows, {"flow": backbone}, count=8, pictures=64)
    trials = [
        Trial(method="fine-tune", compute=1),
        Trial(method="CM-II", compute=2),
        Trial(method="GD-II", compute=2, final=2),
        Trial(method="CoDi", compute=1),
        Trial(method="bicubic", task="upscale x4"),
    ]
    study.fill(trials)
    names = [(row["name"], row["solver"], row["steps"]) for row in read_lines(rows)]
    assert names == [(trial.name, *way) for trial in trials for way in ways(trial)]
    assert (tmp_path / "work" / trials[1].slug / "exam.png").is_file()
    finished = [Finished.model_validate(row) for row in read_lines(rows)]
    verdicts = judge(study, finished, tmp_path / "verdicts.jsonl")
    assert {(each.methods[1], each.steps) for each in verdicts} == {
        ("ControlNet", 2), ("CM-II", 2), ("GD-II", 2), ("ControlNet", 4), ("CM-II", 4),
    }  # fmt: skip
    assert all(each.kernel_interval[0] <= each.kernel <= each.kernel_interval[1] for each in verdicts)
    told = (tmp_path / "verdicts.jsonl").read_text()
    assert judge(study, finished, tmp_path / "verdicts.jsonl") == verdicts
    assert (tmp_path / "verdicts.jsonl").read_text() == told
    for row in read_lines(rows):
        assert row["n"] == 8
        assert all(np.isfinite(float(str(row[name]))) for name in ("kernel", "frechet", "hed", "psnr", "ssim"))
    lines = rows.read_text().splitlines()
    rows.write_text("\n".join(lines[:-1]) + "\n")

    def refuse(*_: object) -> None:
        raise AssertionError("it is trained already")

    monkeypatch.setattr(study_module, "train_recipe", refuse)
    again = Study(tmp_path / "work", rows, {"flow": backbone}, count=8, pictures=64)
    again.fill(trials)
    last, before = read_lines(rows)[-1], json.loads(lines[-1])
    assert {name: last[name] for name in before if name != "seconds"} == {
        name: value for name, value in before.items() if name != "seconds"
    }
    assert not any(again.missing(trial) for trial in trials)


def made(trial: Trial, kernel: float, steps: int = 4, solver: str = "codi") -> Finished:
    return Finished.model_validate({
        "name": trial.name, "solver": solver, "steps": steps, "kernel": kernel, "interval": [kernel - 0.1, kernel],
        "frechet": 3.0, "hed": 0.2, "psnr": 20.0, "ssim": 0.8, "n": 8, "images": trial.images, "seconds": 0.1,
        "trial": trial, "kernel floor": 0.1, "frechet floor": 30.0,
    })  # fmt: skip


def test_a_table_has_each_method_at_its_best_rate(tmp_path: Path) -> None:
    page = tmp_path / "evidence.md"
    page.write_text("before\n<!-- codi -->\nold\n<!-- end of codi -->\nafter\n")
    rows = [made(Trial(method="CoDi", rate=rate), rate, steps) for rate in (2.0, 1.0) for steps in (1, 4)]
    rows += [made(Trial(method="GD-II", final=steps), float(steps), steps) for steps in (4, 2)]
    redraw(page, STUDY, tables(rows, []))
    text = page.read_text()
    assert "| CoDi | 1 | 48,000 | 1.00 ± 0.05 |  | 1.00 ± 0.05 |  |  | 3.0 | 0.200 | 20.0 | 0.800 |" in text
    assert "| GD-II | 1, split 0.5 | 19,200 |  | 2.00 ± 0.05 | 4.00 ± 0.05 |  |  |" in text
    assert "8 pictures; halves of the true ones apart: kernel 0 ± 0.20, Fréchet 30.0." in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    redraw(page, STUDY, tables(rows, []))
    assert page.read_text() == text
    redraw(page, STUDY, tables([], []))
    assert page.read_text() == "before\n<!-- codi -->\n\nNo row has been made yet.\n\n<!-- end of codi -->\nafter\n"
    with pytest.raises(DataError, match="has not the lines"):
        redraw(tmp_path / "other.md", STUDY, "")


def test_each_method_enters_with_its_best() -> None:
    rows = [made(Trial(method="CoDi", rate=rate), rate) for rate in (2.0, 1.0)]
    rows += [made(Trial(method="fine-tune"), kernel, solver=solver) for solver, kernel in (("euler", 3), ("dpm", 2))]
    rows += [made(Trial(method="CoDi", objective="as printed"), 9.0), made(Trial(method="fine-tune"), 0.1, 8, "euler")]
    pairs = [(first.kernel, second.label) for first, second in contests(rows)]
    assert pairs == [(1.0, "ControlNet, DPM-Solver++"), (1.0, "CoDi, as printed")]


def test_without_the_weights_the_study_says_where_they_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds none of the weights flow, iddpm"):
        command.main("pinxit reproduce codi", ["--evidence", str(tmp_path), "--no-fill"])
