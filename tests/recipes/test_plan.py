"""The bill before: sums that add up, what does not fit, and the paper's own table from one rate."""

import json
from pathlib import Path

import pytest

from pinxit.ledger.config import MeterConfig, TariffConfig
from pinxit.ledger.machine import Machine, find_machine, this_machine
from pinxit.ledger.meter import Hardware
from pinxit.ledger.report import Plan
from pinxit.ledger.tariff import PAPER, Rate
from pinxit.recipes.emoji import demo, shipped
from pinxit.recipes.pixart import paper
from pinxit.recipes.plan import RecipePlan, StagePlan, plan
from pinxit.recipes.table import RECIPES

DAY = 86400
PRINTED = {"pixels": 88, "alignment": 672, "aesthetics_256": 416, "aesthetics_512": 320, "aesthetics_1024": 160}
CORES = this_machine(Hardware(processor="Abacus", cores=2), MeterConfig())


def days(stage: StagePlan, machine: Machine) -> float:
    return stage.training.seconds * machine.count / DAY


def implied(stage: StagePlan) -> float:
    """The rate of a V100 that the printed days of a stage would need."""
    return stage.operations / (PRINTED[stage.stage] * DAY)


@pytest.fixture(scope="module")
def on_v100() -> RecipePlan:
    return plan(paper(), find_machine("64xV100"))


def test_one_rate_gives_the_papers_total_and_its_text_stages_at_256_pixels(on_v100: RecipePlan) -> None:
    found = {stage.stage: days(stage, on_v100.machine) for stage in on_v100.stages}
    assert sum(found.values()) == pytest.approx(sum(PRINTED.values()), rel=0.05)
    for name in ("alignment", "aesthetics_256"):
        assert found[name] == pytest.approx(PRINTED[name], rel=0.05)
    assert found["pixels"] == pytest.approx(PRINTED["pixels"], rel=0.2)


def test_the_large_stages_of_the_paper_do_not_follow_from_operations(on_v100: RecipePlan) -> None:
    rates = {stage.stage: implied(stage) / 1e12 for stage in on_v100.stages}
    assert rates == pytest.approx(
        {"pixels": 28.8, "alignment": 26.3, "aesthetics_256": 25.5, "aesthetics_512": 34.4, "aesthetics_1024": 8.7},
        abs=0.1,
    )
    others = [rate for name, rate in rates.items() if name != "aesthetics_1024"]
    assert rates["aesthetics_1024"] == pytest.approx(sum(others) / len(others) / 3, rel=0.15)


def test_an_a100_takes_the_papers_days_and_dollars() -> None:
    found = plan(paper(), find_machine("A100"))
    trained = [stage.training for stage in found.stages]
    assert sum(one.seconds for one in trained) / DAY == pytest.approx(PAPER.accelerator_days, rel=0.05)
    assert sum(one.rent or 0 for one in trained) == pytest.approx(PAPER.dollars, rel=0.05)


def test_the_published_batch_does_not_fit_and_the_nearest_that_does_is_named(on_v100: RecipePlan) -> None:
    alignment = on_v100.stages[1]
    assert alignment.peak > on_v100.machine.memory
    assert alignment.unfit.endswith("of 32.0 GB; it fits with --stages.alignment.accumulation 8")
    recipe = paper()
    stage = recipe.stages["alignment"].model_copy(update={"accumulation": 8})
    mended = recipe.model_copy(update={"stages": {"alignment": stage}})
    assert plan(mended, on_v100.machine).stages[0].unfit == ""
    stage = stage.model_copy(update={"accumulation": 4})
    assert plan(recipe.model_copy(update={"stages": {"alignment": stage}}), on_v100.machine).stages[0].unfit


def test_what_fits_in_no_way_says_so() -> None:
    tiny = CORES.model_copy(update={"memory": 10**9})
    found = plan(paper(), tiny).stages[0].unfit
    assert found.startswith("pixels takes ")
    assert found.endswith("it needs more memory")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_plan_whose_sums_add_up(name: str) -> None:
    recipe = RECIPES[name]()
    found = plan(recipe, find_machine("2xH100"), TariffConfig(electricity=0.2, grams=500, accelerator_hour=3))
    assert [stage.stage for stage in found.stages] == list(recipe.stages)
    total = found.total
    assert total.seconds == pytest.approx(sum(stage.spent.seconds for stage in found.stages))
    assert total.joules == pytest.approx(1400 * total.seconds)
    assert total.rent == pytest.approx(2 * 3 * total.seconds / 3600)
    assert total.electricity == pytest.approx(0.2 * total.joules / 3.6e6)
    assert total.grams == pytest.approx(500 * total.joules / 3.6e6)
    for stage, settings in zip(found.stages, recipe.stages.values(), strict=True):
        assert (stage.pictures, stage.steps) == (settings.images, -(-settings.images // settings.batch))
        assert stage.peak == sum(stage.memory.values()) > 0
        assert stage.checkpointed < stage.memory["activations"]


def test_twice_the_machines_take_half_the_time() -> None:
    one, two = (plan(demo(), find_machine(said)) for said in ("H100", "2xH100"))
    assert one.total.seconds == pytest.approx(2 * two.total.seconds)
    assert one.total.rent == pytest.approx(two.total.rent)


def test_a_price_that_nobody_knows_is_left_open() -> None:
    card = find_machine("H100").model_copy(update={"name": "Abacus"})
    assert plan(demo(), card).total.rent is None


def test_accumulation_takes_memory_from_activations_alone() -> None:
    stage = demo().stages["alignment"]
    plans = [
        plan(demo().model_copy(update={"stages": {"one": stage.model_copy(update={"accumulation": parts})}}), CORES)
        for parts in (1, 4)
    ]
    whole, parts = (found.stages[0].memory for found in plans)
    assert whole["activations"] == pytest.approx(4 * parts["activations"], rel=0.01)
    assert {**whole, "activations": 0} == {**parts, "activations": 0}


def test_stages_that_share_a_cache_encode_it_once() -> None:
    stages = plan(shipped(), CORES).stages
    assert [stage.encoded for stage in stages] == [96_064, 0, 0]
    assert [stage.cache for stage in stages][1:] == [0, 0]
    assert stages[0].encoding is not None
    assert stages[0].encoding.seconds > 0


def test_pictures_that_nobody_has_seen_leave_encoding_open() -> None:
    stage = plan(RECIPES["own"](), CORES).stages[0]
    assert (stage.encoded, stage.cache, stage.encoding) == (None, None, None)
    assert stage.spent == stage.training


def test_measured_rates_win_over_the_machines(tmp_path: Path) -> None:
    rate = Rate(name="here", value=1e9, unit="operations/s", date="2026-01-01", source="measured")
    found = plan(demo(), CORES, rate_of=lambda label, _: rate if label.startswith("text") else None)
    assert [stage.rate.value for stage in found.stages] == [CORES.rate.value, 1e9, 1e9]
    assert found.stages[1].training.seconds == pytest.approx(found.stages[1].operations / 2e9)
    found.keep(tmp_path)
    kept = Plan.model_validate_json((tmp_path / "plan.json").read_bytes())
    assert [planned.label for planned in kept.stages] == [
        "pixels, encode", "pixels", "alignment, encode", "alignment", "aesthetics, encode", "aesthetics",
    ]  # fmt: skip
    assert kept.peak == max(stage.peak for stage in found.stages)
    assert json.loads((tmp_path / "plan.json").read_text())["on"].startswith("2 cores of Abacus; a core in training")
