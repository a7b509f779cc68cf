"""From a run folder, a model file, or weights in another tool's form to a pipeline with the encoders that they need."""

from pathlib import Path

import torch

from pinxit.generate.card import MODEL, SHIPPED
from pinxit.generate.config import SourceConfig
from pinxit.generate.opened import card_of, open_source, read_weights
from pinxit.generate.pipeline import Pipeline
from pinxit.generate.stored import build_network
from pinxit.interop.diffusers import network_folder
from pinxit.interop.weights import weight_files
from pinxit.models.autoencoder import load_autoencoder
from pinxit.models.bits import NETWORK_BITS, require_torchao
from pinxit.models.config import Memory, Precision
from pinxit.models.device import Device, choose_precision, give_back
from pinxit.models.identity import hash_files
from pinxit.models.null import NullCondition
from pinxit.models.text import load_text
from pinxit.models.transformer import Transformer


def load_pipeline(
    source: Path | None = None,
    settings: SourceConfig | None = None,
    memory: Memory = "full",
    device: Device = "cpu",
    precision: Precision = "float32",
) -> Pipeline:
    """The pipeline of a run folder, model file, original checkpoint or folder of diffusers; none: the shipped one.

    All but `full` never hold the T5 and the network together: see `Pipeline`. With `offload` the T5's blocks stay on
    disk, and are read one after another whenever prompts are encoded. With `8bit` the linear layers in the blocks of
    both are kept in int8; with `4bit` the T5's in NF4, the network's in int8. MissingExtra where torchao is absent.
    `precision` is that of the network's products.
    """
    if memory in NETWORK_BITS:
        require_torchao()
    place, told, dtype = (
        source or SHIPPED,
        settings or SourceConfig(),
        choose_precision(precision, torch.device(device)),
    )
    opened = open_source(place, told)
    card, given = card_of(opened), opened.weights.null
    network = build_network(card.network, opened.weights.tensors, device) if memory == "full" else None
    del opened  # or its tensors would stay beside the text encoder
    autoencoder = load_autoencoder(card.encoders.autoencoder, device)
    text = load_text(card.encoders.text, memory=memory, device=device)
    null = NullCondition(given.kind, given.states.float()) if given else NullCondition("empty", text.encode([""])[0])

    def build() -> Transformer:
        text.release()
        built = build_network(card.network, read_weights(place, told).tensors, device, NETWORK_BITS.get(memory))
        give_back()
        return built

    return Pipeline(
        network or build, null, card, autoencoder, text, sha256=hash_weights(place), dtype=dtype, device=device
    )


def hash_weights(place: Path) -> str:
    """The sha256 of the weights' file, or of all of them where there are several."""
    file = place / MODEL if place.is_dir() else place
    return hash_files([file] if file.is_file() else weight_files(network_folder(place)))
