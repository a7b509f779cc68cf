"""The card in a model file's header: everything that its weights belong with. It is read without them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from pinxit.config import Config
from pinxit.diffusion.config import ProcessConfig
from pinxit.errors import CheckpointError
from pinxit.generate.config import SamplingConfig
from pinxit.models.config import AutoencoderConfig, NullKind, TextConfig, TransformerConfig
from pinxit.models.identity import AutoencoderIdentity, TextIdentity
from pinxit.models.stamp import read_stamp

HEADER = "pinxit.model"
MODEL = "model.safetensors"  # a run folder's own model file
SHIPPED = Path(__file__).parent.parent / "weights" / "emoji.safetensors"


class Licence(Config):
    """A work that went into the weights, and the terms it came under."""

    name: str
    spdx: str
    note: str = ""


class Encoders(Config):
    """Where the encoders of a model were found when it was trained."""

    autoencoder: AutoencoderConfig
    text: TextConfig


class ModelCard(Config):
    """What a set of weights belongs with; loaded with another encoder it would draw noise, so it is refused."""

    version: Literal[1] = 1
    name: str
    network: TransformerConfig
    process: ProcessConfig
    autoencoder: AutoencoderIdentity
    text: TextIdentity
    null: NullKind
    encoders: Encoders
    sampling: SamplingConfig = SamplingConfig()
    resolution: int = Field(description="side of the nominal square in pixels")
    styles: tuple[str, ...] = ()
    seen: int = Field(0, description="pictures seen in training")
    stages: tuple[str, ...] = ()
    data: str = ""
    licences: tuple[Licence, ...] = ()
    ledger: Mapping[str, float] = Field(default_factory=dict, description="seconds, joules and money of the training")


def read_card(file: Path) -> ModelCard:
    """The card of a model file, without its weights."""
    said = read_stamp(file, HEADER, "name a run folder or a model file of pinxit")
    try:
        return ModelCard.model_validate_json(said)
    except ValidationError as error:
        raise CheckpointError(file, f"its card cannot be read ({error})", "update pinxit") from error


def model_file(source: Path | None) -> Path:
    """The model file that a source names: itself, the one of a run folder, or the shipped one."""
    if source is None:
        return SHIPPED
    file = source / MODEL if source.is_dir() else source
    if not file.is_file():
        raise CheckpointError(
            source, f"it is no model file, and holds no {MODEL}", "name a finished run or a model file"
        )
    return file


Identities = tuple[AutoencoderIdentity, TextIdentity]


def refuse_strangers(name: str, wanted: Identities, found: Identities) -> None:
    """Raises CheckpointError, naming both identities, where weights were trained with other encoders."""
    for what, theirs, ours in zip(("autoencoder", "text encoder"), wanted, found, strict=True):
        if theirs != ours:
            raise CheckpointError(
                name,
                f"it was trained with the {what} [{theirs!r}], and was given [{ours!r}]",
                f"load it with its own {what}",
            )
