"""From a run folder, a model file, or weights in another tool's form to a pipeline with the encoders that they need."""

from pathlib import Path

import torch

from pinxit.errors import CheckpointError
from pinxit.generate.card import build_network
from pinxit.generate.config import Memory, SourceConfig
from pinxit.generate.opened import MODEL, card_of, open_source
from pinxit.generate.pipeline import Pipeline
from pinxit.interop.diffusers import network_folder
from pinxit.interop.weights import weight_files
from pinxit.models.autoencoder import load_autoencoder
from pinxit.models.config import Precision
from pinxit.models.device import Device, choose_precision
from pinxit.models.identity import hash_files
from pinxit.models.null import NullCondition
from pinxit.models.text import load_text

SHIPPED = Path(__file__).parent.parent / "weights" / "emoji.safetensors"


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


def load_pipeline(
    source: Path | None = None,
    settings: SourceConfig | None = None,
    memory: Memory = "full",
    device: Device = "cpu",
    precision: Precision = "float32",
) -> Pipeline:
    """The pipeline of a run folder, model file, original checkpoint or folder of diffusers; none: the shipped one.

    With `offload` a T5's blocks stay on disk, and are read one after another whenever prompts are encoded. `precision`
    is that of the network's products.
    """
    place, dtype = source or SHIPPED, choose_precision(precision, torch.device(device))
    opened = open_source(place, settings or SourceConfig())
    card, given = card_of(opened), opened.weights.null
    autoencoder = load_autoencoder(card.encoders.autoencoder, device)
    text = load_text(card.encoders.text, stream=memory == "offload", device=device)
    null = NullCondition(given.kind, given.states.float()) if given else NullCondition("empty", text.encode([""])[0])
    network = build_network(opened.weights.config, opened.weights.tensors).to(device)
    return Pipeline(network, null, card, autoencoder, text, sha256=hash_weights(place), dtype=dtype)


def hash_weights(place: Path) -> str:
    """The sha256 of the weights' file, or of all of them where there are several."""
    file = place / MODEL if place.is_dir() else place
    return hash_files([file] if file.is_file() else weight_files(network_folder(place)))
