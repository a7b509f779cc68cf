"""PixArt-α and -Σ in the layout of their original repositories, which ComfyUI reads too."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from pinxit.errors import CheckpointError
from pinxit.interop.keys import Table, look_of, to_ours, to_theirs
from pinxit.interop.weights import Weights, count_blocks, shapes_of, sizes_of
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
    tensors: Mapping[str, Tensor],
    place: Path,
    *,
    heads: int | None = None,
    resolution: int | None = None,
    length: int | None = None,
) -> Weights:
    """The weights of a checkpoint. What the file does not tell must be said: `heads` that are not of the published
    width, the `resolution` in pixels without a position table, Σ's `length` of captions without null states.

    The null condition is the file's own: fixed states under the caption's mask.
    """
    is_sigma = (_null_of(tensors).shape[0] if NULL in tensors else length) == SIGMA_LENGTH
    config = infer(tensors, place, heads=heads, resolution=resolution, is_sigma=is_sigma)
    ours = to_ours(tensors, TABLE, shapes_of(config), place, idle=(PLACES, NULL))
    null = NullCondition("fixed", _null_of(tensors)) if NULL in tensors else None
    return Weights(config, ours, null, "PixArt-Σ" if is_sigma else "PixArt-α")


def write_pixart(weights: Weights, null: NullCondition | None, length: int) -> dict[str, Tensor]:
    """The weights in the original layout, with the position table that it stores and null states, if they are known.

    The original gives the null condition as many tokens as the caption has. The weights' own states are written as they
    are; those of an empty text, one token where it is a T5's, are repeated to `length`: any number is read alike.
    """
    config = weights.config
    if config.modulation != "single":
        raise CheckpointError(weights.made, "its blocks project for themselves", "the layout has adaLN-single alone")
    side = config.position_base
    places = position_table(side, side, config.width, config.position_base, config.position_scale)
    first = next(iter(weights.tensors.values()))
    written = {PLACES: places[None].to(first.dtype), **to_theirs(weights.tensors, TABLE)}
    if null is not None and null.kind == "empty":
        written[NULL] = null.states.repeat(-(-length // len(null.states)), 1)[:length].to(first.dtype)
    elif null is not None:
        written[NULL] = null.states.contiguous()
    return written


def infer(
    tensors: Mapping[str, Tensor],
    place: Path,
    *,
    heads: int | None = None,
    resolution: int | None = None,
    is_sigma: bool = False,
) -> TransformerConfig:
    """The network's sizes from its tensors' shapes, and its positions from the table that is stored with them."""
    wanted = {"x_embedder.proj.weight": 4, "y_embedder.y_proj.fc1.weight": 2, "blocks.0.mlp.fc1.weight": 2,
              "final_layer.linear.weight": 2}  # fmt: skip
    lost = [f"{name} of {rank}" for name, rank in wanted.items() if name not in tensors or tensors[name].ndim != rank]
    if lost:
        problem = f"it has no {', no '.join(lost)} dimensions; it looks like {look_of(tensors)}"
        raise CheckpointError(place, problem, "name a checkpoint of PixArt")
    projection, caption, hidden, last = (tensors[name] for name in wanted)
    width, channels, patch, _ = projection.shape
    base, scale = _positions(tensors, place, resolution, patch, is_sigma=is_sigma)
    with sizes_of(place):
        return TransformerConfig(
            depth=count_blocks(tensors),
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
        raise CheckpointError(place, problem, "say how many: pinxit convert --heads")
    return width // HEAD_WIDTH


def _null_of(tensors: Mapping[str, Tensor]) -> Float[Tensor, "l f"]:
    """The null states, which some files hold as a batch of one."""
    return tensors[NULL].reshape(-1, tensors[NULL].shape[-1])


def _positions(
    tensors: Mapping[str, Tensor], place: Path, resolution: int | None, patch: int, *, is_sigma: bool
) -> tuple[int, float]:
    """Tokens on the nominal square's side, and the scale of positions."""
    if PLACES in tensors:
        return match_places(tensors[PLACES].reshape(-1, tensors[PLACES].shape[-1]), place)
    if resolution is None:
        problem = f"it holds no {PLACES}, so its resolution is unknown"
        raise CheckpointError(place, problem, "say it: pinxit convert --resolution, and for Σ --length 300")
    scale = resolution / 512
    return resolution // (8 * patch), scale if is_sigma else max(1.0, scale)


def match_places(stored: Float[Tensor, "n d"], place: Path) -> tuple[int, float]:
    """The side and the scale whose table is the stored one, however coarsely stored."""
    side = round(len(stored) ** 0.5)
    if side**2 == len(stored):
        for scale in SCALES:
            table = position_table(side, side, stored.shape[1], side, scale)
            if torch.allclose(stored.double(), table, rtol=0, atol=0.1):
                return side, scale
    problem = f"its {PLACES} {list(stored.shape)} is none of the published tables (scales {SCALES})"
    raise CheckpointError(place, problem, f"drop {PLACES} from the file and say pinxit convert --resolution")


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
