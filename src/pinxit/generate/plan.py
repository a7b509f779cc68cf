"""What drawing will need of memory, part by part, from headers and settings alone: no weights are loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

import torch
from safetensors import safe_open
from torch import nn

from pinxit.generate.opened import Opened, card_of
from pinxit.generate.pipeline import PIXELS
from pinxit.models.bits import NETWORK_BITS, T5_BITS, Bits, size_of
from pinxit.models.config import DiffusersAutoencoderConfig, Memory, T5Config, TextConfig, TransformerConfig
from pinxit.models.identity import SHIPPED, find_weights
from pinxit.models.minilm import find_folder
from pinxit.models.noise import hushed
from pinxit.models.transformer import Transformer

FLOAT = 4  # bytes of a number at work
PROGRAM = 350 * 2**20  # of Python with the libraries, measured
TENSORS = 12  # of tokens x width at once in a block: measured at 768 and 1024 pixels
DECODING = {"diffusers": 6000, "small": 1500}  # bytes a pixel at most in the decoder, measured at 256 pixels
WIDENING: Mapping[Bits, int] = {8: 12, 4: 40}  # bytes a number of the largest layer as it is kept or used, measured

Turn = Literal["always", "words", "picture"]


@dataclass(frozen=True)
class Need:
    """Bytes of one part: held all of its turn, or only while it works. Words are encoded before the picture's turn."""

    name: str
    held: int
    working: int = 0
    turn: Turn = "always"


def plan(opened: Opened, memory: Memory, size: tuple[int, int], at_once: int) -> list[Need]:
    """The needs of drawing `at_once` pictures of `size` (height and width in pixels) together.

    They are estimates, for one pass after another. In `full` everything is held always; else the text encoder is gone
    when the network comes.
    """
    card, network = card_of(opened), opened.weights.config
    height, width = size
    step = card.autoencoder.factor * network.patch
    tokens = at_once * (height // step) * (width // step)
    decoded = min(PIXELS, min(at_once, max(1, PIXELS // (height * width))) * height * width)
    autoencoder = card.encoders.autoencoder
    if isinstance(autoencoder, DiffusersAutoencoderConfig):
        files = find_weights(Path(autoencoder.folder))
    else:
        files = [Path(autoencoder.file or SHIPPED)]
    return [
        Need("Python and libraries", PROGRAM),
        _text(card.encoders.text, memory),
        _network(network, tokens, memory),
        Need("autoencoder", FLOAT * count_numbers(files)),
        Need("its decoder at work", 0, DECODING[autoencoder.kind] * decoded, "picture"),
    ]


def peak(needs: list[Need]) -> int:
    """Bytes of all that is held at once, and of the part that then works with most, in the turn that takes more."""
    turns = [[need for need in needs if need.turn in {"always", turn}] for turn in ("words", "picture")]
    return max(sum(need.held for need in turn) + max(need.working for need in turn) for turn in turns)


def count_parameters(module: nn.Module) -> int:
    """Of a module that may be on the meta device."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_numbers(files: list[Path]) -> int:
    """In safetensors by their headers; of other files as if they were in single precision."""
    total = 0
    for file in files:
        if file.suffix != ".safetensors":
            total += file.stat().st_size // FLOAT
            continue
        with safe_open(file, framework="np") as opened:
            total += sum(prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118
    return total


def _network(config: TransformerConfig, tokens: int, memory: Memory) -> Need:
    """The denoiser; in few bits, a layer is wide again while it works."""
    with torch.device("meta"):
        network = Transformer(config)
    working, turn = TENSORS * tokens * config.width * FLOAT, _turn("picture", memory)
    bits = NETWORK_BITS.get(memory)
    if bits is None:
        return Need("network", FLOAT * count_parameters(network), working, turn)
    held, widest = _shrunk(network, network.blocks, bits)
    return Need(f"network in {bits} bits", held, working + widest, turn)


def _text(config: TextConfig, memory: Memory) -> Need:
    """A text encoder; of a T5 on disk the embedding is held, and one block works at a time."""
    if not isinstance(config, T5Config):
        return Need("text encoder", FLOAT * count_numbers([find_folder() / "model.safetensors"]))
    with hushed():
        from transformers import T5Config as HFConfig
        from transformers import T5EncoderModel

    with torch.device("meta"):
        model = T5EncoderModel(HFConfig.from_pretrained(config.folder, local_files_only=True))
    if memory == "full":
        return Need("text encoder", FLOAT * count_parameters(model))
    turn = _turn("words", memory)
    if memory == "offload":
        embedding, block = count_parameters(model.shared), count_parameters(model.encoder.block[0])
        return Need("text encoder, its blocks on disk", FLOAT * embedding, 2 * FLOAT * block, turn)
    return Need(f"text encoder in {T5_BITS[memory]} bits", *_shrunk(model, model.encoder.block, T5_BITS[memory]), turn)


def _turn(turn: Turn, memory: Memory) -> Turn:
    return "always" if memory == "full" else turn


def _shrunk(whole: nn.Module, blocks: nn.Module, bits: Bits) -> tuple[int, int]:
    """Bytes of a module whose blocks' linear layers are kept in so many bits, and of the largest one at work."""
    weights = [part.weight for part in blocks.modules() if isinstance(part, nn.Linear)]
    rest = count_parameters(whole) - sum(weight.numel() for weight in weights)
    packed = sum(size_of(weight.shape[0], weight.shape[1], bits) for weight in weights)
    return FLOAT * rest + packed, WIDENING[bits] * max(weight.numel() for weight in weights)
