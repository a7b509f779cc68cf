"""What a network weighs and what it asks for: parameters, operations, bytes, from its settings alone.

Everything follows from one list, the network's matrices and how many vectors of a picture pass through each. Operations
are those of matrix products, a product and a sum being two. n are a picture's tokens, l its caption's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pinxit.models.config import ControlConfig, TransformerConfig

WAVES = 256  # numbers that a time or a size is told in
LATENTS = 24  # times the latent's size, of what loss and noise keep: measured
FLOAT = 4  # bytes of what is not a product


class Matrix(NamedTuple):
    """Alike linear layers; `vectors` of one picture pass through each of them.

    Nobody asks for the gradient of what goes into one that `is_first`.
    """

    outward: int
    inward: int
    vectors: int
    alike: int = 1
    is_first: bool = False

    @property
    def operations(self) -> int:
        """Of one picture, forward."""
        return 2 * self.outward * self.inward * self.vectors * self.alike


@dataclass(frozen=True)
class Network:
    """A denoiser in numbers: its matrices, what it learns besides, what attention multiplies, what training keeps."""

    matrices: Sequence[Matrix]
    vectors: int  # numbers learned that are no matrices and no biases of them
    attention: int  # operations of one picture, forward
    blocks: int
    residual: int  # numbers a picture that a block keeps for the backward pass, as exact as the weights
    product: int  # the same, as exact as products
    outside: int  # the same, of all that is not in blocks
    between: int  # numbers a picture that go from one block to the next

    @property
    def parameters(self) -> int:
        """Numbers that are learned."""
        layers = sum((each.inward + 1) * each.outward * each.alike for each in self.matrices)
        return layers + self.vectors

    @property
    def forward(self) -> int:
        """Operations of one picture, without gradients."""
        return sum(each.operations for each in self.matrices) + self.attention

    @property
    def training(self) -> int:
        """Operations of one picture, forward and backward: three times forward but for what nobody asks."""
        return 3 * self.forward - sum(each.operations for each in self.matrices if each.is_first)

    def activations(self, item: int, *, checkpointed: bool = False) -> int:
        """Bytes that one picture's forward pass keeps for the backward one, with products of `item` bytes a number.

        `checkpointed`, blocks keep what they are given alone, and one at a time is computed again.
        """
        block = FLOAT * self.residual + item * self.product
        inside = self.blocks * FLOAT * self.between + block if checkpointed else self.blocks * block
        return inside + FLOAT * self.outside


def transformer(config: TransformerConfig, n: int, l: int) -> Network:  # noqa: E741  (the alphabet of the shapes)
    """PixArt-α's denoiser, as `models/transformer.py` builds it."""
    d, depth, hidden, own = config.width, config.depth, int(config.width * config.mlp_ratio), _own(config)
    third, factor = d // 3, config.compression.factor
    squares = [n // factor**2 if place in config.compression.blocks else n for place in range(depth)]
    fewer = len(config.compression.blocks)
    each = [Matrix(third, WAVES, 2, 1, True), Matrix(third, third, 2), Matrix(third, WAVES, 1, 1, True)]
    matrices = [
        *_ends(config, n),
        *([*each, Matrix(third, third, 1)] if config.conditions else []),
        *([] if own else [Matrix(6 * d, d, 1)]),
        Matrix(d, config.caption_width, l, 1, True),
        Matrix(d, d, l),
        *_block(config, n),
        Matrix(d, d, n, 2 * depth),  # of cross-attention: query, out
        Matrix(2 * d, d, l, depth),  # key and value
    ]
    tables = {"single": 6 * depth + 2, "shared": 2, "block": 0}[config.modulation]
    compression = d * factor**2 + d + (2 * d if config.compression.norm else 0)
    return Network(
        matrices=matrices,
        vectors=tables * d + fewer * compression,
        attention=sum(4 * n * (m + l) * d for m in squares) + fewer * 4 * n * d,
        blocks=depth,
        residual=4 * n * d + 8 * d,
        product=11 * n * d + 2 * n * hidden + 2 * l * d,
        outside=_kept(config, n) + l * (config.caption_width + 3 * d),
        between=n * d,
    )


def controlled(config: TransformerConfig, control: ControlConfig, n: int, l: int) -> Network:  # noqa: E741
    """The denoiser with a control branch, whose copies are blocks like any others (`models/adapter/control.py`)."""
    d, squares, side = config.width, config.patch**2, 9 * control.stem
    base = transformer(config.model_copy(update={"depth": config.depth + control.blocks}), n, l)
    stem = [
        Matrix(control.stem, 9 * control.maps, n * squares, 1, True),
        Matrix(control.stem, side, n * squares),
    ]  # fmt: skip
    inward = control.channels + (control.stem if control.maps else 0)
    joins = [Matrix(d, squares * inward, n, 1, not control.maps), Matrix(d, d, n, 1 + control.blocks)]
    return replace(
        base,
        matrices=[*base.matrices, *(stem if control.maps else []), *joins],
        outside=base.outside + (1 + control.blocks) * n * d,
    )


def dit(config: TransformerConfig, n: int, classes: int) -> Network:
    """The class-conditional DiT of stage one, as `models/dit.py` builds it."""
    d, depth, hidden = config.width, config.depth, int(config.width * config.mlp_ratio)
    own = config.model_copy(update={"modulation": "block"})
    return Network(
        matrices=[*_ends(own, n), *_block(own, n)],
        vectors=(classes + 1) * d,
        attention=depth * 4 * n**2 * d,
        blocks=depth,
        residual=4 * n * d + 9 * d,
        product=8 * n * d + 2 * n * hidden,
        outside=_kept(config, n),
        between=n * d,
    )


def _own(config: TransformerConfig) -> bool:
    """Whether every block projects its modulation for itself."""
    return config.modulation == "block"


def _ends(config: TransformerConfig, n: int) -> list[Matrix]:
    """Patches in and out, the time."""
    d, squares = config.width, config.patch**2 * config.channels
    last = [Matrix(2 * d, d, 1)] if _own(config) else []
    return [
        Matrix(d, squares, n, 1, True),
        Matrix(d, WAVES, 1, 1, True),
        Matrix(d, d, 1),
        *last,
        Matrix(squares * config.outputs, d, n),
    ]


def _block(config: TransformerConfig, n: int) -> list[Matrix]:
    """Self-attention and MLP of every block, and its modulation where it is the block's own."""
    d, depth, hidden = config.width, config.depth, int(config.width * config.mlp_ratio)
    own = [Matrix(6 * d, d, 1, depth)] if _own(config) else []
    return [
        Matrix(3 * d, d, n, depth),
        Matrix(d, d, n, depth),
        Matrix(hidden, d, n, depth),
        Matrix(d, hidden, n, depth),
        *own,
    ]


def _kept(config: TransformerConfig, n: int) -> int:
    """Numbers that the last layer, the time and the loss keep of a picture."""
    return 3 * n * config.width + 12 * config.width + LATENTS * n * config.patch**2 * config.channels
