"""The exponential moving average of the weights."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pinxit.train.config import AverageConfig


class Average:
    """A second set of weights, `model`, that follows the trained one slowly; samples are drawn from it."""

    def __init__(self, model: nn.Module, config: AverageConfig) -> None:
        self.config = config
        self.model = model.requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, model: nn.Module, examples: int, seen: int) -> None:
        """The average has moved towards `model` after a step of `examples`, the `seen`-th of the stage."""
        memory = min(self.config.memory, self.config.share * seen)
        weight = 1 - math.exp(-examples / memory)
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), weight)
        for mine, theirs in zip(self.model.buffers(), model.buffers(), strict=True):
            mine.copy_(theirs)

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged weights."""
        return dict(self.model.state_dict())

    def load_state_dict(self, saved: Mapping[str, Tensor]) -> None:
        """The average goes on from `saved`."""
        self.model.load_state_dict(saved)
