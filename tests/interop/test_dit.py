"""Class-conditional DiT weights: both publications become the same text transformer, equal to the DiT at t = 500."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from pinxit.errors import CheckpointError
from pinxit.interop import dit
from pinxit.interop.dit import read_dit
from pinxit.interop.keys import to_theirs
from pinxit.models.dit import DiT
from pinxit.models.layer import position_table
from pinxit.models.transformer import Transformer
from tests.interop.case import ALPHA
from tests.models.oracle import assert_near, enliven, normal

CLASSES, HERE = 5, Path("dit.pt")
WANTED = ALPHA.model_copy(update={"caption_width": 20, "depth": 1, "conditions": False})


def make() -> DiT:
    network = DiT(ALPHA, CLASSES)
    enliven(network, 0)
    return network.float()


def original(network: DiT) -> dict[str, Tensor]:
    return {
        "pos_embed": position_table(4, 4, 24, 4, 1.0)[None].float(),
        **to_theirs(network.state_dict(), dit.ORIGINAL),
    }


def diffusers(network: DiT) -> dict[str, Tensor]:
    named = to_theirs(network.state_dict(), dit.DIFFUSERS)
    first = "transformer_blocks.0.norm1.emb."
    copies = {name.replace(".0.", ".1.", 1): value for name, value in named.items() if name.startswith(first)}
    assert len(copies) == 5
    return named | copies


@pytest.mark.parametrize("layout", [original, diffusers])
def test_at_its_time_the_network_is_the_dit_without_class(layout: object) -> None:
    network = make()
    weights = read_dit(layout(network), HERE, WANTED.model_copy(update={"position_base": 4}), heads=2)  # type: ignore[operator]
    assert weights.config == ALPHA.model_copy(update={"caption_width": 20})
    assert weights.null is None
    made = Transformer(weights.config)
    made.load_state_dict(weights.tensors)
    latent, time = normal(1, 2, 4, 8, 8).float(), torch.full((2,), 500.0)
    with torch.no_grad():
        network.label.weight[CLASSES] = 0
        expected = network(latent, time, torch.full((2,), CLASSES))
        found = made(latent, time, normal(2, 2, 3, 20).float(), torch.ones(2, 3, dtype=torch.bool))
    assert_near(found, expected, 1e-5)


def test_what_it_is_told_of_sizes_changes_nothing_yet() -> None:
    told = WANTED.model_copy(update={"conditions": True})
    plain, other = (read_dit(original(make()), HERE, wanted, heads=2) for wanted in (WANTED, told))
    assert other.config.conditions
    networks = [Transformer(plain.config), Transformer(other.config)]
    for made, weights in zip(networks, (plain, other), strict=True):
        made.load_state_dict(weights.tensors)
    given = normal(1, 2, 4, 8, 8).float(), torch.full((2,), 500.0), normal(2, 2, 3, 20).float(), torch.ones(2, 3) > 0
    size, aspect = torch.tensor([[64.0, 32.0]]).expand(2, -1), torch.tensor([2.0, 2.0])
    assert_near(networks[1](*given, size, aspect), networks[0](*given), 1e-6)


def test_what_is_new_in_it_is_always_the_same() -> None:
    first, second = (read_dit(original(make()), HERE, WANTED, heads=2) for _ in range(2))
    assert all(torch.equal(first.tensors[name], value) for name, value in second.tensors.items())


def test_blocks_that_do_not_share_time_and_class_are_refused() -> None:
    tensors = diffusers(make())
    name = "transformer_blocks.1.norm1.emb.timestep_embedder.linear_1.bias"
    with pytest.raises(CheckpointError, match="is not the same as in the first block"):
        read_dit(tensors | {name: tensors[name] + 1}, HERE, WANTED, heads=2)


def test_another_kind_of_file_and_keys_that_do_not_fit_are_named() -> None:
    with pytest.raises(CheckpointError, match="it looks like FLUX"):
        read_dit({"double_blocks.0.img_attn.qkv.weight": torch.ones(1)}, HERE, WANTED)
    tensors = original(make())
    del tensors["blocks.1.attn.qkv.bias"]
    with pytest.raises(CheckpointError, match=r"missing: blocks\.\*\.attn\.qkv\.bias"):
        read_dit(tensors, HERE, WANTED, heads=2)
