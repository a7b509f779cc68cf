"""Prices: settings before the table, every figure dated and sourced, the paper's own bill reproduced."""

import pytest

from pinxit.errors import ConfigError
from pinxit.ledger.config import TariffConfig
from pinxit.ledger.tariff import ACCELERATORS, CORE, ELECTRICITY, GRIDS, PAPER, settle


def test_every_rate_has_a_date_a_source_and_says_if_it_is_assumed() -> None:
    for rate in (ELECTRICITY, CORE, *ACCELERATORS, *GRIDS):
        assert rate.date
        assert rate.is_assumed == rate.source.startswith("assumption")
        assert rate.value > 0
        assert rate.say().startswith(f"{rate.name}: {rate.value:g} {rate.unit} ({rate.date}, ")


def test_the_paper_at_its_own_price_costs_what_it_says() -> None:
    rate = settle(TariffConfig(), ["NVIDIA A100-SXM4-80GB"]).accelerator
    assert rate is not None
    assert rate.value * 24 * PAPER.accelerator_days == pytest.approx(PAPER.dollars, rel=2e-3)


@pytest.mark.parametrize("name", ["NVIDIA H200", "NVIDIA H100 80GB HBM3", "Tesla V100-SXM2-16GB"])
def test_an_accelerator_is_found_by_its_name(name: str) -> None:
    rate = settle(TariffConfig(), [name]).accelerator
    assert rate is not None
    assert rate.name in name


def test_an_unknown_accelerator_has_no_price_until_it_is_given_one() -> None:
    assert settle(TariffConfig(), ["Abacus 9"]).accelerator is None
    rate = settle(TariffConfig(accelerator_hour=0.5), ["Abacus 9"]).accelerator
    assert rate is not None
    assert (rate.name, rate.value) == ("Abacus 9", 0.5)


def test_settings_replace_the_table_and_say_so() -> None:
    config = TariffConfig(grid="deu", grams=12, electricity=0.3, core_hour=0.01, accelerator_hour=9)
    rates = settle(config, ["H100"]).rates
    assert [rate.value for rate in rates] == [0.3, 0.01, 9, 12]
    assert {rate.source for rate in rates} == {"given in the settings"}
    assert rates[-1].name == "DEU"


def test_without_accelerators_none_is_priced() -> None:
    assert settle(TariffConfig(accelerator_hour=9)).accelerator is None


def test_an_unknown_grid_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"tariff\.grid = 'moon': no intensity is known for it; use one of world, CHN,"
    ):
        settle(TariffConfig(grid="moon"))
