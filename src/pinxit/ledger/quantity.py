"""Quantities in words that a person reads: three digits, a fitting unit."""

import math
from collections.abc import Sequence

from pinxit.ledger.energy import Source

UNKNOWN = "–"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def say_seconds(seconds: float) -> str:
    """A duration in its two largest units, such as 1 h 04 min."""
    if seconds < _MINUTE:
        return _say(seconds, ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")))
    whole = round(seconds)
    for unit, name, part, part_name in (
        (_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1, "s"),
    ):  # fmt: skip
        if whole >= unit:
            return f"{whole // unit} {name} {whole % unit // part:02d} {part_name}"
    raise AssertionError("a minute or more has a unit")


def say_energy(joules: float) -> str:
    """An energy in watt-hours."""
    units = ((1e9, "GWh"), (1e6, "MWh"), (1e3, "kWh"), (1.0, "Wh"), (1e-3, "mWh"), (1e-6, "µWh"))
    return _say(joules / 3600, units)


def say_operations(count: float) -> str:
    """An amount of floating-point operations."""
    units = ((1e21, "ZFLOP"), (1e18, "EFLOP"), (1e15, "PFLOP"), (1e12, "TFLOP"), (1e9, "GFLOP"), (1e6, "MFLOP"))
    return _say(count, (*units, (1.0, "FLOP")))


def say_grams(grams: float) -> str:
    """A mass in grams or tonnes."""
    return _say(grams, ((1e6, "t"), (1e3, "kg"), (1.0, "g"), (1e-3, "mg"), (1e-6, "µg")))


def say_bytes(count: int) -> str:
    """An amount of data in decimal units."""
    return _say(float(count), ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")))


def say_dollars(dollars: float) -> str:
    """Money in dollars, and in cents below one dollar."""
    if dollars >= 1000:
        return f"${dollars:,.0f}"
    if dollars >= 1 or dollars == 0:
        return f"${dollars:.2f}"
    cents = 100 * dollars
    return "<0.001 ¢" if cents < 0.001 else f"{cents:.1f} ¢" if cents >= 9.95 else f"{cents:.2g} ¢"


def say_number(value: float) -> str:
    """A score with three digits, and at most four after the point."""
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{min(4, max(0, digits))}f}"


def say_share(part: float, whole: float) -> str:
    """`part` of `whole` in per cent."""
    return f"{100 * part / whole:.1f} %" if whole else UNKNOWN


def mark(said: str, source: Source) -> str:
    """`said`, with a sign before it if it is estimated."""
    return f"≈ {said}" if source == "estimated" and not said.startswith("<") else said


def _say(value: float, units: Sequence[tuple[float, str]]) -> str:
    """`value` with three digits, in the largest unit that is not larger than it; the smallest if all are."""
    if value == 0:
        return f"0 {next(name for size, name in units if size == 1)}"
    size, name = next((unit for unit in units if abs(value) >= 0.9995 * unit[0]), units[-1])
    number = value / size
    digits = 0 if number >= 99.95 else 1 if number >= 9.995 else 2
    return f"{number:,.{digits}f} {name}"
