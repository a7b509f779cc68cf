"""The kinds of data: Record (picture and captions), the cache's Row (encoded), Batch (one bucket, on the device)."""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pinxit.data.record import Caption, Condition, Facts, Pixels, Placed, Record

__all__ = ["Batch", "Caption", "Condition", "Facts", "Pixels", "Placed", "Record"]


@dataclass(frozen=True)
class Batch:
    """Features of one bucket, stacked; `position` is each one's place in the run, `keep` marks real caption tokens."""

    mean: Float[Tensor, "b c h w"]
    std: Float[Tensor, "b c h w"]
    caption: Float[Tensor, "b l f"]
    keep: Bool[Tensor, "b l"]
    size: Float[Tensor, "b 2"]
    aspect: Float[Tensor, "b"]
    label: Int[Tensor, "b"]
    position: tuple[int, ...]
    keys: tuple[str, ...] = field(default=())
    condition: Float[Tensor, "b k h w"] | None = None  # what each picture is made from, where a task says

    def to(self, device: torch.device | str) -> "Batch":
        """The same on a device."""
        moved = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **moved)  # type: ignore[arg-type]
