"""The class-conditional DiT: as in diffusers, silent at the start, and what becomes of it when captions come."""

from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from pinxit.models.config import TransformerConfig
from pinxit.models.dit import DiT, carry, reparameterize
from pinxit.models.layer import Table
from pinxit.models.transformer import Transformer

from .oracle import DIFFUSERS_DIT, SMALL, assert_near, enliven, normal, round_places, to_diffusers

CLASSES = 5
TIME = torch.tensor([0.0, 500.0, 999.0], dtype=torch.float64)
BLOCK = SMALL.model_copy(update={"modulation": "block"})


def make(seed: int = 0) -> DiT:
    network = DiT(SMALL, CLASSES)
    enliven(network, seed)
    return network


def make_transformer(config: TransformerConfig = SMALL) -> Transformer:
    network = Transformer(config)
    enliven(network, 1)
    return network


def test_output_is_diffusers(monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import DiTTransformer2DModel

    round_places(monkeypatch)
    ours = make()
    theirs = DiTTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=4,
        out_channels=8,
        num_layers=2,
        sample_size=8,
        num_embeds_ada_norm=CLASSES,
        norm_eps=1e-6,
    ).double()
    named = to_diffusers(ours.state_dict(), DIFFUSERS_DIT)
    embedders = {name: value for name, value in named.items() if name.startswith("norm1.emb.")}
    each = {f"transformer_blocks.{i}.{name}": v for i in range(SMALL.depth) for name, v in embedders.items()}
    theirs.load_state_dict({name: v for name, v in named.items() if name not in embedders} | each)
    theirs.eval()  # or it drops classes
    for block in theirs.transformer_blocks:
        block.norm1.emb.time_proj.downscale_freq_shift = 0  # theirs alone: DiT divides by 128, as PixArt-α, not by 127
    latent, label = normal(1, 3, 4, 8, 8), torch.tensor([0, 3, CLASSES])
    found = ours(latent, TIME, label)
    assert_near(found, theirs(latent, timestep=TIME, class_labels=label, return_dict=False)[0], 1e-10)


def test_the_full_network_is_dit_xl_without_its_stored_position_table() -> None:
    with torch.device("meta"):
        network = DiT(TransformerConfig(), 1000)
    assert sum(parameter.numel() for parameter in network.parameters()) == 675_129_632 - 256 * 1152
    assert not list(network.buffers())


def test_a_new_network_says_nothing_and_its_blocks_change_nothing() -> None:
    network = DiT(SMALL, CLASSES)
    latent, time, label = normal(1, 3, 4, 8, 6).float(), TIME.float(), torch.tensor([0, 1, CLASSES])
    assert not network(latent, time, label).any()
    x = normal(2, 3, 12, 24).float()
    assert all(torch.equal(block(x, normal(3, 3, 24).float()), x) for block in network.blocks)
    assert network.label.weight[CLASSES].any()


def test_every_class_and_the_null_row_are_told_apart() -> None:
    network, latent = make(), normal(1, 1, 4, 8, 8).expand(CLASSES + 1, -1, -1, -1)
    said = network(latent, torch.full((CLASSES + 1,), 500.0, dtype=torch.float64), torch.arange(CLASSES + 1))
    assert torch.pdist(said.flatten(1)).min() > 1e-2


def without_class(dit: DiT, latent: Tensor, time: Tensor, without: Literal["zero", "null"]) -> Tensor:
    """What the DiT says under the null row, itself set to zero where that is meant."""
    with torch.no_grad():
        if without == "zero":
            dit.label.weight[CLASSES] = 0.0
        said: Tensor = dit(latent, time, torch.full((len(latent),), CLASSES))
    return said


@pytest.mark.parametrize("shape", [(8, 8), (6, 10)])
@pytest.mark.parametrize("without", ["zero", "null"])
@pytest.mark.parametrize("time", [500.0, 0.0])
def test_at_its_time_the_transformer_is_the_dit_without_class(
    without: Literal["zero", "null"], shape: tuple[int, int], time: float
) -> None:
    dit, network = make(), make_transformer()
    reparameterize(dit, network, without, time)
    latent, at = normal(1, 3, 4, *shape), torch.full((3,), time, dtype=torch.float64)
    keep = torch.arange(7) < torch.tensor([7, 2, 0])[:, None]
    found = network(latent, at, normal(2, 3, 7, 20), keep)
    expected = without_class(dit, latent, at, without)
    assert_near(found, expected, 1e-10)
    later = network(latent, at + 100, normal(2, 3, 7, 20), keep)
    assert (later - without_class(dit, latent, at + 100, without)).abs().max() > 1e-3


def test_the_two_meanings_of_no_class_differ() -> None:
    dit, zero, null = make(), make_transformer(), make_transformer()
    reparameterize(dit, zero)
    reparameterize(dit, null, without="null")
    latent, caption, keep = normal(1, 3, 4, 8, 8), normal(2, 3, 7, 20), torch.ones(3, 7, dtype=torch.bool)
    at = torch.full((3,), 500.0, dtype=torch.float64)
    assert (zero(latent, at, caption, keep) - null(latent, at, caption, keep)).abs().max() > 1e-3


@pytest.mark.parametrize("without", ["zero", "null"])
def test_blocks_that_project_for_themselves_are_the_dit_without_class_at_every_time(
    without: Literal["zero", "null"],
) -> None:
    dit, network = make(), make_transformer(BLOCK)
    reparameterize(dit, network, without)
    latent, keep = normal(1, 3, 4, 8, 8), torch.ones(3, 7, dtype=torch.bool)
    found = network(latent, TIME, normal(2, 3, 7, 20), keep)
    assert_near(found, without_class(dit, latent, TIME, without), 1e-10)


def test_reparameterizing_leaves_the_dit_and_the_way_of_captions_as_they_were() -> None:
    dit, network = make(), make_transformer()
    before = {name: value.clone() for name, value in dit.state_dict().items()}
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    reparameterize(dit, network)
    assert all(torch.equal(value, before[name]) for name, value in dit.state_dict().items())
    kept = ("caption", "cross.query", "cross.key_value")
    for name, value in network.state_dict().items():
        assert torch.equal(value, fresh[name]) == any(part in name for part in kept), name


def test_carried_weights_leave_the_tables_and_the_shared_projection_as_they_were() -> None:
    dit, network = make(), make_transformer()
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    carry(dit, network)
    known = dit.state_dict()
    for name, value in network.state_dict().items():
        assert torch.equal(value, known[name] if name in known else fresh[name]), name
    assert {"blocks.0.attention.qkv.weight", "final.linear.weight"} <= known.keys() & fresh.keys()
    assert {"blocks.0.modulation.table", "shared.linear.weight"} <= fresh.keys() - known.keys()


def test_blocks_without_tables_share_the_mean_projection() -> None:
    dit, network = make(), make_transformer(BLOCK.model_copy(update={"modulation": "shared"}))
    reparameterize(dit, network)
    weights = torch.stack([block.modulation.linear.weight for block in dit.blocks])
    assert_close(network.shared.linear.weight, weights.mean(0))
    assert isinstance(network.final.modulation, Table)


def test_the_shared_modulation_is_the_mean_of_the_blocks() -> None:
    dit, network = make(), make_transformer()
    reparameterize(dit, network)
    weights = torch.stack([block.modulation.linear.weight for block in dit.blocks])
    assert_close(network.shared.linear.weight, weights.mean(0))
    assert_close(torch.stack([block.modulation.table for block in network.blocks]).mean(0), torch.zeros(6, 24).double())
