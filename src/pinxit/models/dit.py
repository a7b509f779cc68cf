"""The class-conditional DiT of stage one (Peebles and Xie 2023), and the way from it to the text transformer."""

from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from pinxit.models.config import TransformerConfig
from pinxit.models.layer import (
    Mlp, Modulation, NumberEmbed, SelfAttention, initialise, modulate, patchify, position_table, unpatchify,
)  # fmt: skip
from pinxit.models.transformer import Block, FinalLayer, Transformer


class DiTBlock(nn.Module):
    """Self-attention and MLP, modulated and gated by time plus class; each block has its own projection."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config.width, config.heads)
        self.mlp = Mlp(config.width, config.mlp_ratio)
        self.modulation = Modulation(config.width, 6)

    def forward(self, x: Float[Tensor, "b n d"], condition: Float[Tensor, "b d"]) -> Float[Tensor, "b n d"]:
        """Zero gates at the start: the identity."""
        own = rearrange(self.modulation(condition), "b six d -> six b 1 d")
        shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = own
        x = x + gate * self.attention(modulate(x, shift, scale))
        added: Tensor = gate_mlp * self.mlp(modulate(x, shift_mlp, scale_mlp))
        return x + added


class DiT(nn.Module):
    """Latent, time and class to eps or velocity; `classes` itself is the label of the null row."""

    def __init__(self, config: TransformerConfig, classes: int) -> None:
        super().__init__()
        self.config, self.classes = config, classes
        self.patch = nn.Linear(config.channels * config.patch**2, config.width)
        self.time = NumberEmbed(config.width)
        self.label = nn.Embedding(classes + 1, config.width)
        self.blocks = nn.ModuleList(DiTBlock(config) for _ in range(config.depth))
        self.final = FinalLayer(config.model_copy(update={"modulation": "block"}))
        self._initialise()

    def forward(
        self, latent: Float[Tensor, "b c h w"], time: Float[Tensor, "b"], label: Int[Tensor, "b"]
    ) -> Float[Tensor, "b c2 h w"]:
        """`time` is 0 to 1000."""
        return self.denoise(latent, self.time(time) + self.label(label))

    def denoise(
        self, latent: Float[Tensor, "b c h w"], condition: Float[Tensor, "b d"]
    ) -> Float[Tensor, "b c2 h w"]:
        """The network given the sum of its embedded time and class."""
        config = self.config
        height, width = (side // config.patch for side in latent.shape[-2:])
        places = position_table(height, width, config.width, config.position_base, config.position_scale,
                                dtype=latent.dtype)  # fmt: skip
        x = self.patch(patchify(latent, config.patch)) + places.to(latent.device)
        for block in self.blocks:
            x = block(x, condition)
        return unpatchify(self.final(x, condition), config.patch, latent.shape[-2])

    @torch.no_grad()
    def _initialise(self) -> None:
        initialise(self)
        nn.init.normal_(self.label.weight, std=0.02)
        for layer in (self.time.first, self.time.second):
            nn.init.normal_(layer.weight, std=0.02)
        zeros = [part.linear for part in self.modules() if isinstance(part, Modulation)] + [self.final.linear]
        for layer in zeros:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)


@torch.no_grad()
def reparameterize(
    dit: DiT, network: Transformer, without: Literal["zero", "null"] = "zero", time: float = 500.0
) -> None:
    """`network` equals `dit` without class at `time`, whatever the caption (PixArt-α, section 2.3).

    The shared modulation is the mean over the blocks' own (the paper does not say which); each block's table is what
    is then missing at `time`. Without class means that the class embedding is zero, or the learned null row.
    """
    null = dit.label.weight[dit.classes] if without == "null" else torch.zeros_like(dit.label.weight[0])
    start = dit.time(torch.full((1,), time, dtype=torch.float32, device=null.device))
    for mine, theirs in ((network.patch, dit.patch), (network.time, dit.time), (network.final.linear, dit.final.linear)):
        mine.load_state_dict(theirs.state_dict())
    own = [block.modulation for block in dit.blocks if isinstance(block, DiTBlock)]
    network.shared.linear.weight.copy_(torch.stack([part.linear.weight for part in own]).mean(0))
    network.shared.linear.bias.copy_(torch.stack([part.linear.bias for part in own]).mean(0))
    common = network.shared(start)[0]
    for block, old, modulation in zip(network.blocks, dit.blocks, own, strict=True):
        assert isinstance(block, Block)
        assert isinstance(old, DiTBlock)
        block.attention.load_state_dict(old.attention.state_dict())
        block.mlp.load_state_dict(old.mlp.state_dict())
        block.table.copy_(modulation(start + null)[0] - common)
        nn.init.zeros_(block.cross.out.weight)
        nn.init.zeros_(block.cross.out.bias)
    network.final.table.copy_(dit.final.modulation(start + null)[0] - start)
