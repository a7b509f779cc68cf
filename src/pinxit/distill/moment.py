"""The levels at which distillation asks: a table of a process's anchors, read picture by picture."""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from pinxit.diffusion.process import Process


@dataclass(frozen=True)
class Moment:
    """The level of every picture of a batch: x_t = alpha clean + sigma eps; `time` is what the network is told."""

    alpha: Float[Tensor, "b 1 1 1"]
    sigma: Float[Tensor, "b 1 1 1"]
    time: Float[Tensor, "b"]


class Moments:
    """`count` anchors from pure noise down, and the end; `least_alpha` is half of the second one's alpha."""

    def __init__(self, process: Process, count: int, device: torch.device) -> None:
        levels = process.anchors(count)
        rows = [(level.alpha, level.sigma, level.time) for level in levels]
        self.table = torch.tensor(rows, device=device)
        self.least_alpha = levels[1].alpha / 2

    def at(self, place: Int[Tensor, "b"]) -> Moment:
        """The anchors at places counted from pure noise."""
        alpha, sigma, time = self.table[place].unbind(1)
        return Moment(rearrange(alpha, "b -> b 1 1 1"), rearrange(sigma, "b -> b 1 1 1"), time)
