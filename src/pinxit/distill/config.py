"""Settings of distillation to few steps."""

from pydantic import Field

from pinxit.config import Config


class ConsistencyConfig(Config):
    """Latent consistency distillation with PixArt-δ's settings (Chen et al. 2024, section 2.1); a flow has it too."""

    anchors: int = Field(50, gt=0, description="levels of the teacher's path, between which the student learns to skip")
    guidance: float = Field(
        5.5, ge=1, description="of the teacher, which the student learns with the rest; the paper counts from 0: 4.5"
    )
    huber: float = Field(1e-3, gt=0, description="error below which the loss is square, and above which it is straight")
