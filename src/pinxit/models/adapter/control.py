"""A control branch: copied blocks read a condition and add to the network (PixArt-δ, arXiv 2401.05252, section 2.3)."""

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pinxit.errors import ConfigError
from pinxit.models.config import ControlConfig, TransformerConfig
from pinxit.models.layer import PatchEmbed, Words, initialise, silence
from pinxit.models.transformer import Block, Transformer


class Control(nn.Module):
    """Copies of a network's first blocks; each adds to what the block after its original is given.

    A condition is a latent of the autoencoder, maps that a small convolutional stem reads, or both, in this order. The
    first copy is given the tokens after the network's first block plus the condition's. What goes out passes layers
    that begin at zero, so a new branch adds nothing. What comes in passes one that begins as the identity, and not at
    zero as published: copies are trained from the first step on what they are to read (`docs/log.md`).
    """

    def __init__(self, base: Transformer, config: ControlConfig) -> None:
        super().__init__()
        depth, width = base.config.depth, base.config.width
        if not config.blocks < depth:
            problem = f"the network has {depth} blocks, and each copy adds to the next one"
            raise ConfigError("blocks", config.blocks, problem, f"copy at most {depth - 1}")
        if not config.channels + config.maps:
            raise ConfigError("channels", 0, "there is neither a picture nor a map to read", "give it one of them")
        self.config = config
        self.stem = (
            nn.Sequential(
                nn.Conv2d(config.maps, config.stem, 3, padding=1),
                nn.SiLU(),
                nn.Conv2d(config.stem, config.stem, 3, padding=1),
            )
            if config.maps
            else nn.Identity()
        )
        inward = config.channels + (config.stem if config.maps else 0)
        self.embed = PatchEmbed(base.config.model_copy(update={"channels": inward}))
        self.before = nn.Linear(width, width)
        self.copies = nn.ModuleList(deepcopy(block).requires_grad_() for block in list(base.blocks)[: config.blocks])
        self.after = nn.ModuleList(nn.Linear(width, width) for _ in range(config.blocks))
        self._initialise(base)

    def tokens(self, condition: Float[Tensor, "b k h w"]) -> Float[Tensor, "b n d"]:
        """The condition as tokens, each told its place; once is enough for a sampling."""
        latent, maps = torch.split(condition, [self.config.channels, self.config.maps], 1)
        if self.config.maps:
            latent = torch.cat([latent, self.stem(maps)], 1)
        tokens: Tensor = self.embed(latent)
        return tokens

    def joins(
        self,
        start: Float[Tensor, "b n d"],
        words: Sequence[Words],
        shared: Float[Tensor, "t *parts d"],
        height: int,
        *,
        tokens: Float[Tensor, "b n d"],
    ) -> Iterator[Float[Tensor, "b n d"]]:
        """What each copy adds, one after another: see `Joins`."""
        x = start + self.before(tokens)
        for copy, after, read in zip(self.copies, self.after, words, strict=True):
            x = copy(x, read, shared, height)
            yield after(x)

    def _initialise(self, base: Transformer) -> None:
        """Latents are read as the network reads its own; what reads maps is new; what goes out is zero."""
        for part in (self.stem, self.embed):
            initialise(part)
        own = base.patch.projection
        if self.config.channels == base.config.channels:
            with torch.no_grad():
                self.embed.projection.weight[:, : self.config.channels] = own.weight
        nn.init.eye_(self.before.weight)
        nn.init.zeros_(self.before.bias)
        silence(*cast("Iterable[nn.Linear]", self.after))


class Controlled(nn.Module):
    """A network with a control branch, called as the network is but for the condition."""

    def __init__(self, base: Transformer, config: ControlConfig) -> None:
        super().__init__()
        self.base = base
        self.control = Control(base, config)

    @property
    def config(self) -> TransformerConfig:
        """The network's own."""
        return self.base.config

    def forward(  # noqa: PLR0917  (the network's inputs, in the order of a batch)
        self,
        latent: Float[Tensor, "b c h w"],
        time: Float[Tensor, "b"],
        caption: Float[Tensor, "b l f"],
        keep: Bool[Tensor, "b l"],
        condition: Float[Tensor, "b k h w"],
        size: Float[Tensor, "b 2"] | None = None,
        aspect: Float[Tensor, "b"] | None = None,
    ) -> Float[Tensor, "b c2 h w"]:
        """What the network says of the latents, their captions and their conditions."""
        tokens = self.control.tokens(condition)
        return self.denoise_each(latent, time, [self.read(caption, keep)], tokens, size, aspect)[0]

    def read(self, caption: Float[Tensor, "b l f"], keep: Bool[Tensor, "b l"]) -> list[Words]:
        """What each block and then each copy sees of the captions."""
        return self.base.read(caption, keep, cast("Iterable[Block]", self.control.copies))

    def denoise_each(  # noqa: PLR0917  (as above)
        self,
        latent: Float[Tensor, "b c h w"],
        time: Float[Tensor, "t"],
        readings: Sequence[Sequence[Words]],
        tokens: Float[Tensor, "b n d"],
        size: Float[Tensor, "b 2"] | None = None,
        aspect: Float[Tensor, "b"] | None = None,
    ) -> list[Float[Tensor, "b c2 h w"]]:
        """What the network says of the same latents, under each of several captions; `tokens` are the conditions'."""
        joins = partial(self.control.joins, tokens=tokens)
        return self.base.denoise_each(latent, time, readings, size, aspect, joins)


def proportion(depth: int) -> int:
    """How many blocks to copy of so many: 13 of 28, as published, and as large a share of others."""
    return max(1, min(depth - 1, round(13 / 28 * depth)))
