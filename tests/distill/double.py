"""A small network with a branch, a batch for it, and a network that knows every picture."""

import torch
from einops import rearrange
from torch import Tensor, nn

from pinxit.data.kind import Batch
from pinxit.diffusion.config import FlowConfig, IDDPMConfig
from pinxit.diffusion.flow import Flow
from pinxit.diffusion.iddpm import IDDPM
from pinxit.diffusion.process import Level
from pinxit.models.adapter.control import Controlled
from pinxit.models.config import ControlConfig, TransformerConfig
from pinxit.models.null import NullCondition
from pinxit.models.transformer import Transformer

NULL = NullCondition("empty", torch.full((1, 6), 0.5))
PLACES = tuple(range(16))
PROCESSES = (Flow(FlowConfig(shift=1.5)), IDDPM(IDDPMConfig()))


def controlled(outputs: int, seed: int = 0) -> Controlled:
    """Random weights throughout, joins included."""
    torch.manual_seed(seed)
    config = TransformerConfig(
        depth=2, width=32, heads=2, channels=3, outputs=outputs, caption_width=6, position_base=4
    )
    network = Controlled(Transformer(config), ControlConfig(blocks=1, channels=3, maps=2))
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    return network


def batch() -> Batch:
    """Sixteen pictures with captions of one to five tokens and conditions."""
    torch.manual_seed(1)
    mean, count = torch.randn(16, 3, 8, 8), len(PLACES)
    keep = torch.arange(5) < torch.randint(1, 6, (count, 1))
    return Batch(
        mean, torch.zeros_like(mean), torch.randn(count, 5, 6), keep, torch.full((count, 2), 64.0), torch.ones(count),
        torch.full((count,), -1), PLACES, condition=torch.randn(count, 5, 8, 8),
    )  # fmt: skip


def one(given: Batch, network: nn.Module, x: Tensor, level: Level, i: int) -> Tensor:
    """What the network says of a single latent under picture i's caption and condition."""
    assert given.condition is not None
    told = given.caption[i, None], given.keep[i, None], given.condition[i, None]
    said: Tensor = network(x, torch.tensor([level.time]), *told)
    return said


class Knowing(Controlled):
    """Knows every picture, and is wrong about the velocity by `off`."""

    def __init__(self, goal: Tensor, off: float = 0.0) -> None:
        super().__init__(controlled(1).base, ControlConfig(blocks=1, channels=3, maps=2))
        self.goal, self.off = goal, off

    def forward(self, latent: Tensor, time: Tensor, *_: object) -> Tensor:  # type: ignore[override]
        """The velocity of the straight path to the picture."""
        t = rearrange(time / 1000, "b -> b 1 1 1")
        return torch.where(t > 0, (latent - self.goal) / t.clamp_min(1e-9), 0.0) + self.off
