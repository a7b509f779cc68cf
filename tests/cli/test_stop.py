"""A budget on the command line: every verb that has one hands it on, and goes on without it."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pinxit.cli.stop import without_budget
from pinxit.errors import Stopped
from pinxit.ledger.budget import Budget
from pinxit.recipes.recipe import Recipe
from pinxit.recipes.table import dump_recipe
from tests.cli.conftest import Answer

Run = Callable[..., Answer]


@pytest.mark.parametrize(
    "words",
    [
        ["--out", "a", "--stop-at", "2 h", "b"], ["--stop-at=2 h", "--out", "a", "b"],
        ["--out", "a", "--stop_at", "$5", "b"], ["--out", "a", "b", "--stop-at"],
    ],
)  # fmt: skip
def test_a_budget_is_left_out_however_it_is_written(words: list[str]) -> None:
    assert without_budget(words) == ["--out", "a", "b"]


def test_a_tool_stops_at_its_budget_and_goes_on_from_its_folder(
    pinxit: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Budget | None] = []

    def train(recipe: Recipe, folder: Path, budget: Budget | None) -> Path:
        asked.append(budget)
        folder.mkdir(parents=True)
        (folder / "recipe.yaml").write_text(dump_recipe(recipe))
        raise Stopped(0, 64, why="the budget of $5.00 is spent")

    monkeypatch.setitem(sys.modules, "pinxit.recipes.own", SimpleNamespace(train_recipe=train))
    monkeypatch.chdir(tmp_path)
    answer = pinxit("distill", "codi", "--task", "upscale", "--out", "runs/a", "--stop-at", "$5")
    assert asked == [Budget(kind="dollars", limit=5)]
    assert answer == Answer(
        0,
        "go on with: pinxit train runs/a\n",
        "the budget of $5.00 is spent: stopped and saved at 64 pictures seen\n",
    )


@pytest.mark.parametrize("verb", ["demo", "distill codi", "improve train preferences.jsonl"])
def test_a_budget_that_is_none_is_refused_before_anything_begins(
    pinxit: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = pinxit(*verb.split(), "--stop-at", "soon")
    assert (answer.status, answer.out) == (2, "")
    assert "stop_at = 'soon': no amount of time, money or energy; say such as" in answer.err
    assert not any(tmp_path.iterdir())
