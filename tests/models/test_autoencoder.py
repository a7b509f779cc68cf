"""The autoencoders: standardised latents, files that come back, foreign files, and diffusers' scaling."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.testing import assert_close

from pinxit.data.pixel import to_pixels
from pinxit.errors import CheckpointError
from pinxit.models.autoencoder import (
    Autoencoder,
    DiffusersCodec,
    Residual,
    SmallAutoencoder,
    SmallCodec,
    load_autoencoder,
    load_small,
)  # fmt: skip
from pinxit.models.config import DiffusersAutoencoderConfig, SmallAutoencoderConfig, SmallCodecConfig
from pinxit.models.identity import SHIPPED
from pinxit.recipes.autoencoder import ship

from .tiny import write_kl

SMALL = SmallAutoencoderConfig(channels=4, fine=6, coarse=8, encoder_blocks=(1, 1), decoder_blocks=(1, 1))


def randomise(network: nn.Module, deviation: float) -> None:
    """Every weight is normal: nothing is zero, so nothing is hidden."""
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=deviation)


def build(config: SmallAutoencoderConfig = SMALL) -> SmallAutoencoder:
    torch.manual_seed(0)
    network = SmallAutoencoder(config)
    randomise(network, 0.15)
    return network


def statistics(latent: Tensor) -> tuple[Tensor, Tensor]:
    return latent.mean((0, 2, 3)), latent.std((0, 2, 3))


def test_a_picture_becomes_an_eighth_of_its_side_and_comes_back() -> None:
    network = build()
    rebuilt, mean = network(torch.rand(2, 3, 16, 40), torch.zeros(2, 4, 2, 5))
    assert mean.shape == (2, 4, 2, 5)
    assert rebuilt.shape == (2, 3, 16, 40)


def test_noise_is_added_to_the_latent_in_units_of_the_spread() -> None:
    network = build(SMALL.model_copy(update={"spread": 0.5}))
    pixels, noise = torch.rand(1, 3, 8, 8), torch.randn(1, 4, 1, 1)
    rebuilt, mean = network(pixels, noise)
    assert_close(rebuilt, network.decoder(mean + 0.5 * noise))


def test_a_new_residual_block_adds_no_picture() -> None:
    block, x = Residual(4), torch.randn(2, 4, 5, 3)
    assert_close(block(x) - x, block.second.bias[:, None, None].expand_as(x))


def test_standardise_moves_latents_and_leaves_pictures_alone() -> None:
    network, pixels = build().double(), torch.rand(3, 3, 24, 32, dtype=torch.float64) * 2 - 1
    noise = torch.randn(3, 4, 3, 4, dtype=torch.float64)
    before, latent = network(pixels, noise)
    network.standardise(*statistics(latent))
    after, standard = network(pixels, noise)
    assert not torch.allclose(latent, standard)
    assert_close(after, before, rtol=0, atol=1e-10)  # everywhere, borders and all
    mean, deviation = statistics(standard)
    assert_close(mean, torch.zeros_like(mean), rtol=0, atol=1e-10)
    assert_close(deviation, torch.ones_like(deviation), rtol=0, atol=1e-10)


def test_standardising_twice_changes_nothing_more() -> None:
    network, pixels = build().double(), torch.rand(3, 3, 16, 16, dtype=torch.float64)
    network.standardise(*statistics(network.encoder(pixels)))
    once = [value.clone() for value in network.state_dict().values()]
    network.standardise(*statistics(network.encoder(pixels)))
    assert_close(list(network.state_dict().values()), once, rtol=0, atol=1e-10)


def pictures(count: int = 6) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8))


def shipped(file: Path) -> SmallAutoencoder:
    """The network whose half-precision copy now lies in `file`."""
    network = build()
    ship(network, pictures(), file)
    return network


def test_a_shipped_file_comes_back_in_half_precision(tmp_path: Path) -> None:
    network = shipped(tmp_path / "new" / "small.safetensors")
    codec = load_small(tmp_path / "new" / "small.safetensors")
    halved = load_file(tmp_path / "new" / "small.safetensors")
    assert codec.network.config == network.config
    assert {value.dtype for value in halved.values()} == {torch.float16}
    for name, value in codec.network.state_dict().items():
        assert torch.equal(value, network.state_dict()[name].half().float())
    mean, deviation = codec.encode(to_pixels(pictures()))
    assert_close(statistics(mean), (torch.zeros(4), torch.ones(4)), rtol=0, atol=1e-2)
    assert torch.equal(deviation, torch.zeros_like(mean))
    with torch.no_grad():
        assert_close(codec.decode(mean), network.decoder(mean), rtol=1e-2, atol=1e-2)


def test_a_codec_is_frozen_and_names_its_file(tmp_path: Path) -> None:
    shipped(tmp_path / "a.safetensors")
    (tmp_path / "copy.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes())
    codec, copy = load_small(tmp_path / "a.safetensors"), load_small(tmp_path / "copy.safetensors")
    other = build(SMALL.model_copy(update={"spread": 0.1}))
    ship(other, pictures(), tmp_path / "b.safetensors")
    assert isinstance(codec, Autoencoder)
    assert codec.identity == copy.identity
    assert codec.identity.sha256 != load_small(tmp_path / "b.safetensors").identity.sha256
    assert codec.identity.model_dump(exclude={"sha256"}) == {
        "kind": "small", "factor": 8, "channels": 4, "scaling": 1.0, "shift": 0.0,
    }  # fmt: skip
    assert not codec.network.training
    assert not any(parameter.requires_grad for parameter in codec.network.parameters())


@pytest.mark.skipif(not SHIPPED.is_file(), reason="no autoencoder ships with this copy")
def test_the_shipped_autoencoder_is_found() -> None:
    codec = load_autoencoder(SmallCodecConfig())
    assert isinstance(codec, SmallCodec)
    mean, deviation = codec.encode(torch.zeros(1, 3, 16, 16))
    assert mean.isfinite().all()
    assert not deviation.any()
    assert codec.decode(mean).abs().max() < 1.5


def test_a_file_may_be_named(tmp_path: Path) -> None:
    shipped(tmp_path / "small.safetensors")
    codec = load_autoencoder(SmallCodecConfig(file=str(tmp_path / "small.safetensors")))
    assert codec.identity == load_small(tmp_path / "small.safetensors").identity


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no such file"):
        load_small(tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match="there is no such file"):
        load_small(tmp_path)


@pytest.mark.parametrize("kept", [0, 7, 300, -1])
def test_a_broken_file_is_refused(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "small.safetensors"
    shipped(file)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="no whole safetensors file"):
        load_small(file)


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(CheckpointError, match=r"no 'pinxit\.autoencoder'"):
        load_small(tmp_path / "foreign.safetensors")
    (tmp_path / "text.safetensors").write_text("not weights, but a longer text about something else altogether")
    with pytest.raises(CheckpointError, match="no whole safetensors file"):
        load_small(tmp_path / "text.safetensors")


@pytest.mark.parametrize(
    "header",
    ["", "{", "[]", '{"width": 3}', '{"channels": 0}', json.dumps(SMALL.model_dump() | {"coarse": 9})],
)
def test_a_header_that_tells_of_another_network_is_refused(tmp_path: Path, header: str) -> None:
    save_file(build().state_dict(), tmp_path / "small.safetensors", {"pinxit.autoencoder": header})
    with pytest.raises(CheckpointError, match="not those that its header tells of"):
        load_small(tmp_path / "small.safetensors")


def test_missing_or_surplus_weights_are_refused(tmp_path: Path) -> None:
    weights, header = build().state_dict(), {"pinxit.autoencoder": json.dumps(SMALL.model_dump())}
    lacking = {name: value for name, value in weights.items() if name != "spread"}
    for wrong in (lacking, weights | {"more": torch.zeros(1)}):
        save_file(wrong, tmp_path / "small.safetensors", header)
        with pytest.raises(CheckpointError, match="not those that its header tells of"):
            load_small(tmp_path / "small.safetensors")


@pytest.mark.parametrize(
    ("channels", "scaling", "shift"),
    [(4, 0.13025, None), (4, 0.18215, 0.0), (16, 1.5305, 0.0609), (16, 0.3611, 0.1159)],
)
def test_diffusers_scaling_and_shift_are_applied(
    tmp_path: Path, channels: int, scaling: float, shift: float | None
) -> None:
    network = write_kl(tmp_path, channels, scaling_factor=scaling, shift_factor=shift)
    codec = load_autoencoder(DiffusersAutoencoderConfig(folder=str(tmp_path)))
    assert isinstance(codec, Autoencoder)
    pixels, moved = torch.rand(2, 3, 16, 24) * 2 - 1, shift or 0.0
    mean, deviation = codec.encode(pixels)
    with torch.no_grad():
        posterior = network.encode(pixels).latent_dist
        expected = network.decode(posterior.mean).sample
    assert mean.shape == (2, channels, 4, 6)
    assert_close(mean, (posterior.mean - moved) * scaling)
    assert_close(deviation, posterior.std * scaling)
    assert_close(codec.decode(mean), expected, rtol=1e-4, atol=1e-5)
    facts = {"kind": "diffusers", "factor": 4, "channels": channels, "scaling": scaling, "shift": moved}
    assert codec.identity.model_dump(exclude={"sha256"}) == facts


def test_a_diffusers_folder_is_known_by_its_weights(tmp_path: Path) -> None:
    network = write_kl(tmp_path / "a", 4)
    network.save_pretrained(tmp_path / "b")
    randomise(network, 0.2)
    network.save_pretrained(tmp_path / "c")
    first, same, other = (DiffusersCodec(tmp_path / name).identity for name in "abc")
    assert first == same
    assert first.sha256 != other.sha256


def test_a_folder_that_is_no_autoencoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        DiffusersCodec(tmp_path)
    write_kl(tmp_path, 4)
    weights = next(tmp_path.glob("*.safetensors"))
    whole = load_file(weights)
    lacking = {name: value for name, value in whole.items() if not name.startswith("decoder.conv_out")}
    save_file(lacking, weights, {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lack 2 of an AutoencoderKL's, such as decoder\.conv_out"):
        DiffusersCodec(tmp_path)
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="diffusers cannot read it"):
        DiffusersCodec(tmp_path)
    weights.unlink()
    with pytest.raises(CheckpointError, match="diffusers cannot read it"):
        DiffusersCodec(tmp_path)
