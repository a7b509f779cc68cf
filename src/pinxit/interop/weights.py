"""Weights out of the files that people have: our names, their own precision, and what the file tells of the network."""

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zipfile import is_zipfile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pinxit.errors import CheckpointError
from pinxit.interop.keys import Shape
from pinxit.models.config import TransformerConfig
from pinxit.models.null import NullCondition
from pinxit.models.transformer import Transformer

Which = Literal["ema", "plain"]
WRAPPED = {"ema": ("state_dict_ema", "ema"), "plain": ("state_dict", "model")}  # where training scripts put weights
REMEDY = "name a .pth, .pt, .bin or .safetensors file, or a folder of diffusers"


@dataclass(frozen=True)
class Weights:
    """A network's weights under our names, in the precision that they were found in.

    `null` is None where it is the empty text's, as the text encoder gives it; `made` says in words what they are.
    """

    config: TransformerConfig
    tensors: Mapping[str, Tensor]
    null: NullCondition | None
    made: str


def shapes_of(config: TransformerConfig) -> dict[str, Shape]:
    """The shape of every parameter of a network; nothing is allocated."""
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in Transformer(config).state_dict().items()}


def read_tensors(place: Path, which: Which = "ema") -> dict[str, Tensor]:
    """All tensors of a file, or of the weights in a folder, in shards or whole; never anything but tensors.

    Of a training checkpoint the average (`ema`) is taken where there is one, or the weights themselves (`plain`).
    """
    if place.is_dir():
        return {name: value for file in weight_files(place) for name, value in read_tensors(file, which).items()}
    if not place.is_file():
        raise CheckpointError(place, "there is nothing there", REMEDY)
    if place.suffix == ".safetensors":
        try:
            tensors: dict[str, Tensor] = load_file(place)
        except SafetensorError as error:
            raise CheckpointError(place, f"it is no whole safetensors file ({error})", "fetch it again") from error
        return tensors
    return _unwrap(_unpickle(place), place, which)


def _unpickle(place: Path) -> object:
    """What torch.save wrote, if it is of tensors and plain values alone."""
    try:
        return torch.load(place, map_location="cpu", weights_only=True, mmap=is_zipfile(place))
    except pickle.UnpicklingError as error:
        problem = "it holds more than tensors, and what it holds would be run on reading"
        raise CheckpointError(place, problem, "save its state dict alone, or name a safetensors file") from error
    except (RuntimeError, EOFError, ValueError, OSError) as error:
        raise CheckpointError(place, f"torch cannot read it ({error})", REMEDY) from error


def _unwrap(loaded: object, place: Path, which: Which) -> dict[str, Tensor]:
    """The tensors, out of the dictionary that a training script put them in."""
    if isinstance(loaded, dict):
        kinds = (which, *(kind for kind in WRAPPED if kind != which))
        for key in (key for kind in kinds for key in WRAPPED[kind]):
            if isinstance(loaded.get(key), dict) and loaded[key]:
                return _unwrap(loaded[key], place, which)
        if loaded and all(isinstance(value, Tensor) for value in loaded.values()):
            return loaded
    raise CheckpointError(place, "it holds no dictionary of tensors", REMEDY)


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights: safetensors before older ones."""
    for suffix in ("safetensors", "bin"):
        whole = folder / f"diffusion_pytorch_model.{suffix}"
        index = folder / f"{whole.name}.index.json"
        if index.is_file():
            named = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
            files = [folder / name for name in sorted(set(named))]
            if lost := [file.name for file in files if not file.is_file()]:
                raise CheckpointError(folder, f"its index names {lost}, which are not there", "fetch the folder again")
            return files
        if whole.is_file():
            return [whole]
    raise CheckpointError(folder, "no diffusion_pytorch_model.safetensors there", "name a folder of diffusers")
