"""Machines by their words: the dated table, the machine at hand, and a line for those that nobody knows."""

import pytest

from pinxit.errors import ConfigError
from pinxit.ledger.config import MeterConfig
from pinxit.ledger.machine import CORE_RATE, KNOWN, PAPER_RATIO, find_machine, this_machine
from pinxit.ledger.meter import Hardware

CORES = Hardware(processor="Abacus", cores=4)


def test_every_known_machine_has_a_dated_source_and_says_if_it_is_assumed() -> None:
    for machine in KNOWN:
        assert machine.rate.date
        assert machine.rate.is_assumed == machine.rate.source.startswith("assumption")
        assert machine.memory > machine.watts > 0
        assert machine.peak is not None
        assert machine.peak.date
        assert machine.rate.value < machine.peak.value or machine.name == "V100"  # the paper's rate is of float16


@pytest.mark.parametrize(
    ("said", "name", "count"),
    [("8xH100", "H100", 8), ("1 x h200", "H200", 1), ("A100", "A100", 1), ("rtx4090", "RTX 4090", 1)],
)
def test_a_machine_is_found_by_its_words(said: str, name: str, count: int) -> None:
    machine = find_machine(said)
    assert (machine.name, machine.count) == (name, count)
    one = find_machine(name)
    assert machine.speed == count * one.speed
    assert machine.watts == count * one.watts
    assert machine.memory == one.memory


def test_an_a100_is_the_papers_ratio_of_v100() -> None:
    assert find_machine("A100").speed == pytest.approx(PAPER_RATIO * find_machine("V100").speed)


@pytest.mark.parametrize("said", ["8xAbacus", "", "0xH100", "H100x8", "x"])
def test_an_unknown_machine_is_a_line_with_the_known_ones(said: str) -> None:
    with pytest.raises(ConfigError) as error:
        find_machine(said)
    assert str(error.value).startswith(
        f"on = {said!r}: no such machine is known, only V100, A100, H100, H200, RTX 4090"
    )


def test_this_machine_is_its_cores_at_an_assumed_rate() -> None:
    machine = find_machine("This machine", CORES, MeterConfig(core_watts=5, rest_watts=1))
    assert (machine.kind, machine.name, machine.say()) == ("processor", "Abacus", "4 cores of Abacus")
    assert (machine.speed, machine.watts, machine.item) == (4 * CORE_RATE, 21, 4)
    assert machine.rate.is_assumed
    assert machine.peak is None
    assert machine.memory > 2**28


@pytest.mark.parametrize(
    ("name", "is_assumed"), [("NVIDIA H100 80GB HBM3", False), ("NVIDIA GeForce RTX 4090", True), ("Abacus", True)]
)
def test_this_machine_is_its_first_accelerator_where_it_has_one(name: str, *, is_assumed: bool) -> None:
    machine = this_machine(CORES.model_copy(update={"accelerators": (name, name)}), MeterConfig())
    assert (machine.kind, machine.count, machine.name) == ("accelerator", 1, name)
    assert machine.rate.is_assumed == is_assumed
