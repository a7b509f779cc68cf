"""What a cache was made of: compared with what a recipe wants before a single row is read."""

from typing import Literal

from pinxit.config import Config
from pinxit.models.identity import AutoencoderIdentity, TextIdentity


class Fingerprint(Config):
    """Encoders, size, crop and precision of a cache."""

    autoencoder: AutoencoderIdentity
    text: TextIdentity
    resolution: int
    buckets: bool
    multiple: int
    crop: Literal["cover, centre"] = "cover, centre"
    dtype: Literal["float16", "float32"] = "float16"

    def differences(self, other: "Fingerprint") -> list[str]:
        """Which fields differ, with both values."""
        mine, theirs = self.model_dump(), other.model_dump()
        flat = [(name, mine[name], theirs[name]) for name in mine if not isinstance(mine[name], dict)]
        for name in ("autoencoder", "text"):
            flat += [(f"{name}.{field}", mine[name][field], theirs[name][field]) for field in mine[name]]
        return [f"{name} is {a!r} and should be {b!r}" for name, a, b in flat if a != b]
