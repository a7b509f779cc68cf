"""A model file: weights, the null condition's states, and the card in its header."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from pinxit.config import Config
from pinxit.generate.card import HEADER, ModelCard, read_card
from pinxit.models.bits import Bits, shrink
from pinxit.models.config import TransformerConfig
from pinxit.models.device import Device
from pinxit.models.null import NullCondition
from pinxit.models.transformer import Transformer

NULL_STATES = "null.states"


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
