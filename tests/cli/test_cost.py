"""`pinxit cost RUN`: the table fits a narrow terminal and holds the bill."""

from pathlib import Path

import pytest
from rich.console import Console

from pinxit.cli import cost
from pinxit.errors import ConfigError
from tests.ledger.test_report import line, write
from tests.recipes.test_page import fill


def printed(monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    console = Console(width=80, record=True, force_terminal=False)
    monkeypatch.setattr(cost, "console", console)
    cost.main("pinxit cost", list(words))
    return console.export_text()


def test_the_bill_is_printed_with_its_plan_and_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = printed(monkeypatch, str(fill(tmp_path / "run")))
    rows = {words[0]: words[1:] for line in text.splitlines() if (words := line.split())}
    assert rows["evaluate"][:5] == ["9", "1", "min", "28", "s"]
    assert rows["total"][:5] == ["324,000", "28", "min", "47", "s"]
    for said in ("≈ 14.2 Wh", "Planned, and taken", "1.67 Wh", "assumption"):
        assert said in text
    assert "…" not in text


def test_operations_stand_beside_the_planned_ones_with_their_share_of_the_peak(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = printed(monkeypatch, str(fill(tmp_path / "run")))
    computed = text.partition("What was computed")[2].splitlines()
    rows = {words[0]: " ".join(words[1:]) for line in computed[:5] if (words := line.split())}
    assert rows["pixels"] == "81.0 TFLOP 80.0 TFLOP 526 GFLOP/s 26.3 %"
    assert rows["alignment"] == "– 520 TFLOP 443 GFLOP/s 22.1 %"
    assert "p at most: 2e+12 operations/s (2026-01-01, measured: a product)" in text


def test_the_run_stands_in_the_papers_table_by_its_operations_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = fill(tmp_path / "run")
    write(folder, line("pixels", "train", 25, 1, 1.0, operations=3.74e21))  # the paper's own, by the plan
    text = printed(monkeypatch, str(folder))
    table = text.partition("Beside published training")[2].splitlines()[:9]
    rows = {" ".join(words[:2]): " ".join(words) for row in table if (words := row.split())}
    assert rows["RAPHAEL 5,000,000,000"] == "RAPHAEL 5,000,000,000 60,000 d $3,080,000 ≈ 35.0 t"
    assert rows["PixArt-α 25,000,000"] == "PixArt-α 25,000,000 753 d $28,400 ≈ 400 kg"
    assert rows["this run"].startswith("this run 25 ≈ 756 d 18 h ≈ $28,5")
    assert "A100 in training: 5.72e+13 operations/s" in " ".join(text.split())
    assert "Not to be compared" in text


def test_a_run_of_which_nobody_counted_operations_has_no_row_of_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = fill(tmp_path / "run")
    write(folder, line("pixels", "train", 1, 1, 1.0))
    text = printed(monkeypatch, str(folder))
    assert "What was computed" not in text
    assert "This run has no place beside published training" in " ".join(text.split())
    write(folder, line("pixels", "train", 1, 2, 1.0, operations=4e9))
    text = printed(monkeypatch, str(folder))
    assert "4.00 GFLOP 2.00 GFLOP/s –" in " ".join(text.split())
    assert "the machine's peak is not known" in text


def test_prices_can_be_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = str(fill(tmp_path / "run"))
    text = printed(monkeypatch, folder, "--tariff.grid", "FRA", "--tariff.electricity", "1000")
    assert "FRA: 56 g CO2/kWh" in text
    assert "≈ $14.15" in text


def test_an_unknown_grid_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tariff\.grid = 'moon'"):
        cost.main("pinxit cost", [str(fill(tmp_path / "run")), "--tariff.grid", "moon"])
