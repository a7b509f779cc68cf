"""The pieces of the networks: embedders of patches, time, size and captions; attention; the MLP; modulation."""

import math

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

FREQUENCIES = 256  # width of the sinusoid of a time or a size


def gelu_tanh(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """GELU by its tanh form, written as x sigmoid(2 u): the same function, several times faster on a CPU."""
    return x * torch.sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


def normalise(x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
    """Layer norm without weights, eps 1e-6."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


def modulate(
    x: Float[Tensor, "b n d"], shift: Float[Tensor, "b 1 d"], scale: Float[Tensor, "b 1 d"]
) -> Float[Tensor, "b n d"]:
    """x (1 + scale) + shift, after the norm."""
    return torch.addcmul(shift, normalise(x), 1 + scale)


def position_table(
    height: int, width: int, d: int, base: int, scale: float, *, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "n d"]:
    """Fixed sine-cosine table of a grid: the first half of the channels tells the column, the second the row.

    Each axis is stretched to [0, base / scale), whatever the grid (PixArt-α, after MAE). Coordinates are rounded to
    float32, sines are taken in float64, as the published networks do.
    """
    omega = 1 / 10000 ** (torch.arange(d // 4, dtype=torch.float64) / (d / 4))

    def axis(count: int) -> Float[Tensor, "count e"]:
        place = torch.arange(count, dtype=torch.float32) / (count / base) / scale
        angle = place.double()[:, None] * omega
        return torch.cat([angle.sin(), angle.cos()], -1)

    across = axis(width).expand(height, -1, -1)
    down = axis(height)[:, None].expand(-1, width, -1)
    return rearrange(torch.cat([across, down], -1), "h w d -> (h w) d").to(dtype)


def sinusoid(value: Float[Tensor, "b"]) -> Float[Tensor, "b e"]:
    """Cosines, then sines, of a number at 128 frequencies, in float32 (Vaswani et al. 2017)."""
    half = FREQUENCIES // 2
    frequency = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32, device=value.device) / half)
    angle = value.float()[:, None] * frequency
    return torch.cat([angle.cos(), angle.sin()], -1)


class NumberEmbed(nn.Module):
    """A number as a vector: sinusoid, then two layers with SiLU; for times, heights, widths and aspect ratios."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(FREQUENCIES, width)
        self.second = nn.Linear(width, width)

    def forward(self, value: Float[Tensor, "b"]) -> Float[Tensor, "b d"]:
        """The vector of each number."""
        embedded: Tensor = self.second(F.silu(self.first(sinusoid(value).to(self.first.weight.dtype))))
        return embedded


class CaptionEmbed(nn.Module):
    """Caption features in the width of the model: two layers with GELU."""

    def __init__(self, caption_width: int, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(caption_width, width)
        self.second = nn.Linear(width, width)

    def forward(self, caption: Float[Tensor, "b l f"]) -> Float[Tensor, "b l d"]:
        """The caption's tokens, token by token."""
        embedded: Tensor = self.second(gelu_tanh(self.first(caption)))
        return embedded


class Mlp(nn.Module):
    """Two layers with GELU between them."""

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        self.first = nn.Linear(width, int(width * ratio))
        self.second = nn.Linear(int(width * ratio), width)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Every token on its own."""
        mixed: Tensor = self.second(gelu_tanh(self.first(x)))
        return mixed


class SelfAttention(nn.Module):
    """Image tokens read each other."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Every token with what it read."""
        query, key, value = rearrange(self.qkv(x), "b n (three head e) -> three b head n e", three=3, head=self.heads)
        mixed = F.scaled_dot_product_attention(query, key, value)
        read: Tensor = self.out(rearrange(mixed, "b head n e -> b n (head e)"))
        return read


class CrossAttention(nn.Module):
    """Image tokens read the caption; tokens where `keep` is false are never seen, and of an empty caption nothing is."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self, image: Float[Tensor, "b n d"], caption: Float[Tensor, "b l d"], keep: Bool[Tensor, "b l"]
    ) -> Float[Tensor, "b n d"]:
        """What every image token reads in its caption."""
        query = rearrange(self.query(image), "b n (head e) -> b head n e", head=self.heads)
        key, value = rearrange(self.key_value(caption), "b l (two head e) -> two b head l e", two=2, head=self.heads)
        seen = rearrange(keep, "b l -> b 1 1 l")
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        mixed = torch.where(seen.any(-1, keepdim=True), mixed, 0.0)  # no token at all: a softmax over nothing
        read: Tensor = self.out(rearrange(mixed, "b head n e -> b n (head e)"))
        return read


class Modulation(nn.Module):
    """DiT's own: from the condition to `parts` vectors, one projection a block (Peebles and Xie 2023, adaLN-zero)."""

    def __init__(self, width: int, parts: int) -> None:
        super().__init__()
        self.parts = parts
        self.linear = nn.Linear(width, parts * width)

    def forward(self, condition: Float[Tensor, "b d"]) -> Float[Tensor, "b parts d"]:
        """Shifts, scales and gates."""
        return rearrange(self.linear(F.silu(condition)), "b (parts d) -> b parts d", parts=self.parts)


def patchify(latent: Float[Tensor, "b c h w"], patch: int) -> Float[Tensor, "b n p"]:
    """Squares of the latent as rows: channel first, then row and column inside the square."""
    return rearrange(latent, "b c (h p) (w q) -> b (h w) (c p q)", p=patch, q=patch)


def unpatchify(tokens: Float[Tensor, "b n p"], patch: int, height: int) -> Float[Tensor, "b c h w"]:
    """The latent from rows whose last axis is row and column inside the square, then channel, as DiT writes it."""
    return rearrange(
        tokens, "b (h w) (p q c) -> b c (h p) (w q)", p=patch, q=patch, h=height // patch
    )


def initialise(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases in every linear layer (spec of PixArt-α and DiT)."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            nn.init.zeros_(part.bias)
