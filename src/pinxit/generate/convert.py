"""Weights from one form to another: pinxit's model file, diffusers' folder, the original layout."""

from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

from pinxit.diffusion.config import IDDPMConfig
from pinxit.errors import ConfigError
from pinxit.generate.card import write_tensors
from pinxit.generate.config import Form, SourceConfig
from pinxit.generate.opened import Opened, complete, open_source
from pinxit.interop.diffusers import CONDITIONED, write_network, write_null, write_pipeline
from pinxit.interop.pixart import write_pixart
from pinxit.models.config import DiffusersAutoencoderConfig, T5Config
from pinxit.models.null import NullCondition
from pinxit.models.text import load_text


def convert(source: Path, target: Path, form: Form, settings: SourceConfig) -> Iterator[str]:
    """`target` holds the weights of `source` in another form, every number as it was; gives lines to be said."""
    if target.exists() and (target.is_file() or any(target.iterdir())):
        raise ConfigError("DEST", str(target), "something is there", "name a new file or folder, or delete it")
    opened = open_source(source, settings)
    yield f"{source}: {opened.weights.made}, {len(opened.weights.tensors)} tensors"
    yield from {"pinxit": _to_pinxit, "diffusers": _to_diffusers, "pixart": _to_pixart}[form](opened, target)


def _to_pinxit(opened: Opened, target: Path) -> Iterator[str]:
    """A model file, bound to its encoders."""
    card = complete(opened, target.stem)
    null = opened.weights.null or _empty(opened)
    write_tensors(target, opened.weights.tensors, null, card)
    yield f"null condition: {null.kind}"
    yield f"next: pinxit generate --from {target} 'a small cactus in a clay pot'"


def _to_diffusers(opened: Opened, target: Path) -> Iterator[str]:
    """A folder of diffusers: the whole pipeline where its classes fit all parts, else the network alone."""
    weights, encoders = opened.weights, opened.encoders
    if (
        isinstance(opened.process, IDDPMConfig)
        and encoders is not None
        and isinstance(encoders.autoencoder, DiffusersAutoencoderConfig)
        and isinstance(encoders.text, T5Config)
    ):
        write_pipeline(weights, target, opened.process, encoders.autoencoder, encoders.text)
        yield "a whole pipeline: PixArtAlphaPipeline.from_pretrained, or Sigma's, opens it"
    else:
        write_network(weights, target)
        yield "the network alone: diffusers' pipeline needs iDDPM, a KL autoencoder and a T5 (--autoencoder, --text)"
    if weights.config.conditions and weights.config.position_base * weights.config.patch != CONDITIONED:
        yield "diffusers' pipeline tells sizes to networks of 1024 pixels alone, and fails with this one"
    if weights.null is not None and weights.null.kind != "empty":
        file = write_null(weights.null, target)
        yield f"its null condition is no empty text; {file.name} holds it: negative_prompt_embeds=... (docs/interop.md)"


def _to_pixart(opened: Opened, target: Path) -> Iterator[str]:
    """One file in the original layout: safetensors, or by its suffix a .pth as the original training writes it."""
    if not isinstance(opened.process, IDDPMConfig):
        yield "trained as a flow: the original code and ComfyUI take its output for noise, and will draw none of it"
    if target.suffix not in {".safetensors", ".pth"}:
        raise ConfigError("DEST", str(target), "the original layout is one file", "end it in .safetensors or .pth")
    null = opened.weights.null
    if null is None and opened.encoders is not None:
        null = _empty(opened)
    if null is None:
        yield "without null states, for no text encoder is known (--text): the original code makes its own at random"
    tensors = write_pixart(opened.weights, null, opened.length)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == ".pth":
        torch.save({"state_dict": tensors}, target)
    else:
        save_file(tensors, target, {"format": "pt"})
    yield f"{len(tensors)} keys, with the position table"


def _empty(opened: Opened) -> NullCondition:
    """The empty text's states, as the encoder gives them."""
    assert opened.encoders is not None
    return NullCondition("empty", load_text(opened.encoders.text).encode([""])[0])
