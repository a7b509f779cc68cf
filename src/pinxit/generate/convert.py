"""Weights from one form to another: pinxit's model file, diffusers' folder, the original layout."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from pinxit.diffusion.config import IDDPMConfig
from pinxit.errors import ConfigError
from pinxit.generate.config import Form, SourceConfig
from pinxit.generate.opened import Opened, card_of, open_source
from pinxit.generate.stored import write_tensors
from pinxit.interop.diffusers import CONDITIONED, write_network, write_null, write_pipeline
from pinxit.interop.pixart import HEAD_WIDTH, write_pixart
from pinxit.models.config import DiffusersAutoencoderConfig, T5Config, TextConfig
from pinxit.models.identity import find_t5_weights
from pinxit.models.null import NullCondition
from pinxit.models.text import load_text

SUFFIXES = {"pinxit": (".safetensors",), "diffusers": ("",), "pixart": (".safetensors", ".pth")}


def convert(source: Path, target: Path, form: Form, settings: SourceConfig) -> Iterator[str]:
    """`target` holds the weights of `source` in another form, every number as it was; gives lines to be said.

    It is written beside its place and moved there, so it is whole or absent.
    """
    _refuse_target(target, form)
    opened = open_source(source, settings)
    config = opened.weights.config
    yield (
        f"{source}: {opened.weights.made}, {config.depth} blocks of width {config.width} with {config.heads} heads, "
        f"captions of {opened.length} tokens, {len(opened.weights.tensors)} tensors"
    )
    if form != "pinxit" and not isinstance(opened.process, IDDPMConfig):
        yield "trained as a flow: other tools will take its output for noise, and draw nothing with it"
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".part-{target.name}")
    try:
        yield from WRITERS[form](opened, temporary)
        temporary.rename(target)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        temporary.unlink(missing_ok=True)


def _refuse_target(target: Path, form: Form) -> None:
    if target.exists():
        raise ConfigError("DEST", str(target), "something is there", "name a new file or folder, or delete it")
    wanted = SUFFIXES[form]
    if wanted != ("",) and target.suffix not in wanted:
        raise ConfigError("DEST", str(target), f"{form} is one file", f"end it in {' or '.join(wanted)}")


def _to_pinxit(opened: Opened, target: Path) -> Iterator[str]:
    """A model file, bound to its encoders."""
    card = card_of(opened)
    null = opened.weights.null or _empty(card.encoders.text)
    write_tensors(target, opened.weights.tensors, null, card)
    yield f"null condition: {null.kind}"


def _to_diffusers(opened: Opened, target: Path) -> Iterator[str]:
    """A folder of diffusers: the whole pipeline where its classes fit all parts, else the network alone."""
    weights, autoencoder, text = opened.weights, opened.autoencoder, opened.text
    if (
        isinstance(opened.process, IDDPMConfig)
        and isinstance(autoencoder, DiffusersAutoencoderConfig)
        and isinstance(text, T5Config)
    ):
        write_pipeline(weights, target, opened.process, autoencoder, text)
        yield "a whole pipeline: PixArtAlphaPipeline.from_pretrained, or Sigma's, opens it"
    else:
        write_network(weights, target)
        yield "the network alone: diffusers' pipeline needs iDDPM, a KL autoencoder and a T5 (--autoencoder, --text)"
    if weights.config.conditions and weights.config.position_base * weights.config.patch != CONDITIONED:
        yield "diffusers' pipeline tells sizes to networks of 1024 pixels alone, and fails with this one"
    if weights.null is not None and weights.null.kind != "empty":
        file = write_null(weights.null, target, opened.length)
        yield f"its null condition is no empty text; {file.name} holds it: negative_prompt_embeds=... (docs/interop.md)"


def _to_pixart(opened: Opened, target: Path) -> Iterator[str]:
    """One file in the original layout: safetensors, or by its suffix a .pth as the original training writes it."""
    config, null = opened.weights.config, opened.weights.null
    if null is None and opened.text is not None:
        null = _empty(opened.text)
    if null is None:
        yield "without null states, for no text encoder is known (--text): the original code makes its own at random"
    elif null.kind == "learned":
        yield "its null states are learned: the original code takes as many of them as the caption has tokens"
    if config.width != HEAD_WIDTH * config.heads:
        yield f"its heads are {config.width // config.heads} wide, which the file does not tell: others will think 72"
    tensors = write_pixart(opened.weights, null, opened.length)
    if target.suffix == ".pth":
        torch.save({"state_dict": tensors}, target)
    else:
        save_file(tensors, target, {"format": "pt"})
    yield f"{len(tensors)} keys, with the position table"


WRITERS: Mapping[Form, Callable[[Opened, Path], Iterator[str]]] = {
    "pinxit": _to_pinxit, "diffusers": _to_diffusers, "pixart": _to_pixart,
}  # fmt: skip


def _empty(text: TextConfig) -> NullCondition:
    """The empty text's states, as the encoder gives them; a T5's blocks stay on disk where its files allow it."""
    stream = isinstance(text, T5Config) and all(f.suffix == ".safetensors" for f in find_t5_weights(Path(text.folder)))
    return NullCondition("empty", load_text(text, memory="offload" if stream else "full").encode([""])[0])
