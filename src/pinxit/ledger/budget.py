"""A budget: how much time, money or energy a run may take, all its interruptions together, before it stops itself."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pinxit.config import Config
from pinxit.errors import ConfigError
from pinxit.ledger.config import TariffConfig
from pinxit.ledger.meter import Meter
from pinxit.ledger.quantity import say_dollars, say_energy, say_seconds
from pinxit.ledger.report import bill

Kind = Literal["seconds", "dollars", "joules"]
UNITS: Mapping[str, tuple[Kind, float]] = {
    "s": ("seconds", 1), "min": ("seconds", 60), "h": ("seconds", 3600), "d": ("seconds", 86400),
    "$": ("dollars", 1), "wh": ("joules", 3600), "kwh": ("joules", 3.6e6),
}  # fmt: skip
SAY = {"seconds": say_seconds, "dollars": say_dollars, "joules": say_energy}


class Budget(Config):
    """So many seconds, dollars of rent, or joules."""

    kind: Kind
    limit: float

    def say(self, amount: float) -> str:
        """An amount of the budget's kind in words."""
        return SAY[self.kind](amount)


def read_budget(said: str) -> Budget:
    """The budget of words such as "2 h", "$5", "1 kWh"; ConfigError for others."""
    found = re.fullmatch(r"(\$?)\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-zA-Z$]*)", said.strip())
    unit = UNITS.get((found[1] or found[3]).lower()) if found and not (found[1] and found[3]) else None
    if found is None or unit is None or not float(found[2]):
        problem = "no amount of time, money or energy"
        raise ConfigError("stop_at", said, problem, "say such as '90 min', '2 h', '$5' or '1 kWh'")
    kind, size = unit
    return Budget(kind=kind, limit=float(found[2]) * size)


def never_spent() -> str:
    """Without a budget none is ever spent."""
    return ""


class Purse:
    """What is left of a budget, from the ledger of a run folder and the meter that writes it.

    Since the last line, rent and energy are taken to go on as before. Rent is at the dated prices of `pinxit cost`;
    ConfigError where the accelerator has none.
    """

    def __init__(self, budget: Budget, folder: Path, meter: Meter, tariff: TariffConfig | None = None) -> None:
        self.budget, self.folder, self.meter, self.tariff = budget, folder, meter, tariff
        self._known: tuple[int, float, float] = (-1, 0.0, 0.0)  # of the ledger: bytes, spent, spent a second

    def __call__(self) -> str:
        """Empty while something is left, then that it is spent."""
        spent = self._spent()
        if spent < self.budget.limit:
            return ""
        return f"the budget of {self.budget.say(self.budget.limit)} is spent"

    def _spent(self) -> float:
        size = self.meter.file.stat().st_size if self.meter.file.is_file() else 0
        if size and size != self._known[0]:
            self._known = (size, *self._read())
        _, before, a_second = self._known
        return before + a_second * self.meter.running

    def _read(self) -> tuple[float, float]:
        """Spent until the ledger's last line, and what each second adds from then on."""
        total = bill(self.folder, self.tariff).total
        if self.budget.kind == "seconds":
            return total.seconds, 1.0
        if self.budget.kind == "joules":
            return total.joules, total.joules / total.seconds if total.seconds else 0.0
        if total.rent is None:
            problem = "the accelerator has no price"
            raise ConfigError("stop_at", self.budget.say(self.budget.limit), problem, "say hours, or kWh")
        return total.rent, total.rent / total.seconds if total.seconds else 0.0
