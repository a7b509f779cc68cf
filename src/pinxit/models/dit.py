"""The class-conditional DiT of stage one (Peebles and Xie 2023), and the way from it to the text transformer."""

from collections.abc import Sequence
from typing import Literal, cast

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from pinxit.models.config import TransformerConfig
from pinxit.models.layer import (
    FinalLayer,
    Mlp,
    Modulation,
    NumberEmbed,
    PatchEmbed,
    SelfAttention,
    Table,
    adapt,
    initialise,
    silence,
    soften,
    unpatchify,
)
from pinxit.models.transformer import Block, Transformer


class DiTBlock(nn.Module):
    """Self-attention and MLP, modulated and gated by the block's own projection of time plus class."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.modulation = Modulation(config.width, 6)
        self.attention = SelfAttention(config.width, config.heads)
        self.mlp = Mlp(config.width, int(config.width * config.mlp_ratio), config.width)

    def forward(self, x: Float[Tensor, "b n d"], condition: Float[Tensor, "b d"]) -> Float[Tensor, "b n d"]:
        """A new block changes nothing: its gates are zero."""
        to_attention, to_mlp = rearrange(self.modulation(condition), "b (two three) d -> two b three d", two=2)
        return adapt(adapt(x, self.attention, to_attention), self.mlp, to_mlp)


class DiT(nn.Module):
    """Latent, time and class to eps or velocity and, where learned, the variance; label `classes` is the null row."""

    def __init__(self, config: TransformerConfig, classes: int) -> None:
        super().__init__()
        self.config, self.classes = config, classes
        self.patch = PatchEmbed(config)
        self.time = NumberEmbed(config.width)
        self.label = nn.Embedding(classes + 1, config.width)
        self.blocks = nn.ModuleList(DiTBlock(config) for _ in range(config.depth))
        self.final = FinalLayer(config, Modulation(config.width, 2))
        self._initialise()

    def forward(
        self, latent: Float[Tensor, "b c h w"], time: Float[Tensor, "t"], label: Int[Tensor, "b"]
    ) -> Float[Tensor, "b c2 h w"]:
        """`time` is 0 to 1000, one for each picture or one for all; `label` 0 to `classes`."""
        condition = self.time(time) + self.label(label)
        x = self.patch(latent)
        for block in self.blocks:
            x = block(x, condition)
        return unpatchify(self.final(x, condition), self.config.patch, latent.shape[-2])

    def _initialise(self) -> None:
        """A new network gives zero: gates and the final layer are zero (adaLN-zero)."""
        initialise(self)
        soften(self.config.width, self.time)
        nn.init.normal_(self.label.weight, std=0.02)
        silence(self.final.linear, *(part.linear for part in self.modules() if isinstance(part, Modulation)))


def carry(dit: DiT, network: Transformer) -> None:
    """`network` has the weights of `dit` that both know by one name, and its own in all else, tables among them."""
    own = network.state_dict()
    network.load_state_dict({name: value for name, value in dit.state_dict().items() if name in own}, strict=False)


@torch.no_grad()
def reparameterize(
    dit: DiT, network: Transformer, without: Literal["zero", "null"] = "zero", time: float = 500.0
) -> None:
    """`network`, fresh and without conditions, equals `dit` without class at `time`, whatever the caption; one whose
    blocks have no tables as nearly as that allows.

    Without class means that the class embedding is zero, or the learned null row. The shared modulation is the mean of
    the blocks' own, which the paper leaves open; each table is what is then missing at `time` (PixArt-α, section 2.3).
    A network whose blocks project for themselves takes the DiT's projections, and equals it at every time.
    """
    carry(dit, network)
    new, old = cast("Sequence[Block]", network.blocks), cast("Sequence[DiTBlock]", dit.blocks)
    silence(*(block.cross.out for block in new))
    null = dit.label.weight[dit.classes] if without == "null" else torch.zeros_like(dit.label.weight[0])
    if isinstance(network.shared, nn.Identity):
        network.time.second.bias.add_(null)
        return
    projections = [block.modulation.linear for block in old]
    network.shared.linear.weight.copy_(torch.stack([linear.weight for linear in projections]).mean(0))
    network.shared.linear.bias.copy_(torch.stack([linear.bias for linear in projections]).mean(0))
    start = dit.time(torch.full((1,), time, device=null.device))
    for block, other in zip(new, old, strict=True):
        if isinstance(block.modulation, Table):
            _set(block.modulation, other.modulation(start + null) - network.shared(start))
    _set(network.final.modulation, dit.final.modulation(start + null) - start)


def _set(table: nn.Module, value: Float[Tensor, "1 parts d"]) -> None:
    assert isinstance(table, Table)
    table.table.copy_(value[0])
