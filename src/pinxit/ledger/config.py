"""Settings of the bill: the watts assumed where no counter can be read, and the prices."""

from pydantic import Field

from pinxit.config import Config


class MeterConfig(Config):
    """Watts assumed where no energy counter can be read; what follows from them is marked as estimated."""

    core_watts: float = Field(8.0, ge=0, description="of one busy processor core")
    rest_watts: float = Field(15.0, ge=0, description="of memory, disk and board, busy or not")
    accelerator_watts: float = Field(400.0, ge=0, description="of one accelerator, busy or not")


class TariffConfig(Config):
    """Prices in US dollars; one that is left out is taken from the dated table that is printed with every bill."""

    grid: str = Field("world", description="whose electricity: world, or a country such as DEU or DE")
    grams: float | None = Field(None, ge=0, description="CO2 of one kWh in grams, in place of the grid's")
    electricity: float | None = Field(None, ge=0, description="price of one kWh")
    core_hour: float | None = Field(None, ge=0, description="rent of one processor core for an hour")
    accelerator_hour: float | None = Field(None, ge=0, description="rent of one accelerator for an hour")
