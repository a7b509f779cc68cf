"""Diffusers' folders: what its own network saves is read, what is written it opens, with the same output."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pinxit.diffusion.config import IDDPMConfig
from pinxit.errors import CheckpointError
from pinxit.interop.diffusers import (
    read_diffusers,
    read_encoders,
    read_null,
    read_process,
    write_network,
    write_null,
)  # fmt: skip
from pinxit.interop.weights import Weights, read_tensors
from pinxit.models.config import NullKind, TransformerConfig
from pinxit.models.null import NullCondition
from pinxit.models.transformer import Transformer
from tests.interop.case import ALPHA, SIGMA, SQUEEZED, TOLD, assert_same, network
from tests.models.oracle import assert_near, normal

KINDS = {"alpha": ALPHA, "sigma": SIGMA, "conditions": TOLD}
SIZES: dict[str, Any] = {
    "num_attention_heads": 2, "attention_head_dim": 12, "in_channels": 4, "out_channels": 8, "num_layers": 2,
    "cross_attention_dim": 24, "sample_size": 8, "caption_channels": 24,
}  # fmt: skip


def theirs(seed: int = 0, **changes: object) -> nn.Module:
    from diffusers import PixArtTransformer2DModel

    torch.manual_seed(seed)
    made = PixArtTransformer2DModel(**{**SIZES, **changes})
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.2)
    return made.eval()


def assert_alike(other: nn.Module, weights: Weights) -> None:
    """Both networks say the same."""
    made = Transformer(weights.config).float()
    made.load_state_dict(weights.tensors)
    latent, time = normal(1, 2, 4, 6, 10).float(), torch.tensor([7.0, 900.0])
    caption, keep = normal(2, 2, 5, 24).float(), torch.arange(5) < torch.tensor([5, 2])[:, None]
    size, aspect = torch.tensor([[48.0, 80.0], [64.0, 64.0]]), torch.tensor([0.6, 1.0])
    told = (size, aspect) if weights.config.conditions else ()
    added = (
        {"resolution": size, "aspect_ratio": aspect[:, None]} if told else {"resolution": None, "aspect_ratio": None}
    )
    with torch.no_grad():
        expected = other(
            latent, caption, time, added_cond_kwargs=added, encoder_attention_mask=keep.float(), return_dict=False
        )[0]
        assert_near(made(latent, time, caption, keep, *told), expected, 1e-5)


@pytest.mark.parametrize("shard", ["10GB", "20KB"])
@pytest.mark.parametrize("conditions", [False, True])
def test_what_diffusers_saves_is_read_whole_or_in_shards(conditions: bool, shard: str, tmp_path: Path) -> None:
    other = theirs(use_additional_conditions=conditions, interpolation_scale=2)
    other.save_pretrained(tmp_path, max_shard_size=shard)  # type: ignore[operator]
    assert (tmp_path / "diffusion_pytorch_model.safetensors.index.json").exists() == (shard == "20KB")
    weights = read_diffusers(tmp_path)
    assert weights.config == ALPHA.model_copy(update={"conditions": conditions, "position_scale": 2.0})
    assert weights.null is None
    assert_alike(other, weights)


def test_what_a_folder_leaves_out_is_as_diffusers_has_it(tmp_path: Path) -> None:
    theirs(sample_size=128).save_pretrained(tmp_path)  # type: ignore[operator]
    told = json.loads((tmp_path / "config.json").read_text())
    for name in ("interpolation_scale", "use_additional_conditions", "norm_type", "patch_size"):
        told.pop(name, None)
    (tmp_path / "config.json").write_text(json.dumps(told))
    config = read_diffusers(tmp_path).config
    assert (config.conditions, config.position_scale, config.position_base) == (True, 2.0, 64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_diffusers_opens_and_gives_back(kind: str, dtype: torch.dtype, tmp_path: Path) -> None:
    from diffusers import PixArtTransformer2DModel

    made = network(KINDS[kind])
    weights = Weights(KINDS[kind], {name: v.to(dtype) for name, v in made.state_dict().items()}, None, "made")
    write_network(weights, tmp_path)
    other, report = PixArtTransformer2DModel.from_pretrained(
        tmp_path, output_loading_info=True, torch_dtype=torch.float32, low_cpu_mem_usage=False
    )
    assert not any(report.values()), report
    back = read_diffusers(tmp_path)
    assert back.config == weights.config
    assert_same(dict(back.tensors), dict(weights.tensors))
    assert_alike(other.eval(), back)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (SQUEEZED, "no compressed keys and values"),
        (ALPHA.model_copy(update={"modulation": "block"}), "no projection in every block"),
        (ALPHA.model_copy(update={"mlp_ratio": 2.0}), "no MLP 2 times as wide"),
    ],
)
def test_what_diffusers_cannot_do_is_not_written(config: TransformerConfig, said: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=said):
        write_network(Weights(config, network(config).state_dict(), None, "made"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_shard_that_is_not_there_is_named(tmp_path: Path) -> None:
    theirs().save_pretrained(tmp_path, max_shard_size="20KB")  # type: ignore[operator]
    lost = sorted(tmp_path.glob("*-of-*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(CheckpointError, match=lost.name):
        read_tensors(tmp_path)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("[]", "it is no JSON object"), ("{", "it is not JSON"), ('{"sample_size": null}', "sample_size"),
        ('{"patch_size": 0}', "patch_size"), ('{"attention_head_dim": [5, 10]}', "attention_head_dim"),
        ('{"in_channels": 4, "out_channels": 2}', "outputs"),
    ],
)  # fmt: skip
def test_sizes_that_no_network_has_are_refused(told: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(told)
    with pytest.raises(CheckpointError, match=said):
        read_diffusers(tmp_path)


def test_half_precision_under_its_own_name_is_found(tmp_path: Path) -> None:
    theirs().save_pretrained(tmp_path, variant="fp16")  # type: ignore[operator]
    assert read_diffusers(tmp_path).config == ALPHA


@pytest.mark.parametrize("index", ["{}", '{"weight_map": {}}'])
def test_an_index_that_names_nothing_is_passed_over(index: str, tmp_path: Path) -> None:
    theirs().save_pretrained(tmp_path)  # type: ignore[operator]
    (tmp_path / "diffusion_pytorch_model.safetensors.index.json").write_text(index)
    assert read_diffusers(tmp_path).config == ALPHA


def test_the_scheduler_tells_the_noise(tmp_path: Path) -> None:
    from diffusers import DPMSolverMultistepScheduler

    assert read_process(tmp_path) == IDDPMConfig()
    DPMSolverMultistepScheduler(num_train_timesteps=500, beta_start=2e-4, beta_end=0.01).save_pretrained(
        tmp_path / "scheduler"
    )
    assert read_process(tmp_path) == IDDPMConfig(steps=500, beta_first=2e-4, beta_last=0.01)


def test_null_states_beside_a_folder_without_their_key_are_refused(tmp_path: Path) -> None:
    save_file({"other": torch.ones(1)}, tmp_path / "null.safetensors")
    with pytest.raises(CheckpointError, match="it holds no negative_prompt_embeds"):
        read_null(tmp_path)


@pytest.mark.parametrize("kind", ["fixed", "learned"])
def test_null_states_come_back_from_beside_a_folder(kind: NullKind, tmp_path: Path) -> None:
    null = NullCondition(kind, normal(0, 5, 24))
    write_null(null, tmp_path, 9)
    for place in (tmp_path, tmp_path / "transformer"):
        found = read_null(place)
        assert found is not None and found.kind == kind
        assert torch.equal(found.states, null.states)


def test_a_pipeline_of_something_else_and_other_noise_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    with pytest.raises(CheckpointError, match="its pipeline is FluxPipeline"):
        read_encoders(tmp_path)
    (tmp_path / "scheduler").mkdir()
    told = {"prediction_type": "v_prediction", "beta_schedule": "scaled_linear"}
    (tmp_path / "scheduler" / "scheduler_config.json").write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match="prediction 'v_prediction' and betas 'scaled_linear'"):
        read_process(tmp_path)
    (tmp_path / "scheduler" / "scheduler_config.json").write_text("{")
    with pytest.raises(CheckpointError, match="not JSON"):
        read_process(tmp_path)


def test_a_folder_without_a_network_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no such file"):
        read_diffusers(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"no diffusion_pytorch_model\.safetensors"):
        read_diffusers(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"norm_type": "ada_norm_zero"}))
    theirs().save_pretrained(tmp_path / "other")  # type: ignore[operator]
    (tmp_path / "diffusion_pytorch_model.safetensors").write_bytes(
        (tmp_path / "other" / "diffusion_pytorch_model.safetensors").read_bytes()
    )
    with pytest.raises(CheckpointError, match="its norm is 'ada_norm_zero'"):
        read_diffusers(tmp_path)
