"""What the networks are compared with: others' names for our parameters, and small networks whose every part speaks."""

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from pinxit.models.config import TransformerConfig

SMALL = TransformerConfig(depth=2, width=24, heads=2, caption_width=20, position_base=4)

ORIGINAL = (  # a published PixArt-α checkpoint's name, ours; longer names first
    ("x_embedder.proj", "patch.projection"),
    ("t_embedder.mlp.0", "time.first"),
    ("t_embedder.mlp.2", "time.second"),
    ("csize_embedder.mlp.0", "size.first"),
    ("csize_embedder.mlp.2", "size.second"),
    ("ar_embedder.mlp.0", "aspect.first"),
    ("ar_embedder.mlp.2", "aspect.second"),
    ("t_block.1", "shared.linear"),
    ("y_embedder.y_proj.fc1", "caption.first"),
    ("y_embedder.y_proj.fc2", "caption.second"),
    ("cross_attn.q_linear", "cross.query"),
    ("cross_attn.kv_linear", "cross.key_value"),
    ("cross_attn.proj", "cross.out"),
    ("attn.qkv", "attention.qkv"),
    ("attn.proj", "attention.out"),
    ("mlp.fc1", "mlp.first"),
    ("mlp.fc2", "mlp.second"),
    ("final_layer", "final"),
    ("scale_shift_table", "modulation.table"),
)

BLOCK = (  # our name of a block's layer, and of the layers that it is in diffusers, stacked
    ("attention.qkv", ("attn1.to_q", "attn1.to_k", "attn1.to_v")),
    ("attention.out", ("attn1.to_out.0",)),
    ("cross.query", ("attn2.to_q",)),
    ("cross.key_value", ("attn2.to_k", "attn2.to_v")),
    ("cross.out", ("attn2.to_out.0",)),
    ("mlp.first", ("ff.net.0.proj",)),
    ("mlp.second", ("ff.net.2",)),
)

DIFFUSERS = (
    *BLOCK,
    ("patch.projection", ("pos_embed.proj",)),
    ("time.first", ("adaln_single.emb.timestep_embedder.linear_1",)),
    ("time.second", ("adaln_single.emb.timestep_embedder.linear_2",)),
    ("size.first", ("adaln_single.emb.resolution_embedder.linear_1",)),
    ("size.second", ("adaln_single.emb.resolution_embedder.linear_2",)),
    ("aspect.first", ("adaln_single.emb.aspect_ratio_embedder.linear_1",)),
    ("aspect.second", ("adaln_single.emb.aspect_ratio_embedder.linear_2",)),
    ("shared.linear", ("adaln_single.linear",)),
    ("caption.first", ("caption_projection.linear_1",)),
    ("caption.second", ("caption_projection.linear_2",)),
    ("final.modulation.table", ("scale_shift_table",)),
    ("modulation.table", ("scale_shift_table",)),
    ("final.linear", ("proj_out",)),
    ("blocks.", ("transformer_blocks.",)),
)

DIFFUSERS_DIT = (  # diffusers gives every block embedders of its own; the last layer uses the first block's
    *BLOCK,
    ("patch.projection", ("pos_embed.proj",)),
    ("time.first", tuple(f"transformer_blocks.{i}.norm1.emb.timestep_embedder.linear_1" for i in range(SMALL.depth))),
    ("time.second", tuple(f"transformer_blocks.{i}.norm1.emb.timestep_embedder.linear_2" for i in range(SMALL.depth))),
    ("label", tuple(f"transformer_blocks.{i}.norm1.emb.class_embedder.embedding_table" for i in range(SMALL.depth))),
    ("final.modulation.linear", ("proj_out_1",)),
    ("final.linear", ("proj_out_2",)),
    ("modulation.linear", ("norm1.linear",)),
    ("blocks.", ("transformer_blocks.",)),
)

Network = TypeVar("Network", bound=nn.Module)


def from_original(name: str) -> str:
    """Our name of a published parameter."""
    for theirs, ours in ORIGINAL:
        name = name.replace(theirs, ours)
    return name
