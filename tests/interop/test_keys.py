"""Tables of names at full size, and errors that account for every key."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from pinxit.errors import CheckpointError
from pinxit.interop import diffusers, dit, pixart
from pinxit.interop.keys import Table, look_of, to_ours, to_theirs
from pinxit.interop.weights import Weights, shapes_of
from pinxit.models.config import CompressionConfig, TransformerConfig
from pinxit.models.dit import DiT
from pinxit.models.null import NullCondition
from pinxit.models.transformer import Transformer

FULL = TransformerConfig(conditions=True)
HERE = Path("here.safetensors")


def on_meta(config: TransformerConfig) -> dict[str, Tensor]:
    with torch.device("meta"):
        return Transformer(config).state_dict()


def published(conditions: bool, side: int, length: int) -> dict[str, list[int]]:
    """Every key of XL/2's files and its shape, as PixArt's repositories save them and ComfyUI's loader wants them."""

    def linear(name: str, outward: int, inward: int) -> dict[str, list[int]]:
        return {f"{name}.weight": [outward, inward], f"{name}.bias": [outward]}

    d = 1152
    keys = {
        "pos_embed": [1, side * side, d], "y_embedder.y_embedding": [length, 4096],
        "x_embedder.proj.weight": [d, 4, 2, 2], "x_embedder.proj.bias": [d],
        **linear("t_embedder.mlp.0", d, 256), **linear("t_embedder.mlp.2", d, d), **linear("t_block.1", 6 * d, d),
        **linear("y_embedder.y_proj.fc1", d, 4096), **linear("y_embedder.y_proj.fc2", d, d),
        "final_layer.scale_shift_table": [2, d], **linear("final_layer.linear", 2 * 2 * 8, d),
    }  # fmt: skip
    for name in ("csize_embedder", "ar_embedder") if conditions else ():
        keys |= {**linear(f"{name}.mlp.0", d // 3, 256), **linear(f"{name}.mlp.2", d // 3, d // 3)}
    for block in range(28):
        keys |= {
            f"blocks.{block}.scale_shift_table": [6, d],
            **linear(f"blocks.{block}.attn.qkv", 3 * d, d), **linear(f"blocks.{block}.attn.proj", d, d),
            **linear(f"blocks.{block}.cross_attn.q_linear", d, d),
            **linear(f"blocks.{block}.cross_attn.kv_linear", 2 * d, d),
            **linear(f"blocks.{block}.cross_attn.proj", d, d),
            **linear(f"blocks.{block}.mlp.fc1", 4 * d, d), **linear(f"blocks.{block}.mlp.fc2", d, 4 * d),
        }  # fmt: skip
    return keys


@pytest.mark.parametrize(
    ("conditions", "side", "scale", "length"),
    [
        (False, 16, 1.0, 120), (False, 32, 1.0, 120), (True, 32, 1.0, 120), (True, 64, 2.0, 120),
        (False, 16, 0.5, 300), (False, 32, 1.0, 300), (False, 64, 2.0, 300), (False, 128, 4.0, 300),
    ],
)  # fmt: skip
def test_a_full_size_file_has_exactly_the_published_keys_and_is_read_from_them(
    conditions: bool, side: int, scale: float, length: int
) -> None:
    changes = {"conditions": conditions, "position_base": side, "position_scale": scale}
    config = TransformerConfig.model_validate(changes)
    null = NullCondition("fixed", torch.empty(length, 4096, device="meta"))
    weights = Weights(config, on_meta(config), null, "PixArt")
    written = pixart.write_pixart(weights, null, length)
    wanted = published(conditions, side, length)
    assert {name: list(value.shape) for name, value in written.items()} == wanted

    found = {name: torch.empty(shape, device="meta") for name, shape in wanted.items()}
    found["pos_embed"] = written["pos_embed"]
    again = pixart.read_pixart(found, HERE)
    assert again.config == config
    assert again.made == ("PixArt-Σ" if length == 300 else "PixArt-α")


def test_the_original_layout_at_full_size_is_the_published_one() -> None:
    config = FULL.model_copy(update={"compression": CompressionConfig(blocks=tuple(range(14, 28)))})
    found = {name: list(value.shape) for name, value in to_theirs(on_meta(config), pixart.TABLE).items()}
    assert len(found) == 23 + 28 * 15 + 14 * 4  # outside the blocks, in each block, and where it compresses
    for name, shape in {
        "x_embedder.proj.weight": [1152, 4, 2, 2], "t_embedder.mlp.0.weight": [1152, 256],
        "t_embedder.mlp.2.bias": [1152], "t_block.1.weight": [6912, 1152], "y_embedder.y_proj.fc1.weight": [1152, 4096],
        "y_embedder.y_proj.fc2.weight": [1152, 1152], "csize_embedder.mlp.0.weight": [384, 256],
        "ar_embedder.mlp.2.weight": [384, 384], "blocks.27.scale_shift_table": [6, 1152],
        "blocks.0.attn.qkv.weight": [3456, 1152], "blocks.9.attn.proj.bias": [1152],
        "blocks.14.attn.sr.weight": [1152, 1, 2, 2], "blocks.27.attn.norm.weight": [1152],
        "blocks.3.cross_attn.q_linear.weight": [1152, 1152], "blocks.3.cross_attn.kv_linear.bias": [2304],
        "blocks.3.cross_attn.proj.weight": [1152, 1152], "blocks.5.mlp.fc1.weight": [4608, 1152],
        "blocks.5.mlp.fc2.weight": [1152, 4608], "final_layer.scale_shift_table": [2, 1152],
        "final_layer.linear.weight": [32, 1152],
    }.items():  # fmt: skip
        assert found[name] == shape, name
    assert "blocks.13.attn.sr.weight" not in found


@pytest.mark.parametrize("conditions", [True, False])
def test_diffusers_layout_at_full_size_is_its_networks(conditions: bool) -> None:
    from diffusers import PixArtTransformer2DModel

    with torch.device("meta"):
        theirs = PixArtTransformer2DModel(
            sample_size=64, caption_channels=4096, use_additional_conditions=conditions
        ).state_dict()
    found = to_theirs(on_meta(FULL.model_copy(update={"conditions": conditions})), diffusers.TABLE)
    assert {name: value.shape for name, value in found.items()} == {name: v.shape for name, v in theirs.items()}


def test_the_full_size_dit_has_the_names_of_both_its_publications() -> None:
    from diffusers import DiTTransformer2DModel

    with torch.device("meta"):
        ours = DiT(TransformerConfig(), 1000).state_dict()
        theirs = DiTTransformer2DModel(out_channels=8).state_dict()
    found = to_theirs(ours, dit.DIFFUSERS)
    copies = {name for name in theirs if ".norm1.emb." in name and ".0.norm1" not in name}
    assert {name: v.shape for name, v in found.items()} == {n: v.shape for n, v in theirs.items() if n not in copies}
    original = to_theirs(ours, dit.ORIGINAL)
    assert len(original) == 7 + 28 * 10 + 4
    assert list(original["y_embedder.embedding_table.weight"].shape) == [1001, 1152]
    assert list(original["blocks.27.adaLN_modulation.1.weight"].shape) == [6912, 1152]
    assert list(original["final_layer.adaLN_modulation.1.weight"].shape) == [2304, 1152]


@pytest.mark.parametrize("table", [pixart.TABLE, diffusers.TABLE], ids=["pixart", "diffusers"])
def test_names_there_and_back_lose_nothing(table: Table) -> None:
    config = TransformerConfig(depth=12, width=8, heads=1, caption_width=6, conditions=False)
    ours = Transformer(config).state_dict()
    found = to_ours(to_theirs(ours, table), table, shapes_of(config), HERE)
    assert found.keys() == ours.keys()
    assert all(torch.equal(found[name], value) for name, value in ours.items())


def test_every_key_that_does_not_fit_is_named_in_one_error() -> None:
    config = TransformerConfig(depth=3, width=8, heads=1, caption_width=6)
    theirs = to_theirs(Transformer(config).state_dict(), pixart.TABLE)
    theirs |= {f"blocks.{i}.attn.q_norm.weight": torch.ones(8) for i in range(3)} | {"extra": torch.ones(1)}
    del theirs["blocks.1.mlp.fc2.bias"], theirs["t_block.1.bias"]
    theirs["x_embedder.proj.weight"] = torch.ones(8, 16, 2, 2)
    with pytest.raises(CheckpointError) as caught:
        to_ours(theirs, pixart.TABLE, shapes_of(config), HERE)
    said = str(caught.value)
    for part in (
        "here.safetensors: it looks like PixArt in the original layout",
        "left over: blocks.*.attn.q_norm.weight (3 times), extra;",
        "missing: t_block.1.bias, blocks.*.mlp.fc2.bias;",
        "of another shape: x_embedder.proj.weight [8, 16, 2, 2], not [8, 4, 2, 2]",
    ):
        assert part in said


def test_keys_that_do_not_count_are_let_be() -> None:
    config = TransformerConfig(depth=1, width=8, heads=1, caption_width=6)
    theirs = to_theirs(Transformer(config).state_dict(), pixart.TABLE)
    found = to_ours({**theirs, "pos_embed": torch.ones(1)}, pixart.TABLE, shapes_of(config), HERE, idle=("pos_embed",))
    assert len(found) == len(theirs)


@pytest.mark.parametrize(
    ("key", "look"),
    [
        ("t_block.1.weight", "PixArt in the original layout"),
        ("model.diffusion_model.input_blocks.0.0.weight", "a U-Net of Stable Diffusion"),
        ("encoder.block.0.layer.0.SelfAttention.q.weight", "a T5 text encoder"),
        ("transformer_blocks.0.attn1.to_q.lora_A.weight", "an adapter (LoRA), no whole network"),
        ("nothing.of.ours", "nothing that pinxit knows"),
    ],
)
def test_a_file_is_known_by_its_look(key: str, look: str) -> None:
    assert look_of([key, "other"]) == look
