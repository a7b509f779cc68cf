"""PixArt-α's denoiser, top to bottom: blocks with adaLN-single and cross-attention (Chen et al. 2023)."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from pinxit.models.config import TransformerConfig
from pinxit.models.layer import (
    CaptionEmbed, CrossAttention, Mlp, Modulation, NumberEmbed, SelfAttention,
    initialise, modulate, patchify, position_table, unpatchify,
)  # fmt: skip


class Block(nn.Module):
    """Self-attention and MLP, both modulated and gated; between them the caption is read, unmodulated."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config.width, config.heads)
        self.cross = CrossAttention(config.width, config.heads)
        self.mlp = Mlp(config.width, config.mlp_ratio)
        if config.modulation == "single":
            self.table = nn.Parameter(torch.randn(6, config.width) / config.width**0.5)
        else:
            self.modulation = Modulation(config.width, 6)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        caption: Float[Tensor, "b l d"],
        keep: Bool[Tensor, "b l"],
        condition: Float[Tensor, "b d"],
        shared: Float[Tensor, "b 6 d"] | None,
    ) -> Float[Tensor, "b n d"]:
        """S_i = shared + table (section 2.3), or the block's own projection of the condition."""
        own = self.modulation(condition) if shared is None else shared + self.table
        shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = rearrange(own, "b six d -> six b 1 d")
        x = x + gate * self.attention(modulate(x, shift, scale))
        x = x + self.cross(x, caption, keep)
        added: Tensor = gate_mlp * self.mlp(modulate(x, shift_mlp, scale_mlp))
        return x + added


class FinalLayer(nn.Module):
    """The last norm, modulated by time, and the projection to patches."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(config.width, config.patch**2 * config.channels * config.outputs)
        if config.modulation == "single":
            self.table = nn.Parameter(torch.randn(2, config.width) / config.width**0.5)
        else:
            self.modulation = Modulation(config.width, 2)

    def forward(self, x: Float[Tensor, "b n d"], condition: Float[Tensor, "b d"]) -> Float[Tensor, "b n p"]:
        """With a table the condition is added as it is: no SiLU, no projection."""
        own = self.table + condition[:, None] if hasattr(self, "table") else self.modulation(condition)
        shift, scale = rearrange(own, "b two d -> two b 1 d")
        patches: Tensor = self.linear(modulate(x, shift, scale))
        return patches


class Transformer(nn.Module):
    """The whole denoiser: latent, time and caption to eps (or velocity), and where learned the variance."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.patch = nn.Linear(config.channels * config.patch**2, width)
        self.time = NumberEmbed(width)
        self.caption = CaptionEmbed(config.caption_width, width)
        if config.modulation == "single":
            self.shared = Modulation(width, 6)
        if config.conditions:
            self.size, self.aspect = NumberEmbed(width // 3), NumberEmbed(width // 3)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.final = FinalLayer(config)
        self._initialise()

    def forward(
        self,
        latent: Float[Tensor, "b c h w"],
        time: Float[Tensor, "b"],
        caption: Float[Tensor, "b l f"],
        keep: Bool[Tensor, "b l"],
        size: Float[Tensor, "b 2"] | None = None,
        aspect: Float[Tensor, "b"] | None = None,
    ) -> Float[Tensor, "b c2 h w"]:
        """`time` is 0 to 1000; `size` (height, width in pixels) and `aspect` (height over width) where it knows them."""
        config = self.config
        height, width = (side // config.patch for side in latent.shape[-2:])
        places = position_table(height, width, config.width, config.position_base, config.position_scale,
                                dtype=latent.dtype)  # fmt: skip
        x = self.patch(patchify(latent, config.patch)) + places.to(latent.device)
        condition = self._condition(time, size, aspect)
        words = self.caption(caption)
        shared = self.shared(condition) if config.modulation == "single" else None
        for block in self.blocks:
            x = block(x, words, keep, condition, shared)
        return unpatchify(self.final(x, condition), config.patch, latent.shape[-2])

    def _condition(
        self, time: Float[Tensor, "b"], size: Float[Tensor, "b 2"] | None, aspect: Float[Tensor, "b"] | None
    ) -> Float[Tensor, "b d"]:
        condition: Tensor = self.time(time)
        if not self.config.conditions:
            return condition
        assert size is not None
        assert aspect is not None
        sides = rearrange(self.size(rearrange(size, "b two -> (b two)")), "(b two) e -> b (two e)", two=2)
        return condition + torch.cat([sides, self.aspect(aspect)], -1)

    @torch.no_grad()
    def _initialise(self) -> None:
        """Spec of the published training: Xavier, small embedders, zero cross-attention output, zero final layer."""
        initialise(self)
        embedders: list[nn.Module] = [self.time, self.caption]
        embedders += [self.size, self.aspect] if self.config.conditions else []
        embedders += [self.shared] if self.config.modulation == "single" else []
        for embedder in embedders:
            for part in embedder.modules():
                if isinstance(part, nn.Linear):
                    nn.init.normal_(part.weight, std=0.02)
        zeros = [block.cross.out for block in self.blocks if isinstance(block, Block)] + [self.final.linear]
        zeros += [part.linear for part in self.modules() if isinstance(part, Modulation) and part is not getattr(self, "shared", None)]
        for layer in zeros:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
