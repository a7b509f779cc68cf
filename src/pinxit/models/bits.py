"""Weights of linear layers in 8 or 4 bits, through torchao: to draw with little memory, never to train."""

from collections.abc import Mapping
from math import gcd
from typing import Literal

from torch import nn

from pinxit.models.config import Memory
from pinxit.models.noise import hushed
from pinxit.models.package import require

Bits = Literal[8, 4]

T5_BITS: Mapping[Memory, Bits] = {"8bit": 8, "4bit": 4}
NETWORK_BITS: Mapping[Memory, Bits] = {"8bit": 8, "4bit": 8}  # 4 move what it says by 15 %, 8 by 1 %: docs/interop.md

GROUP = 64  # numbers of NF4 that share a scale
SCALES = 256  # scales, at most, that share one of their own


def require_torchao() -> None:
    """Raises MissingExtra where torchao is not installed."""
    require("torchao", "keeping weights in 8 or 4 bits", "torchao>=0.18,<0.19")


def shrink(layer: nn.Linear, bits: Bits) -> None:
    """The layer's weight, in float32, is kept in int8 with a scale a row, or in NF4 (Dettmers et al. 2023, section 3).

    It is worked out again whenever the layer is used. A weight whose numbers are no multiple of 64 is kept in int8.
    Raises MissingExtra without torchao.
    """
    require_torchao()
    with hushed():
        from torchao.quantization import Int8WeightOnlyConfig, quantize_, to_nf4

    numbers = layer.weight.numel()
    if bits == 4 and numbers % GROUP == 0:
        packed = to_nf4(layer.weight.detach(), GROUP, gcd(numbers // GROUP, SCALES))
        layer.weight = nn.Parameter(packed, requires_grad=False)
    else:
        quantize_(layer, Int8WeightOnlyConfig(set_inductor_config=False))


def size_of(rows: int, columns: int, bits: Bits) -> int:
    """Bytes that the weight of a layer takes so, its scales included."""
    numbers = rows * columns
    if bits == 8 or numbers % GROUP:
        return numbers + 5 * rows  # a scale in float32 and a zero of one byte
    groups = numbers // GROUP
    return numbers // 2 + groups + 4 * (groups // gcd(groups, SCALES))
