"""Who encoded: what a cache and a model file remember, so that nothing is joined that does not belong together.

An identity is read from an encoder's files; for that no encoder is built, and torch is not imported.
"""

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pinxit.config import Config
from pinxit.errors import CheckpointError
from pinxit.models.config import AutoencoderConfig, DiffusersAutoencoderConfig, SmallAutoencoderConfig, T5Config
from pinxit.models.stamp import read_stamp

SMALL_HEADER = "pinxit.autoencoder"
SMALL_REMEDY = "name the weights of a small autoencoder of pinxit"
SHIPPED = Path(__file__).parent.parent / "weights" / "autoencoder.safetensors"
T5_WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors", "pytorch_model.bin", "pytorch_model-*-of-*.bin")


class AutoencoderIdentity(Config):
    """Which autoencoder made the latents: z = (encoded - shift) * scaling."""

    kind: str
    sha256: str
    factor: int
    channels: int
    scaling: float
    shift: float


class TextIdentity(Config):
    """Which text encoder made the caption features, after which cleaning, cut at which length."""

    kind: str
    sha256: str
    width: int
    length: int
    cleaning: str


def hash_files(files: Iterable[Path]) -> str:
    """One sha256 over the contents of files, in the order given."""
    digest = sha256()
    for file in files:
        with file.open("rb") as opened:
            while chunk := opened.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def identify_autoencoder(config: AutoencoderConfig) -> AutoencoderIdentity:
    """The identity of the autoencoder that a recipe names."""
    if isinstance(config, DiffusersAutoencoderConfig):
        return identify_diffusers(Path(config.folder))
    return identify_small(Path(config.file) if config.file else SHIPPED)


def identify_small(file: Path) -> AutoencoderIdentity:
    """The identity of a small autoencoder of pinxit, whose header holds its configuration."""
    header = read_stamp(file, SMALL_HEADER, SMALL_REMEDY)
    try:
        channels = SmallAutoencoderConfig.model_validate_json(header).channels
    except ValidationError as error:
        problem = f"its header cannot be read ({error})"
        raise CheckpointError(file, problem, "name a file written by pinxit of this version") from error
    return AutoencoderIdentity(
        kind="small", sha256=hash_files([file]), factor=8, channels=channels, scaling=1.0, shift=0.0
    )


def identify_diffusers(folder: Path) -> AutoencoderIdentity:
    """The identity of a diffusers autoencoder; what its config.json leaves out is as diffusers has it."""
    told = _read_config(folder, "name the folder of a diffusers AutoencoderKL")
    weights = find_weights(folder)
    if not weights:
        raise CheckpointError(folder, "no weights there", "put the autoencoder's weights there")
    return AutoencoderIdentity(
        kind="diffusers",
        sha256=hash_files(weights),
        factor=2 ** (len(told.get("block_out_channels", (64,))) - 1),
        channels=told.get("latent_channels", 4),
        scaling=told.get("scaling_factor", 0.18215),
        shift=told.get("shift_factor") or 0.0,
    )


def find_weights(folder: Path) -> list[Path]:
    """The weight files in a folder of diffusers: safetensors before older ones."""
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))


def identify_t5(config: T5Config) -> TextIdentity:
    """The identity of the T5 in a folder."""
    folder = Path(config.folder)
    told = _read_config(folder, "name the folder of a T5 in transformers' form")
    weights = find_t5_weights(folder)
    if not weights:
        raise CheckpointError(folder, f"no weights there ({', '.join(T5_WEIGHTS)})", "put the T5's weights there")
    return TextIdentity(
        kind="t5",
        sha256=hash_files(weights),
        width=told.get("d_model", 512),
        length=config.length,
        cleaning=config.cleaning,
    )


def find_t5_weights(folder: Path) -> list[Path]:
    """The weight files that are read from the folder, in order: safetensors before older ones, whole before split."""
    return next((files for pattern in T5_WEIGHTS if (files := sorted(folder.glob(pattern)))), [])


def _read_config(folder: Path, remedy: str) -> dict[str, Any]:
    file = folder / "config.json"
    if not file.is_file():
        raise CheckpointError(folder, "no config.json there", remedy)
    try:
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(file, f"it is not JSON ({error})", "fetch or copy it again") from error
    return told
