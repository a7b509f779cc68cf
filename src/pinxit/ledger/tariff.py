"""Dated prices and grid intensities, each with its source; what nobody published is marked as an assumption."""

from collections.abc import Sequence

from pinxit.config import Config
from pinxit.errors import ConfigError
from pinxit.ledger.config import TariffConfig


class Rate(Config):
    """One figure: `value` in `unit`, when it held and who says so; `is_assumed` says that nobody published it."""

    name: str
    value: float
    unit: str
    date: str
    source: str
    is_assumed: bool = False

    def say(self) -> str:
        """The rate in one line, with its date and source."""
        origin = ", ".join(part for part in (self.date, self.source) if part)
        return f"{self.name}: {self.value:g} {self.unit} ({origin})"


class Reference(Config):
    """What another model's training is said to have taken."""

    name: str
    pictures: int
    accelerator_days: float
    accelerator: str
    dollars: float
    grams: float
    date: str
    source: str


PAPER = Reference(
    name="PixArt-α",
    pictures=25_000_000,
    accelerator_days=753,
    accelerator="A100",
    dollars=28_400,
    grams=0.4e6,
    date="2023-09-20",
    source="Chen et al. 2023, arXiv 2310.00426, at Azure's prices; CO2 read off its figure 2",
)

_FIRST_GUESS = "2026-11-23"


def _assumed(name: str, value: float, unit: str) -> Rate:
    return Rate(
        name=name, value=value, unit=unit, date=_FIRST_GUESS, source="assumption; set your own", is_assumed=True
    )


ELECTRICITY = _assumed("electricity", 0.15, "US$/kWh")
CORE = _assumed("processor core", 0.04, "US$/h")
ACCELERATORS: Sequence[Rate] = (  # a key is looked for in the accelerator's name
    Rate(
        name="A100",
        value=round(PAPER.dollars / (PAPER.accelerator_days * 24), 2),
        unit="US$/h",
        date=PAPER.date,
        source="derived from Chen et al. 2023 (arXiv 2310.00426): $28,400 over 753 A100 days",
    ),
    Rate(
        name="V100",
        value=round(PAPER.dollars / (1656 * 24), 2),
        unit="US$/h",
        date=PAPER.date,
        source="assumption: an A100 costs 2.2 V100, the speeds' ratio in Chen et al. 2023 (arXiv 2310.00426)",
        is_assumed=True,
    ),
    Rate(
        name="H100",
        value=round(1890 / (2.6 * 8 * 24), 2),
        unit="US$/h",
        date="2024-07",
        source="derived from Sehwag et al. 2024 (arXiv 2407.15811): $1,890 for 2.6 days of 8 H100",
    ),
    _assumed("H200", 4.50, "US$/h"),
    _assumed("RTX 4090", 0.40, "US$/h"),
)


def _grid(name: str, grams: float, date: str = "2023", source: str = "Our World in Data, in codecarbon 3.3") -> Rate:
    return Rate(name=name, value=grams, unit="g CO2/kWh", date=date, source=source)


GRIDS: Sequence[Rate] = (
    _grid("world", 475.0, "2019", "IEA Global Energy & CO2 Status Report, in codecarbon 3.3"),
    _grid("CHN", 582.3),
    _grid("DEU", 381.0),
    _grid("FRA", 56.0),
    _grid("GBR", 237.6),
    _grid("IND", 713.4),
    _grid("POL", 661.9),
    _grid("SWE", 40.7),
    _grid("USA", 369.5),
)
SHORT = {"CN": "CHN", "DE": "DEU", "FR": "FRA", "GB": "GBR", "IN": "IND", "PL": "POL", "SE": "SWE", "US": "USA"}


class Tariff(Config):
    """The rates of one bill, settled; `accelerator` is None where there is none or its price is unknown."""

    electricity: Rate
    core: Rate
    accelerator: Rate | None
    grid: Rate

    @property
    def rates(self) -> list[Rate]:
        """Every rate that the bill uses."""
        return [rate for rate in (self.electricity, self.core, self.accelerator, self.grid) if rate]


def settle(config: TariffConfig, accelerators: Sequence[str] = ()) -> Tariff:
    """The rates for work on `accelerators`: the settings' where given, the dated table's elsewhere."""
    return Tariff(
        electricity=_replaced(ELECTRICITY, config.electricity),
        core=_replaced(CORE, config.core_hour),
        accelerator=_accelerator(config, accelerators),
        grid=_replaced(_find_grid(config.grid), config.grams),
    )


def _replaced(rate: Rate, value: float | None) -> Rate:
    if value is None:
        return rate
    return Rate(name=rate.name, value=value, unit=rate.unit, date="", source="given in the settings")


def _accelerator(config: TariffConfig, accelerators: Sequence[str]) -> Rate | None:
    if not accelerators:
        return None
    known = next((rate for rate in ACCELERATORS if rate.name.lower() in accelerators[0].lower()), None)
    if known is None and config.accelerator_hour is not None:
        known = _assumed(accelerators[0], config.accelerator_hour, "US$/h")
    return known and _replaced(known, config.accelerator_hour)


def _find_grid(name: str) -> Rate:
    wanted = SHORT.get(name.upper(), name)
    for rate in GRIDS:
        if rate.name.lower() == wanted.lower():
            return rate
    names = ", ".join(rate.name for rate in GRIDS)
    raise ConfigError(
        "tariff.grid", name, "no intensity is known for it", f"use one of {names}, or give tariff.grams yourself"
    )
