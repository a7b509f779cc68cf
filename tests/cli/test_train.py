"""`pinxit train`: files and flags become one recipe; what cannot be is a line; a stop says how the run goes on."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pinxit.errors import Stopped
from pinxit.ledger.budget import Budget
from pinxit.recipes.recipe import Recipe
from pinxit.recipes.table import RECIPES, dump_recipe
from tests.cli.conftest import Answer

Run = Callable[..., Answer]


@pytest.fixture(autouse=True)
def trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Recipe, Path]]:
    """Every recipe that was asked for, with its folder, in place of training it."""
    asked: list[tuple[Recipe, Path]] = []

    def train(recipe: Recipe, folder: Path, budget: Budget | None) -> Path:
        asked.append((recipe, folder))
        return folder / "report.html"

    monkeypatch.setitem(sys.modules, "pinxit.recipes.own", SimpleNamespace(train_recipe=train))
    monkeypatch.chdir(tmp_path)
    return asked


def stop(monkeypatch: pytest.MonkeyPatch, error: BaseException, *, writes_recipe: bool) -> None:
    def train(recipe: Recipe, folder: Path, budget: Budget | None) -> Path:
        if writes_recipe:
            folder.mkdir(parents=True)
            (folder / "recipe.yaml").write_text(dump_recipe(recipe))
        raise error

    monkeypatch.setitem(sys.modules, "pinxit.recipes.own", SimpleNamespace(train_recipe=train))


def test_flags_win_over_the_file_and_the_file_over_its_base(pinxit: Run, trained: list[tuple[Recipe, Path]]) -> None:
    Path("own.yaml").write_text("base: own\nstages: {own: {images: 320, batch: 8}}\n")
    answer = pinxit("train", "own.yaml", "--stages.own.images", "640")
    [(recipe, folder)] = trained
    stage = RECIPES["own"]().stages["own"].model_copy(update={"images": 640, "batch": 8})
    assert recipe == RECIPES["own"]().model_copy(update={"stages": {"own": stage}})
    assert type(recipe) is Recipe
    assert folder == Path("runs/own")
    assert answer == Answer(0, f"the page: {(folder / 'report.html').resolve()}\n", "")


def test_a_run_folder_goes_on_in_its_place(pinxit: Run, trained: list[tuple[Recipe, Path]]) -> None:
    Path("runs/a").mkdir(parents=True)
    recipe = RECIPES["smallest"]().model_copy(update={"seed": 7})
    Path("runs/a/recipe.yaml").write_text(dump_recipe(recipe))
    assert pinxit("train", "runs/a").status == 0
    assert trained == [(recipe, Path("runs/a"))]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["own", "--stages.own.images", "-5"], "--stages.own.images = '-5': it should be greater than 0"),
        (["own", "--network.width", "193"], "--network: width 193 is not a multiple of heads 5; change either one"),
        (
            ["own", "--recipe.stages.own.images", "5"],
            "--recipe.stages.own.images: there is no such setting; did you mean --stages.own.images?",
        ),
        (
            ["pixart", "--stages.aesthetics-512.images", "0"],
            "--stages.aesthetics-512.images = '0': it should be greater",
        ),
        (["nowhere"], "recipe = 'nowhere': neither a file nor one of demo"),
        ([], "RECIPE: none was named; begin with"),
        (["--out", "a", "own"], "RECIPE: none was named; begin with"),
    ],
)
def test_a_setting_that_cannot_work_is_one_line_with_its_path(pinxit: Run, words: list[str], line: str) -> None:
    answer = pinxit("train", *words)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert answer.err.startswith(f"pinxit train: {line}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("base: own\nstages: {own: {images: many}}", "stages.own.images = 'many': it should be a valid integer"),
        ("base: own\nnetwork: {widht: 4}", "network.widht: there is no such setting; did you mean network.width?"),
    ],
)
def test_a_recipe_file_that_cannot_work_is_one_line_with_its_path(pinxit: Run, text: str, line: str) -> None:
    Path("bad.yaml").write_text(text)
    answer = pinxit("train", "bad.yaml")
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert answer.err.startswith(f"pinxit train: bad.yaml: {line}")


def test_general_help_names_every_recipe_and_trains_nothing(pinxit: Run, trained: list[tuple[Recipe, Path]]) -> None:
    answer = pinxit("train", "--help")
    assert answer.status == 0
    assert re.findall(r"^  (\S+) +\S", answer.out, re.MULTILINE) == list(RECIPES)
    assert trained == []


@pytest.mark.parametrize("error", [Stopped(2, 7), KeyboardInterrupt()])
def test_a_stopped_run_goes_on_from_its_folder(pinxit: Run, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    stop(monkeypatch, error, writes_recipe=True)
    answer = pinxit("train", "own", "--out", "my runs/a")
    assert (answer.status, answer.out) == (130, "go on with: pinxit train 'my runs/a'\n")


def test_a_run_stopped_before_it_began_is_started_again(pinxit: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stop(monkeypatch, Stopped(15, 0), writes_recipe=False)
    answer = pinxit("train", "own", "--seed", "3")
    assert (answer.status, answer.out) == (143, "go on with: pinxit train own --seed 3\n")


def test_a_run_whose_budget_is_spent_says_so_and_how_it_goes_on(pinxit: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stop(monkeypatch, Stopped(0, 64, why="the budget of 2 h 00 min is spent"), writes_recipe=True)
    answer = pinxit("train", "own", "--out", "runs/a", "--stop-at", "2 h")
    assert answer == Answer(
        0,
        "go on with: pinxit train runs/a\n",
        "the budget of 2 h 00 min is spent: stopped and saved at 64 pictures seen\n",
    )


def test_a_budget_that_is_none_is_refused_before_anything_begins(pinxit: Run, trained: list[object]) -> None:
    answer = pinxit("train", "own", "--stop-at", "soon")
    assert (answer.status, answer.out, trained) == (2, "", [])
    assert answer.err.startswith("pinxit train: stop_at = 'soon': no amount of time, money or energy; say such as")
