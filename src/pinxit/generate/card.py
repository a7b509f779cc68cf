"""A model file: weights and, in its header, everything they belong with."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field, ValidationError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from pinxit.config import Config
from pinxit.diffusion.config import ProcessConfig
from pinxit.errors import CheckpointError
from pinxit.generate.config import SamplingConfig
from pinxit.models.bits import Bits, shrink
from pinxit.models.config import AutoencoderConfig, NullKind, TextConfig, TransformerConfig
from pinxit.models.device import Device
from pinxit.models.identity import AutoencoderIdentity, TextIdentity
from pinxit.models.null import NullCondition
from pinxit.models.stamp import read_stamp
from pinxit.models.transformer import Transformer

HEADER = "pinxit.model"
NULL_STATES = "null.states"


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


def write_model(
    file: Path, network: Transformer, null: NullCondition, card: ModelCard, dtype: torch.dtype = torch.float32
) -> None:
    """`file` is one safetensors with the weights, the null condition's states and the card in its header."""
    tensors = {name: tensor.detach().to(dtype) for name, tensor in network.state_dict().items()}
    write_tensors(file, tensors, NullCondition(null.kind, null.states.detach().to(dtype)), card)


def write_tensors(file: Path, tensors: Mapping[str, Tensor], null: NullCondition, card: ModelCard) -> None:
    """The same, every tensor in the precision that it has."""
    write_stamped(file, {**tensors, NULL_STATES: null.states}, HEADER, card)


def write_stamped(file: Path, tensors: Mapping[str, Tensor], header: str, card: Config) -> None:
    """`file` is one whole safetensors with the card under a name in its header; it was written under another name."""
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.part")
    temporary.write_bytes(save(whole, {header: card.model_dump_json()}))
    temporary.rename(file)


def read_card(file: Path) -> ModelCard:
    """The card of a model file, without its weights."""
    said = read_stamp(file, HEADER, "name a run folder or a model file of pinxit")
    try:
        return ModelCard.model_validate_json(said)
    except ValidationError as error:
        raise CheckpointError(file, f"its card cannot be read ({error})", "update pinxit") from error


def read_model(file: Path) -> tuple[Transformer, NullCondition, ModelCard, str]:
    """Network in float32 and evaluation mode, null condition, card and the file's sha256."""
    card = read_card(file)
    tensors, null = read_tensors(file, card)
    network = build_network(card.network, tensors)
    return network, NullCondition(null.kind, null.states.float()), card, sha256(file.read_bytes()).hexdigest()


def read_tensors(file: Path, card: ModelCard) -> tuple[dict[str, Tensor], NullCondition]:
    """The weights of a model file and its null condition, in the precision that they have there."""
    tensors = load_file(file)
    null = NullCondition(card.null, tensors.pop(NULL_STATES))
    return tensors, null


def build_network(
    config: TransformerConfig, tensors: Mapping[str, Tensor], device: Device = "cpu", bits: Bits | None = None
) -> Transformer:
    """A network with these weights, in float32 and evaluation mode; with `bits`, the linear layers of its blocks so."""
    with torch.device("meta"):
        network = Transformer(config)
    network.load_state_dict(tensors, assign=True)
    inside = set(network.blocks.modules())
    for part in network.modules():
        if not list(part.children()):
            part.to(device, torch.float32)
            if bits and part in inside and isinstance(part, nn.Linear):
                shrink(part, bits)
    return network.eval().requires_grad_(False)


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
