"""PixArt-α and -Σ in the layout of their original repositories, which ComfyUI reads too."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from pinxit.errors import CheckpointError
from pinxit.interop.keys import Table, look_of, to_ours, to_theirs
from pinxit.interop.weights import Weights, shapes_of
from pinxit.models.config import CompressionConfig, TransformerConfig
from pinxit.models.layer import position_table
from pinxit.models.null import NullCondition

HEAD_WIDTH = 72  # of the published networks; a file does not tell it
SCALES = (0.5, 1.0, 2.0, 4.0)  # of positions in the published networks
SIGMA_LENGTH = 300  # caption tokens of Σ; α has 120
PLACES, NULL = "pos_embed", "y_embedder.y_embedding"

TABLE: Table = {
    "patch.projection": ("x_embedder.proj",),
    "time.first": ("t_embedder.mlp.0",),
    "time.second": ("t_embedder.mlp.2",),
    "size.first": ("csize_embedder.mlp.0",),
    "size.second": ("csize_embedder.mlp.2",),
    "aspect.first": ("ar_embedder.mlp.0",),
    "aspect.second": ("ar_embedder.mlp.2",),
    "shared.linear": ("t_block.1",),
    "caption.first": ("y_embedder.y_proj.fc1",),
    "caption.second": ("y_embedder.y_proj.fc2",),
    "blocks.{}.modulation.table": ("blocks.{}.scale_shift_table",),
    "blocks.{}.attention.qkv": ("blocks.{}.attn.qkv",),
    "blocks.{}.attention.out": ("blocks.{}.attn.proj",),
    "blocks.{}.attention.compress.reduce": ("blocks.{}.attn.sr",),
    "blocks.{}.attention.compress.norm": ("blocks.{}.attn.norm",),
    "blocks.{}.cross.query": ("blocks.{}.cross_attn.q_linear",),
    "blocks.{}.cross.key_value": ("blocks.{}.cross_attn.kv_linear",),
    "blocks.{}.cross.out": ("blocks.{}.cross_attn.proj",),
    "blocks.{}.mlp.first": ("blocks.{}.mlp.fc1",),
    "blocks.{}.mlp.second": ("blocks.{}.mlp.fc2",),
    "final.modulation.table": ("final_layer.scale_shift_table",),
    "final.linear": ("final_layer.linear",),
}


def read_pixart(
    tensors: Mapping[str, Tensor], place: Path, *, heads: int | None = None, resolution: int | None = None
) -> Weights:
    """The weights of a checkpoint; `heads`, and `resolution` in pixels, where the file does not tell and it is no
    published size. The null condition is the file's own: fixed states under the caption's mask.
    """
    config = infer(tensors, place, heads=heads, resolution=resolution)
    ours = to_ours(tensors, TABLE, shapes_of(config), place, idle=(PLACES, NULL))
    null = NullCondition("fixed", tensors[NULL]) if NULL in tensors else None
    return Weights(config, ours, null, "PixArt-Σ" if _is_sigma(tensors) else "PixArt-α")


def write_pixart(weights: Weights, null: NullCondition | None, length: int) -> dict[str, Tensor]:
    """The weights in the original layout, with the position table that it stores and, where they are known, null states
    of `length` tokens.

    The original gives the null condition as many tokens as the caption has; an empty text's states are repeated, so
    that it reads the same of one token as of many.
    """
    config = weights.config
    if config.modulation != "single":
        raise CheckpointError(weights.made, "its blocks project for themselves", "the layout has adaLN-single alone")
    side = config.position_base
    places = position_table(side, side, config.width, config.position_base, config.position_scale)
    first = next(iter(weights.tensors.values()))
    written = {PLACES: places[None].to(first.dtype), **to_theirs(weights.tensors, TABLE)}
    if null is not None:
        states = null.states.repeat(-(-length // len(null.states)), 1)[:length]
        written[NULL] = states.to(first.dtype) if null.kind == "empty" else states
    return written


def infer(
    tensors: Mapping[str, Tensor], place: Path, *, heads: int | None = None, resolution: int | None = None
) -> TransformerConfig:
    """The network's sizes from its tensors' shapes, and its positions from the table that is stored with them."""
    try:
        projection, caption = tensors["x_embedder.proj.weight"], tensors["y_embedder.y_proj.fc1.weight"]
        hidden, last = tensors["blocks.0.mlp.fc1.weight"], tensors["final_layer.linear.weight"]
    except KeyError as error:
        problem = f"it has no {error.args[0]}; it looks like {look_of(tensors)}"
        raise CheckpointError(place, problem, "name a checkpoint of PixArt") from error
    width, channels, patch, _ = projection.shape
    base, scale = _positions(tensors, place, resolution, patch)
    return TransformerConfig(
        depth=1 + max(int(found[1]) for key in tensors if (found := re.match(r"blocks\.(\d+)\.", key))),
        width=width,
        heads=heads or count_heads(width, place),
        patch=patch,
        mlp_ratio=hidden.shape[0] / width,
        channels=channels,
        outputs=last.shape[0] // (patch**2 * channels),
        caption_width=caption.shape[1],
        conditions="ar_embedder.mlp.0.weight" in tensors,
        position_base=base,
        position_scale=scale,
        compression=_compression(tensors),
    )


def count_heads(width: int, place: Path) -> int:
    """As many heads of the published width as the network is wide."""
    if width % HEAD_WIDTH:
        problem = f"its width {width} is no multiple of {HEAD_WIDTH}, the published heads' width, and it tells no heads"
        raise CheckpointError(place, problem, "say how many: --heads")
    return width // HEAD_WIDTH


def _is_sigma(tensors: Mapping[str, Tensor]) -> bool:
    return NULL in tensors and len(tensors[NULL]) == SIGMA_LENGTH


def _positions(tensors: Mapping[str, Tensor], place: Path, resolution: int | None, patch: int) -> tuple[int, float]:
    """Tokens on the nominal square's side, and the scale of positions."""
    if PLACES in tensors:
        return match_places(tensors[PLACES][0], place)
    if resolution is None:
        raise CheckpointError(place, f"it holds no {PLACES}, so its resolution is unknown", "say it: --resolution")
    scale = resolution / 512
    return resolution // (8 * patch), scale if _is_sigma(tensors) else max(1.0, scale)


def match_places(stored: Float[Tensor, "n d"], place: Path) -> tuple[int, float]:
    """The side and the scale whose table is the stored one, to half precision."""
    side = round(len(stored) ** 0.5)
    if side**2 == len(stored):
        for scale in SCALES:
            table = position_table(side, side, stored.shape[1], side, scale)
            if torch.allclose(stored.double(), table, rtol=0, atol=2e-3):
                return side, scale
    problem = f"its {PLACES} {list(stored.shape)} is none of the published tables (scales {SCALES})"
    raise CheckpointError(place, problem, f"drop {PLACES} from the file and say --resolution")


def _compression(tensors: Mapping[str, Tensor]) -> CompressionConfig:
    blocks = sorted(
        int(found[1]) for key in tensors if (found := re.fullmatch(r"blocks\.(\d+)\.attn\.sr\.weight", key))
    )
    if not blocks:
        return CompressionConfig()
    factor = tensors[f"blocks.{blocks[0]}.attn.sr.weight"].shape[-1]
    return CompressionConfig(
        factor=factor, blocks=tuple(blocks), norm=f"blocks.{blocks[0]}.attn.norm.weight" in tensors
    )
