"""A budget: its words, and when it is spent."""

from pathlib import Path

import pytest

from pinxit.errors import ConfigError
from pinxit.ledger.budget import Budget, Purse, read_budget
from pinxit.ledger.config import TariffConfig
from pinxit.ledger.meter import Meter
from tests.ledger.test_report import CARDS, line, write


@pytest.mark.parametrize(
    ("said", "kind", "limit"),
    [
        ("2 h", "seconds", 7200), ("90min", "seconds", 5400), ("1.5 d", "seconds", 129600), (".5s", "seconds", 0.5),
        ("$5", "dollars", 5), ("$ 0.25", "dollars", 0.25), ("5$", "dollars", 5),
        ("1 kWh", "joules", 3.6e6), ("20 Wh", "joules", 72000),
    ],
)  # fmt: skip
def test_a_budget_is_read_from_its_words(said: str, kind: str, limit: float) -> None:
    assert read_budget(said) == Budget.model_validate({"kind": kind, "limit": limit})


@pytest.mark.parametrize("said", ["", "5", "soon", "2 weeks", "$5 h", "-2 h", "0 h", "1e3 s", "$", "2 h 30 min"])
def test_other_words_are_refused_with_what_to_say(said: str) -> None:
    with pytest.raises(ConfigError, match=r"no amount of time, money or energy; say such as '90 min'"):
        read_budget(said)


def purse(folder: Path, said: str) -> Purse:
    return Purse(read_budget(said), folder, Meter(folder), TariffConfig(core_hour=0.05, accelerator_hour=2.0))


@pytest.mark.parametrize("said", ["2 h", "$0.40", "1 kWh"])  # of a ledger with two hours of four cores and 1 kWh
def test_a_budget_is_spent_once_the_ledger_says_so(tmp_path: Path, said: str) -> None:
    write(tmp_path, line("pixels", "train", 1, 3600, 1.8e6))
    spent = purse(tmp_path, said)
    assert not spent()
    write(tmp_path, line("pixels", "train", 1, 3600, 1.8e6), line("pixels", "train", 1, 3600.1, 1.81e6))
    assert spent() == f"the budget of {spent.budget.say(spent.budget.limit)} is spent"


def test_time_runs_on_between_two_lines(tmp_path: Path) -> None:
    meter = Meter(tmp_path)
    with meter.stage("pixels", "encode"):
        pass
    with meter.stage("pixels"):
        assert Purse(read_budget("1 h"), tmp_path, meter)() == ""
        assert Purse(Budget(kind="seconds", limit=1e-9), tmp_path, meter)()


def test_before_the_first_line_nothing_is_spent(tmp_path: Path) -> None:
    assert not purse(tmp_path, "1 s")()


def test_rent_without_a_price_is_refused(tmp_path: Path) -> None:
    cards = CARDS.model_copy(update={"accelerators": ("Abacus",)})
    write(tmp_path, line("pixels", "train", 1, 1, 1.0, hardware=cards))
    with pytest.raises(ConfigError, match=r"stop_at = '\$5.00': the accelerator has no price; say hours, or kWh"):
        Purse(read_budget("$5"), tmp_path, Meter(tmp_path))()
