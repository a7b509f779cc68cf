"""Class-conditional DiT weights (Peebles and Xie 2023), original or diffusers', re-parameterised into a transformer."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from pinxit.errors import CheckpointError
from pinxit.interop.keys import Table, look_of, to_ours
from pinxit.interop.pixart import PLACES, count_heads, match_places
from pinxit.interop.weights import Weights, count_blocks, sizes_of
from pinxit.models.config import TransformerConfig
from pinxit.models.dit import DiT, reparameterize
from pinxit.models.layer import silence
from pinxit.models.transformer import Transformer
from pinxit.rng import seed_at

ORIGINAL: Table = {
    "patch.projection": ("x_embedder.proj",),
    "time.first": ("t_embedder.mlp.0",),
    "time.second": ("t_embedder.mlp.2",),
    "label": ("y_embedder.embedding_table",),
    "blocks.{}.modulation.linear": ("blocks.{}.adaLN_modulation.1",),
    "blocks.{}.attention.qkv": ("blocks.{}.attn.qkv",),
    "blocks.{}.attention.out": ("blocks.{}.attn.proj",),
    "blocks.{}.mlp.first": ("blocks.{}.mlp.fc1",),
    "blocks.{}.mlp.second": ("blocks.{}.mlp.fc2",),
    "final.modulation.linear": ("final_layer.adaLN_modulation.1",),
    "final.linear": ("final_layer.linear",),
}
EMBEDDER = "transformer_blocks.0.norm1.emb"  # diffusers has one of time and class in every block, all the same
DIFFUSERS: Table = {
    "patch.projection": ("pos_embed.proj",),
    "time.first": (f"{EMBEDDER}.timestep_embedder.linear_1",),
    "time.second": (f"{EMBEDDER}.timestep_embedder.linear_2",),
    "label": (f"{EMBEDDER}.class_embedder.embedding_table",),
    "blocks.{}.modulation.linear": ("transformer_blocks.{}.norm1.linear",),
    "blocks.{}.attention.qkv": tuple(f"transformer_blocks.{{}}.attn1.to_{part}" for part in "qkv"),
    "blocks.{}.attention.out": ("transformer_blocks.{}.attn1.to_out.0",),
    "blocks.{}.mlp.first": ("transformer_blocks.{}.ff.net.0.proj",),
    "blocks.{}.mlp.second": ("transformer_blocks.{}.ff.net.2",),
    "final.modulation.linear": ("proj_out_1",),
    "final.linear": ("proj_out_2",),
}


def read_dit(
    tensors: Mapping[str, Tensor], place: Path, wanted: TransformerConfig, *, heads: int | None = None
) -> Weights:
    """A text transformer that equals the DiT without class, its embedding zero, at t = 500, whatever caption and size.

    `wanted` says what a DiT does not tell: the caption's width, whether sizes are told, and, where the file holds no
    table, the positions. What reads captions and sizes is new, from seed 0.
    """
    is_original = "x_embedder.proj.weight" in tensors
    table = ORIGINAL if is_original else DIFFUSERS
    idle = (PLACES,) if is_original else _copies(tensors, place)
    with sizes_of(place):
        config, classes = _infer(tensors, place, table, wanted, heads)
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in DiT(config, classes).state_dict().items()}
    dit, network = DiT(config, classes), _fresh(config)
    dit.load_state_dict({name: v.float() for name, v in to_ours(tensors, table, shapes, place, idle).items()})
    reparameterize(dit, network)
    if config.conditions:
        silence(network.size.second, network.aspect.second)
    return Weights(config, network.state_dict(), None, "a class-conditional DiT, re-parameterised")


def _infer(
    tensors: Mapping[str, Tensor], place: Path, table: Table, wanted: TransformerConfig, heads: int | None
) -> tuple[TransformerConfig, int]:
    """The network's sizes, and the number of classes without the null one."""
    first = table["blocks.{}.mlp.first"][0].format(0)
    names = [
        f"{name}.weight" for name in (*(table[own][0] for own in ("patch.projection", "label", "final.linear")), first)
    ]
    if lost := [name for name in names if name not in tensors]:
        problem = f"it has no {lost[0]}; it looks like {look_of(tensors)}"
        raise CheckpointError(place, problem, "name a class-conditional DiT")
    projection, label, last, hidden = (tensors[name] for name in names)
    width, channels, patch, _ = projection.shape
    base, scale = wanted.position_base, wanted.position_scale
    if PLACES in tensors:
        base, scale = match_places(tensors[PLACES][0], place)
    config = TransformerConfig(
        depth=count_blocks(tensors),
        width=width,
        heads=heads or count_heads(width, place),
        patch=patch,
        mlp_ratio=hidden.shape[0] / width,
        channels=channels,
        outputs=last.shape[0] // (patch**2 * channels),
        caption_width=wanted.caption_width,
        conditions=wanted.conditions,
        position_base=base,
        position_scale=scale,
    )
    return config, len(label) - 1


def _fresh(config: TransformerConfig) -> Transformer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_at(0, "weights/text"))
        return Transformer(config)


def _copies(tensors: Mapping[str, Tensor], place: Path) -> tuple[str, ...]:
    """The keys of the embedders in all blocks but the first; CheckpointError if they are not the first's copies."""
    copies = {}
    for key in tensors:
        found = re.match(r"transformer_blocks\.([1-9]\d*)\.norm1\.emb\.(.*)", key)
        if found:
            copies[key] = f"{EMBEDDER}.{found[2]}"
    if others := [key for key, own in copies.items() if own in tensors and not torch.equal(tensors[key], tensors[own])]:
        problem = f"{others[0]} is not the same as in the first block, so the blocks do not share time and class"
        raise CheckpointError(place, problem, "name a DiT as it was published")
    return tuple(copies)
