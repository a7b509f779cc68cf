"""The base of every setting: frozen, typed, nothing extra."""

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """One branch of the tree of settings; unknown names are refused, values never change after validation."""

    model_config = ConfigDict(frozen=True, extra="forbid")
