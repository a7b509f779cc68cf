"""The pieces of the networks: embedders of patches, numbers and captions; attention; the MLP; modulation."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from pinxit.errors import ConfigError
from pinxit.models.config import CompressionConfig, TransformerConfig

PUBLISHED_WIDTH = 1152  # of DiT-XL and PixArt-α
WAVES = 128  # in the sinusoid of a time or a size; each gives a cosine and a sine


def position_table(
    height: int, width: int, d: int, base: int, scale: float, *, device: torch.device | None = None
) -> Float[Tensor, "n d"]:
    """Fixed sines and cosines of a grid's tokens, row by row: half of the channels tell the column, half the row.

    Each axis is stretched to [0, base / scale), whatever the grid (PixArt-α, after MAE). As in the published networks
    coordinates are rounded to float32 and their sines are taken in float64.
    """
    omega = 10000 ** -(torch.arange(d // 4, dtype=torch.float64, device=device) / (d / 4))

    def axis(count: int) -> Float[Tensor, "count e"]:
        place = torch.arange(count, dtype=torch.float32, device=device) / (count / base) / scale
        angle = torch.outer(place.double(), omega)
        return torch.cat([angle.sin(), angle.cos()], -1)

    across = axis(width).expand(height, -1, -1)
    down = rearrange(axis(height), "h e -> h 1 e").expand(-1, width, -1)
    return rearrange(torch.cat([across, down], -1), "h w d -> (h w) d")


def frequencies(device: torch.device | None = None) -> Float[Tensor, "waves"]:
    """From 1 down to nearly 1/10000, in float32 as published; their last bit is the processor's exp."""
    return torch.exp(-math.log(10000) * torch.arange(WAVES, dtype=torch.float32, device=device) / WAVES)


def sinusoid(value: Float[Tensor, "b"]) -> Float[Tensor, "b e"]:
    """Cosines, then sines, of a number at all frequencies, in float32 as published."""
    angle = torch.outer(value.float(), frequencies(value.device))
    return torch.cat([angle.cos(), angle.sin()], -1)


class PatchEmbed(nn.Module):
    """Squares of a latent as tokens, each told its place; the places follow the latent's shape and are never stored."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.projection = nn.Conv2d(config.channels, config.width, config.patch, stride=config.patch)

    def forward(self, latent: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n d"]:
        """Tokens, row by row; raises `ConfigError` where a side is no multiple of the patch."""
        config, sides = self.config, tuple(latent.shape[-2:])
        if any(side % config.patch for side in sides):
            remedy = "draw pictures whose sides are multiples of it"
            raise ConfigError(
                "latent", sides, f"height and width must be multiples of the patch, {config.patch}", remedy
            )
        height, width = (side // config.patch for side in sides)
        places = position_table(
            height, width, config.width, config.position_base, config.position_scale, device=latent.device
        )
        tokens: Tensor = rearrange(self.projection(latent), "b d h w -> b (h w) d")
        return tokens.contiguous() + places.to(latent.dtype)  # or every later layer would copy what it adds to


def unpatchify(tokens: Float[Tensor, "b n p"], patch: int, height: int) -> Float[Tensor, "b c h w"]:
    """The latent of `height`; a token's channels run over its square row by row, latent channels fastest (DiT)."""
    return rearrange(tokens, "b (h w) (p q c) -> b c (h p) (w q)", p=patch, q=patch, h=height // patch)


class NumberEmbed(nn.Module):
    """A number as a vector: sinusoid, then two layers with SiLU; for times, heights, widths and aspect ratios."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(2 * WAVES, width)
        self.second = nn.Linear(width, width)

    def forward(self, value: Float[Tensor, "b"]) -> Float[Tensor, "b d"]:
        """Every number on its own."""
        waves = sinusoid(value).to(self.first.weight.dtype)
        embedded: Tensor = self.second(F.silu(self.first(waves)))
        return embedded


def gelu(x: Float[Tensor, "*tokens d"]) -> Float[Tensor, "*tokens d"]:
    """GELU in its tanh form, which is x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)).

    Written so, and in place, it takes a processor half the time of the framework's own where no gradient is asked for.
    """
    if x.requires_grad or x.device.type != "cpu":
        return F.gelu(x, approximate="tanh")
    twice = 2 * math.sqrt(2 / math.pi)
    gate: Tensor = torch.addcmul(x.new_tensor(twice), x, x, value=twice * 0.044715).mul_(x).sigmoid_()
    return gate.mul_(x)


class Mlp(nn.Module):
    """Two layers with GELU, in its tanh form, between them."""

    def __init__(self, inward: int, hidden: int, outward: int) -> None:
        super().__init__()
        self.first = nn.Linear(inward, hidden)
        self.second = nn.Linear(hidden, outward)

    def forward(self, x: Float[Tensor, "*tokens inward"]) -> Float[Tensor, "*tokens outward"]:
        """Every token on its own."""
        mixed: Tensor = self.second(gelu(self.first(x)))
        return mixed


class Compression(nn.Module):
    """One vector for each square of tokens: a weighted mean, channel by channel, and a norm (PixArt-Σ, section 3.3)."""

    def __init__(self, width: int, config: CompressionConfig) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(width, width, config.factor, stride=config.factor, groups=width)
        self.norm = nn.LayerNorm(width) if config.norm else nn.Identity()
        self.start()

    def start(self) -> None:
        """It takes the plain mean."""
        nn.init.constant_(self.reduce.weight, 1 / self.reduce.weight[0].numel())
        assert self.reduce.bias is not None
        nn.init.zeros_(self.reduce.bias)

    def forward(self, x: Float[Tensor, "b n d"], height: int) -> Float[Tensor, "b m d"]:
        """Row by row; of a grid that the squares do not fill, the last row or column is left out, as published."""
        reduced = self.reduce(rearrange(x, "b (h w) d -> b d h w", h=height))
        vectors: Tensor = self.norm(rearrange(reduced, "b d h w -> b (h w) d"))
        return vectors


class SelfAttention(nn.Module):
    """Image tokens read each other, or squares of each other."""

    def __init__(self, width: int, heads: int, compression: CompressionConfig | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.compress = None if compression is None else Compression(width, compression)

    def forward(self, x: Float[Tensor, "b n d"], height: int = 1) -> Float[Tensor, "b n d"]:
        """What every token of a grid of that height reads."""
        query, key, value = self.qkv(x).chunk(3, -1)
        if self.compress is not None:
            key, value = self.compress(key, height), self.compress(value, height)
        query, key, value = (
            rearrange(part, "b n (head e) -> b head n e", head=self.heads) for part in (query, key, value)
        )
        mixed = F.scaled_dot_product_attention(query, key, value)
        read: Tensor = self.out(rearrange(mixed, "b head n e -> b n (head e)"))
        return read


class Words(NamedTuple):
    """A caption as one block's cross-attention sees it; the same at every step of sampling."""

    key: Float[Tensor, "b head l e"]
    value: Float[Tensor, "b head l e"]
    seen: Bool[Tensor, "b l"] | None  # where there is a token; None: everywhere


class CrossAttention(nn.Module):
    """Image tokens read the caption; tokens where `keep` is false are never seen."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def read(self, tokens: Float[Tensor, "*real d"], keep: Bool[Tensor, "b l"]) -> Words:
        """Keys and values of the real tokens, those that `keep` marks: `tokens` are these alone, in its order, or all.
        Those of other tokens are zero.

        From a caption without any real token the image reads zero, not NaN.
        """
        told = self.key_value(tokens)
        seen: Tensor | None = keep | ~keep.any(-1, keepdim=True)  # a softmax needs one token at least
        if told.ndim == 3:
            whole = told * rearrange(keep, "b l -> b l 1")
        elif keep.numel() and keep.all():
            whole, seen = rearrange(told, "(b l) d -> b l d", b=len(keep)), None
        else:
            whole = told.new_zeros(*keep.shape, told.shape[-1])
            whole[keep] = told
        key, value = (rearrange(part, "b l (head e) -> b head l e", head=self.heads) for part in whole.chunk(2, -1))
        return Words(key, value, seen)

    def forward(self, image: Float[Tensor, "b n d"], words: Words) -> Float[Tensor, "b n d"]:
        """What every image token reads; of a caption of one token, all of it, whatever the query."""
        if words.key.shape[2] == 1:
            alone: Tensor = self.out(rearrange(words.value, "b head 1 e -> b 1 (head e)"))
            return alone.expand_as(image)
        query = rearrange(self.query(image), "b n (head e) -> b head n e", head=self.heads)
        seen = None if words.seen is None else rearrange(words.seen, "b l -> b 1 1 l")
        mixed = F.scaled_dot_product_attention(query, words.key, words.value, attn_mask=seen)
        read: Tensor = self.out(rearrange(mixed, "b head n e -> b n (head e)"))
        return read


class Modulation(nn.Module):
    """`parts` vectors projected from a condition; DiT has one projection in every block (Peebles and Xie 2023)."""

    def __init__(self, width: int, parts: int) -> None:
        super().__init__()
        self.parts = parts
        self.linear = nn.Linear(width, parts * width)

    def forward(self, condition: Float[Tensor, "b d"]) -> Float[Tensor, "b parts d"]:
        """Shift, scale and, in a block, gate."""
        projected: Tensor = rearrange(self.linear(F.silu(condition)), "b (parts d) -> b parts d", parts=self.parts)
        return projected


class Table(nn.Module):
    """`parts` learned vectors, added to what all blocks share: adaLN-single (PixArt-α, section 2.3)."""

    def __init__(self, width: int, parts: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(parts, width) / width**0.5)

    def forward(self, shared: Float[Tensor, "b *parts d"]) -> Float[Tensor, "b parts d"]:
        """Shift, scale and, in a block, gate; a single shared vector is added to each of them."""
        moved: Tensor = self.table + rearrange(shared, "b ... d -> b (...) d")
        return moved


def modulate(
    x: Float[Tensor, "b n d"], shift: Float[Tensor, "t 1 d"], scale: Float[Tensor, "t 1 d"]
) -> Float[Tensor, "b n d"]:
    """LN(x) (1 + scale) + shift, where the norm has eps 1e-6, and no weights but these, if all pictures share them."""
    if len(shift) == 1:
        scale, shift = scale.to(x.dtype), shift.to(x.dtype)  # coarser where a product just made them
        return F.layer_norm(x, x.shape[-1:], 1 + scale[0, 0], shift[0, 0], 1e-6)
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), 1 + scale)


def adapt(
    x: Float[Tensor, "b n d"], layer: Callable[[Tensor], Tensor], given: Float[Tensor, "t 3 d"]
) -> Float[Tensor, "b n d"]:
    """One residual step of DiT and PixArt-α: x + gate layer(LN(x) (1 + scale) + shift)."""
    shift, scale, gate = rearrange(given, "t three d -> three t 1 d")
    return torch.addcmul(x, gate, layer(modulate(x, shift, scale)))


class FinalLayer(nn.Module):
    """The last norm, modulated, and the projection to patches of the output."""

    def __init__(self, config: TransformerConfig, modulation: Modulation | Table) -> None:
        super().__init__()
        self.modulation = modulation
        self.linear = nn.Linear(config.width, config.patch**2 * config.channels * config.outputs)

    def forward(self, x: Float[Tensor, "b n d"], condition: Float[Tensor, "t d"]) -> Float[Tensor, "b n p"]:
        """A table takes the condition as it is, without SiLU or projection."""
        shift, scale = rearrange(self.modulation(condition), "t two d -> two t 1 d")
        patches: Tensor = self.linear(modulate(x, shift, scale))
        return patches


def initialise(network: nn.Module) -> None:
    """Linear layers and patches are Xavier-uniform with zero bias: where DiT and PixArt-α both start from."""
    for part in network.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(part.weight.detach().flatten(1))
            assert part.bias is not None
            nn.init.zeros_(part.bias)


def soften(width: int, *parts: nn.Module) -> None:
    """The weights of linear layers inside `parts` are normal with deviation 0.02 at the published width.

    Narrower networks get more, so that what comes out is as large: captions that begin too faint are learned late.
    """
    for layer in (inside for part in parts for inside in part.modules() if isinstance(inside, nn.Linear)):
        nn.init.normal_(layer.weight, std=0.02 * math.sqrt(PUBLISHED_WIDTH / width))


def silence(*layers: nn.Linear) -> None:
    """The layers give zero until they have learned."""
    for layer in layers:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
