"""What drawing will need of memory, part by part, from headers and settings alone: no weights are loaded."""

from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from safetensors import safe_open

from pinxit.generate.config import Memory
from pinxit.generate.opened import Opened, card_of
from pinxit.generate.pipeline import PIXELS
from pinxit.models.config import DiffusersAutoencoderConfig, T5Config, TextConfig, TransformerConfig
from pinxit.models.identity import SHIPPED, find_weights
from pinxit.models.minilm import find_folder
from pinxit.models.transformer import Transformer

FLOAT = 4  # bytes of a number at work
PROGRAM = 350 * 2**20  # of Python with the libraries, measured
TENSORS = 12  # of tokens x width at once in a block: measured at 768 and 1024 pixels
DECODING = {"diffusers": 6000, "small": 1500}  # bytes a pixel at most in the decoder, measured at 256 pixels


@dataclass(frozen=True)
class Need:
    """Bytes of one part: held all the time, or only while it works."""

    name: str
    held: int
    working: int = 0


def plan(opened: Opened, memory: Memory, size: tuple[int, int], at_once: int) -> list[Need]:
    """The needs of drawing `at_once` pictures of `size` (height and width in pixels) together.

    They are estimates, for one pass after another; the peak is all that is held and the largest of what works.
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
        Need("network", FLOAT * count_parameters(network), TENSORS * tokens * network.width * FLOAT),
        Need("autoencoder", FLOAT * count_numbers(files), DECODING[autoencoder.kind] * decoded),
    ]


def peak(needs: list[Need]) -> int:
    """Bytes of all that is held, and of the part that works with most."""
    return sum(need.held for need in needs) + max(need.working for need in needs)


def count_parameters(config: TransformerConfig) -> int:
    """Of a network that is not built."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Transformer(config).parameters())


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


def _text(config: TextConfig, memory: Memory) -> Need:
    """A text encoder; of a T5 on disk the embedding is held, and one block works at a time."""
    if not isinstance(config, T5Config):
        return Need("text encoder", FLOAT * count_numbers([find_folder() / "model.safetensors"]))
    from transformers import T5Config as HFConfig
    from transformers import T5EncoderModel

    with torch.device("meta"):
        model = T5EncoderModel(HFConfig.from_pretrained(config.folder, local_files_only=True))
    whole, embedding = (sum(p.numel() for p in part.parameters()) for part in (model, model.shared))
    if memory == "full":
        return Need("text encoder", FLOAT * whole)
    block = sum(parameter.numel() for parameter in model.encoder.block[0].parameters())
    return Need("text encoder, its blocks on disk", FLOAT * embedding, 2 * FLOAT * block)
