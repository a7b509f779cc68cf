"""An adapter file: one task's branch, and in its header the backbone, the encoders and the grid it belongs with."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field, ValidationError
from safetensors.torch import load_file
from torch import Tensor

from pinxit.config import Config
from pinxit.data.config import TaskConfig
from pinxit.diffusion.config import ProcessConfig
from pinxit.errors import CheckpointError, ConfigError
from pinxit.generate.card import Licence
from pinxit.generate.config import SamplingConfig
from pinxit.generate.stored import write_stamped
from pinxit.models.adapter.control import Controlled
from pinxit.models.config import ControlConfig, NullKind
from pinxit.models.identity import AutoencoderIdentity, TextIdentity
from pinxit.models.null import HELD, NullCondition, hold_null
from pinxit.models.stamp import read_stamp
from pinxit.models.transformer import Transformer

HEADER = "pinxit.adapter"
ADAPTER = "adapter.safetensors"  # in a run folder
SHIPPED_TOOLS = Path(__file__).parent.parent / "weights" / "tools"  # a file a task, for the model that ships


class AdapterCard(Config):
    """What a branch belongs with; on another backbone it would draw noise, so it is refused there."""

    version: Literal[1] = 1
    name: str
    task: TaskConfig
    control: ControlConfig
    whole: bool = Field(description="the file holds the backbone too, trained with the branch")
    backbone: str = Field(description="fingerprint of the weights that training began with")
    null: NullKind = Field("empty", description="the backbone's null condition")
    process: ProcessConfig
    autoencoder: AutoencoderIdentity
    text: TextIdentity
    sampling: SamplingConfig
    resolution: int = Field(description="side of the nominal square in pixels")
    seen: int = Field(0, description="pictures seen in training")
    data: str = ""
    licences: tuple[Licence, ...] = ()
    ledger: Mapping[str, float] = Field(default_factory=dict, description="seconds, joules and money of the training")


def fingerprint(network: Transformer) -> str:
    """The sha256 of a network's settings and of its weights in half precision, in which models are shipped.

    ConfigError where the weights are kept in fewer bits, which no fingerprint can be taken of.
    """
    if any(type(parameter.data) is not Tensor for parameter in network.parameters()):
        problem = "an adapter goes with the very weights that it was trained on"
        raise ConfigError("memory", "8bit or 4bit", problem, "say full or offload")
    digest = sha256(network.config.model_dump_json(exclude={"position_base", "position_scale"}).encode())
    for name, tensor in sorted(network.state_dict().items()):
        if name.startswith(f"{HELD}."):  # a model file keeps its null condition beside the network
            continue
        digest.update(name.encode())
        digest.update(tensor.detach().half().contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def find_adapter(source: Path | str) -> Path:
    """The file of an adapter: the source itself, the one of a run folder, or by the name of its task one that ships;
    CheckpointError where there is none of these.
    """
    place = Path(source)
    file = place / ADAPTER if place.is_dir() else place
    if file.is_file():
        return file
    shipped = {file.stem: file for file in sorted(SHIPPED_TOOLS.glob("*.safetensors"))}
    if str(source) in shipped:
        return shipped[str(source)]
    known = f", or one that ships: {', '.join(shipped)}" if shipped else ""
    problem = f"it is no adapter, and holds no {ADAPTER}" if place.exists() else "there is no such file"
    raise CheckpointError(place, problem, f"name an adapter file of pinxit, a run that teaches a condition{known}")


def write_adapter(file: Path, network: Controlled, card: AdapterCard, dtype: torch.dtype = torch.float16) -> None:
    """`file` is one safetensors with the branch, or with all of the network, and the card in its header."""
    part = network if card.whole else network.control
    tensors = {name: tensor.detach().to(dtype) for name, tensor in part.state_dict().items()}
    write_stamped(file, tensors, HEADER, card)


def read_adapter_card(file: Path) -> AdapterCard:
    """The card of an adapter file, without its weights; CheckpointError where it is none, or not whole."""
    said = read_stamp(file, HEADER, "name an adapter file of pinxit, or a run that teaches a condition")
    try:
        return AdapterCard.model_validate_json(said)
    except ValidationError as error:
        raise CheckpointError(file, f"its card cannot be read ({error})", "update pinxit") from error


def join_adapter(base: Transformer, file: Path) -> tuple[Controlled, AdapterCard]:
    """The backbone with the file's branch, in evaluation mode; `base`, which is too, is shared and keeps its weights.

    CheckpointError where the branch was trained on another backbone, or does not hold the weights that its card tells.
    """
    card = read_adapter_card(file)
    found = fingerprint(base)
    if found != card.backbone:
        problem = f"it was trained on the backbone {card.backbone[:12]}, and this one is {found[:12]}"
        raise CheckpointError(file, problem, "use it with the weights that its training began with: --from")
    tensors = {name: tensor.float() for name, tensor in load_file(file).items()}
    if card.whole:
        with torch.device("meta"):
            network = Controlled(Transformer(base.config), card.control)
        if (held := tensors.get(f"base.{HELD}.states")) is not None:
            hold_null(network.base, NullCondition(card.null, held))
        part: torch.nn.Module = network
    else:
        network = Controlled(base, card.control)
        part = network.control
    try:
        part.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        problem = f"its weights are not those that its card tells of ({' '.join(str(error).split())[:200]})"
        raise CheckpointError(file, problem, "fetch or copy it again") from error
    device = next(base.parameters()).device
    return network.eval().requires_grad_(False).to(device), card
