"""`pinxit plan RECIPE`: one table, where its figures come from, and a line for what cannot be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pinxit.recipes.emoji import smallest
from pinxit.recipes.table import dump_recipe
from tests.cli.conftest import Answer

Run = Callable[..., Answer]


@pytest.fixture(autouse=True)
def _nothing_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("pinxit.cli.plan.console.width", 120)


def rows(answer: Answer) -> dict[str, list[str]]:
    return {" ".join(line[:14].split()): line[14:].split() for line in answer.out.splitlines()}


def test_the_papers_recipe_on_its_own_machines(pinxit: Run) -> None:
    answer = pinxit("plan", "pixart", "--on", "64xA100", "--grid", "DE")
    assert answer.status == 0
    found = rows(answer)
    assert found["training"][-4:] == ["11", "d", "19", "h"]
    assert found["pictures"][-1] == "3,303,424,000"
    for said in ("3.74 ZFLOP", "DEU: 381 g CO2/kWh", "A100: 1.57 US$/h", "64 are taken as so many times one"):
        assert said in answer.out
    assert "does not fit: alignment takes" in answer.out
    assert "processor core" not in answer.out


def test_this_machine_is_planned_by_default_and_a_price_is_of_what_it_has(pinxit: Run) -> None:
    answer = pinxit("plan", "smallest", "--price", "0.5")
    assert answer.status == 0
    assert rows(answer)["pictures"] == ["192", "192", "192", "576"]
    assert "given in the settings" in answer.out


def test_calibrated_rates_are_used_from_then_on(pinxit: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.recipes.calibrate.SECONDS", 0.0)
    monkeypatch.setattr("pinxit.recipes.calibrate.time_encoding", lambda *_: 0.01)
    assert "assumption; --calibrate measures it" in pinxit("plan", "smallest").out
    answer = pinxit("plan", "smallest", "--calibrate")
    assert answer.status == 0
    assert "calibrating: aesthetics" in answer.out
    assert "measured: text, 2 blocks of 32" in pinxit("plan", "smallest").out


def test_settings_files_and_run_folders_are_read_as_train_reads_them(pinxit: Run, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(dump_recipe(smallest()))
    answer = pinxit("plan", str(tmp_path), "--stages.pixels.images", "320")
    assert rows(answer)["pictures"] == ["320", "192", "192", "704"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["demo", "--on", "3xAbacus"],
            "on = '3xAbacus': no such machine is known, only V100, A100, H100, H200, RTX 4090",
        ),
        (["demo", "--grid", "moon"], "tariff.grid = 'moon': no intensity is known for it"),
        (["demo", "--price", "-1"], "--price = '-1': it should be greater than or equal to 0"),
        (["demo", "--on", "V100", "--calibrate"], "calibrate = 'V100': only the machine at hand can be measured"),
        (["nowhere"], "recipe = 'nowhere': neither a file nor one of demo"),
        ([], "RECIPE: none was named; begin with"),
    ],
)
def test_what_cannot_be_is_one_line(pinxit: Run, words: list[str], line: str) -> None:
    answer = pinxit("plan", *words)
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert answer.err.startswith(f"pinxit plan: {line}")


def test_help_names_recipes_and_settings(pinxit: Run) -> None:
    answer = pinxit("plan", "--help")
    assert answer.status == 0
    for said in ("--calibrate", "  emoji ", "pinxit plan generate --help"):
        assert said in answer.out


def test_drawing_keeps_its_own_plan(pinxit: Run) -> None:
    assert pinxit("plan", "generate", "--help").out.startswith("usage: pinxit plan generate")
