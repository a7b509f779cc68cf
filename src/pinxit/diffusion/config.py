"""Settings of the two diffusion processes."""

from typing import Annotated, Literal

from pydantic import Field

from pinxit.config import Config


class IDDPMConfig(Config):
    """Discrete noise with a learned variance: what PixArt-α trains (Nichol and Dhariwal 2021)."""

    kind: Literal["iddpm"] = "iddpm"
    steps: int = Field(1000, gt=1)
    beta_first: float = Field(1e-4, gt=0)
    beta_last: float = Field(2e-2, gt=0, lt=1)
    most_snr: float | None = Field(
        None, gt=0, description="min-SNR weighting: errors of eps weigh min(SNR, this) / SNR; none: 1, as in PixArt-α"
    )


class FlowConfig(Config):
    """Rectified flow with logit-normal time (Esser et al. 2024)."""

    kind: Literal["flow"] = "flow"
    time_mean: float = 0.0
    time_spread: float = Field(1.0, gt=0)
    shift: float = Field(1.0, gt=0, description="moves time towards noise; larger for more tokens (eq. 23 there)")


ProcessConfig = Annotated[IDDPMConfig | FlowConfig, Field(discriminator="kind")]
