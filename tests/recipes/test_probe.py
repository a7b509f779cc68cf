"""Probe losses by the noise's share, and what is said of a stage that knows less than nothing."""

from pathlib import Path

import pytest
import torch

from pinxit.log import append_line
from pinxit.recipes.probe import band, say_what_is_off


def test_bands_are_quarters_of_the_times_and_an_empty_one_is_none() -> None:
    losses, place = torch.tensor([1.0, 3.0, 5.0, 7.0]), torch.tensor([0.0, 0.2499, 0.25, 0.999])
    assert band(losses, place) == [2.0, 5.0, None, 7.0]


def row(stage: str, split: str, bands: list[float | None]) -> dict[str, object]:
    return {"seen": 8, "stage": stage, "split": split, "loss": 1.0, "bands": bands, "blind": [1.0, 1.0, None, 1.5]}


@pytest.mark.parametrize(
    ("bands", "said"),
    [([0.9, 0.9, None, 1.4], ""), ([0.9, 1.2, None, 1.4], "1.200 in quarter 2"), ([0.9, 0.9, None, 1.5], "quarter 4")],
)
def test_a_band_in_which_knowing_nothing_loses_less_is_named(
    bands: list[float | None], said: str, tmp_path: Path
) -> None:
    file = tmp_path / "probe.jsonl"
    append_line(file, row("pixels", "training", [9.0, 9.0, None, 9.0]))
    append_line(file, row("text", "training", [9.0, 9.0, None, 9.0]))
    append_line(file, row("text", "training", bands))
    append_line(file, row("text", "held out", [9.0, 9.0, None, 9.0]))
    found = say_what_is_off(file, "text")
    assert found.startswith("text is off: its loss is ") if said else not found
    assert said in found


def test_a_stage_without_bands_is_not_judged(tmp_path: Path) -> None:
    append_line(tmp_path / "probe.jsonl", {"seen": 8, "stage": "text", "split": "training", "loss": 9.0})
    assert not say_what_is_off(tmp_path / "probe.jsonl", "text")
    assert not say_what_is_off(tmp_path / "none.jsonl", "text")
