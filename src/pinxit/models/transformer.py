"""PixArt-α's denoiser, top to bottom: blocks with adaLN-single and cross-attention (Chen et al. 2023)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pinxit.errors import ConfigError
from pinxit.models.config import TransformerConfig
from pinxit.models.layer import (
    Compression,
    CrossAttention,
    FinalLayer,
    Mlp,
    Modulation,
    NumberEmbed,
    PatchEmbed,
    SelfAttention,
    Table,
    Words,
    adapt,
    initialise,
    silence,
    soften,
    unpatchify,
)


def _modulation(config: TransformerConfig, parts: int) -> Modulation | Table:
    kind = Modulation if config.modulation == "block" else Table
    return kind(config.width, parts)


class Block(nn.Module):
    """Self-attention and MLP, both modulated and gated; between them the caption is read, with neither."""

    def __init__(self, config: TransformerConfig, place: int) -> None:
        super().__init__()
        compression = config.compression if place in config.compression.blocks else None
        self.modulation = nn.Identity() if config.modulation == "shared" else _modulation(config, 6)
        self.attention = SelfAttention(config.width, config.heads, compression)
        self.cross = CrossAttention(config.width, config.heads)
        self.mlp = Mlp(config.width, int(config.width * config.mlp_ratio), config.width)

    def forward(
        self, x: Float[Tensor, "b n d"], words: Words, shared: Float[Tensor, "t *parts d"], height: int
    ) -> Float[Tensor, "b n d"]:
        """`shared` is the modulation that all blocks have in common, or the condition where each projects its own;
        `height` is that of the tokens' grid.
        """
        given = self.modulation(shared)
        return self.listen(self.look(x, given, height), words, given)

    def look(self, x: Float[Tensor, "b n d"], given: Float[Tensor, "t 6 d"], height: int) -> Float[Tensor, "b n d"]:
        """The first part, which no caption changes: image tokens have read each other."""
        return adapt(x, partial(self.attention, height=height), given[:, :3])

    def listen(self, x: Float[Tensor, "b n d"], words: Words, given: Float[Tensor, "t 6 d"]) -> Float[Tensor, "b n d"]:
        """The second part: they have read the caption."""
        return adapt(x + self.cross(x, words), self.mlp, given[:, 3:])


Joins = Callable[
    [Float[Tensor, "b n d"], Sequence[Words], Float[Tensor, "t *parts d"], int], Iterator[Float[Tensor, "b n d"]]
]
"""What is added to the tokens before each of the blocks after the first, made from what the first one gives, from the
words read for whoever makes it, the shared modulation and the height of the tokens' grid."""


class Transformer(nn.Module):
    """The whole denoiser: latent, time and caption to eps or velocity and, where learned, the variance."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.patch = PatchEmbed(config)
        self.time = NumberEmbed(config.width)
        if config.conditions:
            self.size, self.aspect = NumberEmbed(config.width // 3), NumberEmbed(config.width // 3)
        self.shared = nn.Identity() if config.modulation == "block" else Modulation(config.width, 6)
        self.caption = Mlp(config.caption_width, config.width, config.width)
        self.blocks = nn.ModuleList(Block(config, place) for place in range(config.depth))
        self.final = FinalLayer(config, _modulation(config, 2))
        self._initialise()

    def forward(  # noqa: PLR0917  (the network's inputs, in the order of a batch)
        self,
        latent: Float[Tensor, "b c h w"],
        time: Float[Tensor, "b"],
        caption: Float[Tensor, "b l f"],
        keep: Bool[Tensor, "b l"],
        size: Float[Tensor, "b 2"] | None = None,
        aspect: Float[Tensor, "b"] | None = None,
    ) -> Float[Tensor, "b c2 h w"]:
        """Reads the caption, then denoises: see `read` and `denoise`."""
        return self.denoise(latent, time, self.read(caption, keep), size, aspect)

    def read(
        self, caption: Float[Tensor, "b l f"], keep: Bool[Tensor, "b l"], also: Iterable[Block] = ()
    ) -> list[Words]:
        """What each block sees of the captions' real tokens, those that `keep` marks; once is enough for a sampling.

        Blocks that are not the network's own, given as `also`, come last. A processor works on the real tokens alone; a
        GPU on all, since it would have to wait for their number.
        """
        packed = caption.device.type == "cpu"
        tokens = self.caption(caption[keep] if packed else caption)
        return [block.cross.read(tokens, keep) for block in (*cast("Iterable[Block]", self.blocks), *also)]

    def denoise(
        self,
        latent: Float[Tensor, "b c h w"],
        time: Float[Tensor, "t"],
        words: Sequence[Words],
        size: Float[Tensor, "b 2"] | None = None,
        aspect: Float[Tensor, "b"] | None = None,
    ) -> Float[Tensor, "b c2 h w"]:
        """What the network says of captions already read: see `denoise_each`."""
        return self.denoise_each(latent, time, [words], size, aspect)[0]

    def denoise_each(  # noqa: PLR0917  (as above, and what is added to them)
        self,
        latent: Float[Tensor, "b c h w"],
        time: Float[Tensor, "t"],
        readings: Sequence[Sequence[Words]],
        size: Float[Tensor, "b 2"] | None = None,
        aspect: Float[Tensor, "b"] | None = None,
        joins: Joins | None = None,
    ) -> list[Float[Tensor, "b c2 h w"]]:
        """What the network says of the same latents under each of several captions; work before reading is shared.

        `time` is 0 to 1000, one for each picture or one for all. A network with conditions is also told `size`, the
        original height and width in pixels, and `aspect`, height over width; `ConfigError` is raised where it is not,
        or where one without conditions is. `joins` are what a control branch adds, from the readings' last words.
        """
        condition = self._condition(time, size, aspect)
        shared = self.shared(condition)
        height = latent.shape[-2] // self.config.patch
        first, *later = cast("Iterable[Block]", self.blocks)
        tokens = self.patch(latent)
        if len(readings) == 1:
            starts = [first(tokens, readings[0][0], shared, height)]
        else:
            given = first.modulation(shared)
            seen = first.look(tokens, given, height)
            starts = [first.listen(seen, words[0], given) for words in readings]
        outputs = []
        for start, words in zip(starts, readings, strict=True):
            x, depth = start, len(later) + 1
            added = iter(()) if joins is None else joins(start, words[depth:], shared, height)
            for block, read in zip(later, words[1:depth], strict=True):
                more = next(added, None)
                x = block(x if more is None else x + more, read, shared, height)
            outputs.append(unpatchify(self.final(x, condition), self.config.patch, latent.shape[-2]))
        return outputs

    def _condition(
        self, time: Float[Tensor, "t"], size: Float[Tensor, "b 2"] | None, aspect: Float[Tensor, "b"] | None
    ) -> Float[Tensor, "t2 d"]:
        knows = self.config.conditions
        if (size is not None, aspect is not None) != (knows, knows):
            problem = "size and aspect go together, to a network built with conditions and to no other"
            raise ConfigError("conditions", knows, problem, f"give it {'both' if knows else 'neither'}")
        embedded: Tensor = self.time(time)
        if size is None or aspect is None:
            return embedded
        height, width = size.unbind(-1)
        return embedded + torch.cat([self.size(height), self.size(width), self.aspect(aspect)], -1)

    def _initialise(self) -> None:
        """A new network gives zero, and its blocks do not read: cross-attention and the final layer end in zeros."""
        initialise(self)
        for part in self.modules():
            if isinstance(part, Compression):
                part.start()
        silence(self.final.linear, *(part.out for part in self.modules() if isinstance(part, CrossAttention)))
        silence(*(part.linear for part in self.modules() if isinstance(part, Modulation)))
        soften(
            self.config.width, self.time, self.caption, self.shared
        )  # the shared modulation alone does not begin at zero
        if self.config.conditions:
            soften(self.config.width, self.size, self.aspect)
