"""Rates: measured in seconds, kept by machine and work, the nearest taken where a work was never tried."""

from pathlib import Path

import pytest
import torch

from pinxit.data.emoji import load_art
from pinxit.errors import DataError
from pinxit.ledger.config import MeterConfig
from pinxit.ledger.machine import Machine, find_machine, this_machine
from pinxit.ledger.meter import Hardware
from pinxit.recipes import calibrate as module
from pinxit.recipes.calibrate import Rates, calibrate, rates_file
from pinxit.recipes.emoji import smallest
from pinxit.recipes.few import few
from pinxit.recipes.plan import plan
from pinxit.recipes.recipe import Recipe, RecordsDataConfig


@pytest.fixture
def machine() -> Machine:
    return this_machine(Hardware(processor="Abacus", cores=2), MeterConfig())


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.0)


def test_rates_are_kept_by_machine_and_the_last_one_counts(machine: Machine, tmp_path: Path) -> None:
    rates = Rates(machine, tmp_path / "rates.jsonl")
    assert rates("a", 1e9) is None
    rates.note("a", 8e9, 2.0)
    rates.note("a", 8e9, 1.0)
    other = machine.model_copy(update={"name": "Slide rule"})
    assert Rates(other, tmp_path / "rates.jsonl")("a", 1e9) is None
    found = Rates(machine, tmp_path / "rates.jsonl")("a", 1e9)
    assert found is not None
    assert (found.value, found.is_assumed) == (4e9, False)  # of each of two cores


def test_a_work_never_tried_has_the_rate_of_the_nearest_and_says_so(machine: Machine, tmp_path: Path) -> None:
    rates = Rates(machine, tmp_path / "rates.jsonl")
    rates.note("small", 1e9, 1.0)
    rates.note("large", 1e12, 10.0)
    rates.note("encoding, of something", 4e9, 100.0)
    found = rates("another", 3e11)
    assert found is not None
    assert (found.value, found.is_assumed, found.source) == (5e10, True, "assumption: as measured of large")
    encoding = rates("encoding, of another", 1e12)
    assert encoding is not None
    assert encoding.value == 2e7


def test_a_machines_peak_is_measured_with_its_rates_and_is_no_rate_of_a_work(machine: Machine, tmp_path: Path) -> None:
    stages = {"alignment": smallest().stages["alignment"]}
    rates = Rates(machine, tmp_path / "rates.jsonl")
    assert rates.peak(torch.float32) is None
    rates.note("a large product in float32", 8e9, 2.0)
    assert rates("alignment", 1e9) is None
    calibrate(without_data(smallest().model_copy(update={"stages": stages})), rates)
    peak = Rates(machine, tmp_path / "rates.jsonl").peak(torch.float32)
    assert peak is not None
    assert peak.source == "measured: a large product in float32"
    assert peak.value > 4e9
    assert rates.peak(torch.bfloat16) is None


def test_the_peak_of_a_known_gpu_is_its_datasheets_in_the_numbers_that_it_computes_with(tmp_path: Path) -> None:
    rates = Rates(find_machine("H100"), tmp_path / "rates.jsonl")
    peak = rates.peak(torch.bfloat16)
    assert peak is not None
    assert (peak.value, peak.is_assumed) == (989e12, False)
    assert rates.peak(torch.float32) is None


def without_data(recipe: Recipe) -> Recipe:
    stages = {
        name: stage.model_copy(update={"data": RecordsDataConfig(folder="nowhere")})
        for name, stage in recipe.stages.items()
    }
    return recipe.model_copy(update={"stages": stages})


@pytest.mark.parametrize("recipe", [smallest(), few()], ids=["three stages", "student"])
def test_every_stage_is_tried_and_missing_data_are_named(
    recipe: Recipe, machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = Rates(machine, tmp_path / "rates.jsonl")
    calibrate(without_data(recipe), rates)
    assert "encoding was not tried: nowhere: it is no RECORDS folder" in capsys.readouterr().out
    stages = plan(without_data(recipe), machine, rate_of=rates).stages
    assert all(stage.rate.source.startswith("measured: ") for stage in stages)


def test_a_step_that_would_take_long_is_tried_in_part(machine: Machine, tmp_path: Path) -> None:
    slow = machine.model_copy(update={"rate": machine.rate.model_copy(update={"value": 1e4})})
    alone = module._affordable(smallest(), smallest().stages["alignment"], slow, is_padded=False)
    assert (alone.network.depth, alone.stages["trial"].batch) == (2, 1)


def test_encoding_is_tried_on_the_stages_own_pictures(machine: Machine, tmp_path: Path) -> None:
    try:
        load_art(("Fxemoji",), 16)
    except DataError:
        pytest.skip("the emoji art is not there: pinxit data emoji")
    stage = smallest().stages["alignment"]
    recipe = smallest().model_copy(update={"stages": {"alignment": stage}})
    rates = Rates(machine, tmp_path / "rates.jsonl")
    calibrate(recipe, rates)
    kept = Rates(machine, tmp_path / "rates.jsonl")
    found = kept("encoding, 32 pixels, small, minilm, emoji", 1.0)
    assert found is not None
    assert found.source.startswith("measured")


def test_rates_are_kept_in_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert rates_file() == Path("/somewhere/pinxit/rates.jsonl")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert rates_file() == Path.home() / ".cache" / "pinxit" / "rates.jsonl"
