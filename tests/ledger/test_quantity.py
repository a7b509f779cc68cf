"""Quantities in words: three digits, a fitting unit, no surprise at a border."""

import pytest

from pinxit.ledger.quantity import (
    mark,
    say_bytes,
    say_dollars,
    say_energy,
    say_grams,
    say_number,
    say_seconds,
    say_share,
)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0 s"), (2e-6, "2.00 µs"), (0.0123, "12.3 ms"), (59.9, "59.9 s"), (59.99, "60.0 s"), (60.0, "1 min 00 s"),
        (3599.4, "59 min 59 s"), (3599.6, "1 h 00 min"), (3840.0, "1 h 04 min"), (90_000.0, "1 d 01 h"),
    ],
)  # fmt: skip
def test_seconds(seconds: float, said: str) -> None:
    assert say_seconds(seconds) == said


@pytest.mark.parametrize(
    ("joules", "said"),
    [
        (0.0, "0 Wh"),
        (3600.0, "1.00 Wh"),
        (3.6e6, "1.00 kWh"),
        (3599.99, "1.00 Wh"),
        (0.36, "100 µWh"),
        (1e-9, "0.00 µWh"),
    ],
)
def test_energy(joules: float, said: str) -> None:
    assert say_energy(joules) == said


@pytest.mark.parametrize(
    ("dollars", "said"),
    [(28_400.0, "$28,400"), (1.5, "$1.50"), (0.0, "$0.00"), (0.38, "38.0 ¢"), (0.0021, "0.21 ¢"), (1e-6, "<0.001 ¢")],
)
def test_dollars(dollars: float, said: str) -> None:
    assert say_dollars(dollars) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (0.8, "0.800"), (-0.051234, "-0.0512"), (12.68, "12.7"), (1270.0, "1,270"), (1e-9, "0.0000")],
)
def test_numbers(value: float, said: str) -> None:
    assert say_number(value) == said


def test_masses_data_and_shares() -> None:
    assert say_grams(0.4e6) == "400 kg"
    assert say_grams(6.8) == "6.80 g"
    assert say_bytes(1_240_000_000) == "1.24 GB"
    assert say_bytes(0) == "0 B"
    assert say_share(1.0, 8.0) == "12.5 %"
    assert say_share(0.0, 0.0) == "–"


def test_only_estimates_are_marked_and_a_bound_is_not_marked_twice() -> None:
    assert mark("5 Wh", "estimated") == "≈ 5 Wh"
    assert mark("5 Wh", "measured") == "5 Wh"
    assert mark("<0.001 ¢", "estimated") == "<0.001 ¢"
