"""Identities read from files alone, against those that the encoders built from these files state."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pinxit.errors import CheckpointError
from pinxit.models.autoencoder import SmallAutoencoder, load_autoencoder
from pinxit.models.config import AutoencoderConfig, DiffusersAutoencoderConfig, SmallAutoencoderConfig, SmallCodecConfig
from pinxit.models.identity import identify_autoencoder, identify_diffusers, identify_small


def small(file: Path) -> AutoencoderConfig:
    sizes = SmallAutoencoderConfig(channels=5, fine=8, coarse=8)
    save_file(SmallAutoencoder(sizes).state_dict(), file, {"pinxit.autoencoder": sizes.model_dump_json()})
    return SmallCodecConfig(file=str(file))


def diffusers(folder: Path, **scaling: float) -> AutoencoderConfig:
    from diffusers import AutoencoderKL

    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    network = AutoencoderKL(block_out_channels=(4, 4), norm_num_groups=2, latent_channels=7, **blocks, **scaling)
    network.save_pretrained(folder)
    return DiffusersAutoencoderConfig(folder=str(folder))


def test_a_small_autoencoder_is_known_by_its_file(tmp_path: Path) -> None:
    config = small(tmp_path / "a.safetensors")
    assert identify_autoencoder(config) == load_autoencoder(config).identity


def test_the_shipped_autoencoder_is_known_by_its_file() -> None:
    assert identify_autoencoder(SmallCodecConfig()) == load_autoencoder(SmallCodecConfig()).identity


@pytest.mark.parametrize("scaling", [{}, {"scaling_factor": 1.5, "shift_factor": 0.25}])
def test_a_diffusers_autoencoder_is_known_by_its_folder(tmp_path: Path, scaling: dict[str, float]) -> None:
    config = diffusers(tmp_path, **scaling)
    assert identify_autoencoder(config) == load_autoencoder(config).identity


def test_what_an_old_config_leaves_out_is_as_diffusers_has_it(tmp_path: Path) -> None:
    config, file = diffusers(tmp_path), tmp_path / "config.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps({key: told[key] for key in told if not key.endswith("_factor")}))
    assert identify_autoencoder(config) == load_autoencoder(config).identity


def test_other_weights_have_another_identity(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first, second = small(tmp_path / "a.safetensors"), small(tmp_path / "b.safetensors")
    assert identify_autoencoder(first) != identify_autoencoder(second)


def test_a_small_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    with pytest.raises(CheckpointError, match="there is no such file"):
        identify_small(file)
    file.write_bytes(b"short")
    with pytest.raises(CheckpointError, match="no whole safetensors file"):
        identify_small(file)
    save_file({"weight": torch.zeros(1)}, file)
    with pytest.raises(CheckpointError, match=r"no 'pinxit\.autoencoder'"):
        identify_small(file)
    save_file({"weight": torch.zeros(1)}, file, {"pinxit.autoencoder": '{"channels": 0}'})
    with pytest.raises(CheckpointError, match="its header cannot be read"):
        identify_small(file)


def test_a_folder_that_is_not_whole_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        identify_diffusers(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="not JSON"):
        identify_diffusers(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="no weights there"):
        identify_diffusers(tmp_path)


def test_to_know_an_autoencoder_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from pinxit.models.config import SmallCodecConfig as C; from pinxit.models import identity\n"
        "identity.identify_autoencoder(C()); sys.exit(', '.join({'torch', 'diffusers'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr.strip() == ""
    )
