"""What the networks are compared with: others' names of our parameters, and small networks whose every part speaks."""

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor, nn

from pinxit.models import layer
from pinxit.models.config import TransformerConfig

Table = Sequence[tuple[str, str]]

SMALL = TransformerConfig(depth=2, width=24, heads=2, caption_width=20, position_base=4)

ORIGINAL: Table = (  # the published PixArt-α checkpoint's name, ours; a name before those it holds
    ("x_embedder.proj", "patch.projection"),
    ("csize_embedder.mlp.0", "size.first"),
    ("csize_embedder.mlp.2", "size.second"),
    ("ar_embedder.mlp.0", "aspect.first"),
    ("ar_embedder.mlp.2", "aspect.second"),
    ("t_embedder.mlp.0", "time.first"),
    ("t_embedder.mlp.2", "time.second"),
    ("t_block.1", "shared.linear"),
    ("y_embedder.y_proj.fc1", "caption.first"),
    ("y_embedder.y_proj.fc2", "caption.second"),
    ("cross_attn.q_linear", "cross.query"),
    ("cross_attn.kv_linear", "cross.key_value"),
    ("cross_attn.proj", "cross.out"),
    ("attn.sr", "attention.compress.reduce"),
    ("attn.norm", "attention.compress.norm"),
    ("attn.qkv", "attention.qkv"),
    ("attn.proj", "attention.out"),
    ("mlp.fc1", "mlp.first"),
    ("mlp.fc2", "mlp.second"),
    ("final_layer", "final"),
    ("scale_shift_table", "modulation.table"),
)

BLOCK: Table = (  # ours, diffusers'
    ("attention.out", "attn1.to_out.0"),
    ("cross.query", "attn2.to_q"),
    ("cross.out", "attn2.to_out.0"),
    ("mlp.first", "ff.net.0.proj"),
    ("mlp.second", "ff.net.2"),
    ("patch.projection", "pos_embed.proj"),
    ("blocks.", "transformer_blocks."),
)
DIFFUSERS: Table = (
    *BLOCK,
    ("time.first", "adaln_single.emb.timestep_embedder.linear_1"),
    ("time.second", "adaln_single.emb.timestep_embedder.linear_2"),
    ("size.first", "adaln_single.emb.resolution_embedder.linear_1"),
    ("size.second", "adaln_single.emb.resolution_embedder.linear_2"),
    ("aspect.first", "adaln_single.emb.aspect_ratio_embedder.linear_1"),
    ("aspect.second", "adaln_single.emb.aspect_ratio_embedder.linear_2"),
    ("shared.linear", "adaln_single.linear"),
    ("caption.first", "caption_projection.linear_1"),
    ("caption.second", "caption_projection.linear_2"),
    ("final.modulation.table", "scale_shift_table"),
    ("modulation.table", "scale_shift_table"),
    ("final.linear", "proj_out"),
)
DIFFUSERS_DIT: Table = (
    *BLOCK,
    ("time.first", "norm1.emb.timestep_embedder.linear_1"),
    ("time.second", "norm1.emb.timestep_embedder.linear_2"),
    ("label", "norm1.emb.class_embedder.embedding_table"),
    ("final.modulation.linear", "proj_out_1"),
    ("final.linear", "proj_out_2"),
    ("modulation.linear", "norm1.linear"),
)
SPLIT = {  # what is one layer here and several in diffusers
    "attention.qkv": ("attn1.to_q", "attn1.to_k", "attn1.to_v"),
    "cross.key_value": ("attn2.to_k", "attn2.to_v"),
}


def rename(name: str, table: Table) -> str:
    """The other name of a parameter."""
    for old, new in table:
        name = name.replace(old, new)
    return name


def to_diffusers(ours: Mapping[str, Tensor], table: Table = DIFFUSERS) -> dict[str, Tensor]:
    """Our parameters, or their gradients, under diffusers' names."""
    theirs = {}
    for name, value in ours.items():
        whole = next((whole for whole in SPLIT if whole in name), "")
        parts = SPLIT.get(whole, ("",))
        for part, piece in zip(parts, value.chunk(len(parts)), strict=True):
            theirs[rename(name.replace(whole, part), table)] = piece
    return theirs


def round_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our position table is rounded to float32, as diffusers' is: all in which we differ from it."""
    exact = layer.position_table
    monkeypatch.setattr(
        layer, "position_table", lambda *grid, device=None: exact(*grid, device=device).float().double()
    )


def normal(seed: int, *shape: int) -> Tensor:
    """Numbers in float64 that follow from the seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def enliven(network: nn.Module, seed: int) -> None:
    """No parameter is zero, and the network is in float64."""
    network.double()
    for place, parameter in enumerate(network.parameters()):
        parameter.data = 0.2 * normal(1000 * seed + place, *parameter.shape)


def gradients(network: nn.Module) -> dict[str, Tensor]:
    """Of every parameter, zero where it took no part."""
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in network.named_parameters()
    }


def assert_near(found: Tensor, expected: Tensor, tolerance: float, name: str = "") -> None:
    """To `tolerance` of the largest value."""
    assert found.shape == expected.shape, name
    worst = float((found - expected).detach().abs().max() / expected.detach().abs().max().clamp_min(1e-30))
    assert worst < tolerance, (name, worst)
