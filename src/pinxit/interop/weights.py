"""Weights out of the files that people have: our names, their own precision, and what the file tells of the network."""

import json
import pickle
import re
from argparse import Namespace
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pinxit.errors import CheckpointError
from pinxit.interop.keys import Shape
from pinxit.models.config import TransformerConfig
from pinxit.models.null import NullCondition
from pinxit.models.transformer import Transformer

AVERAGED, TRAINED = ("state_dict_ema", "ema"), ("state_dict", "model")  # where training scripts put weights
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


def count_blocks(keys: Collection[str]) -> int:
    """One more than the highest number of a block."""
    return 1 + max((int(found[1]) for key in keys if (found := re.search(r"blocks\.(\d+)\.", key))), default=-1)


@contextmanager
def sizes_of(place: Path) -> Iterator[None]:
    """Sizes that no network can have are a CheckpointError that names the place."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")
        raise CheckpointError(place, f"no network has its sizes ({said})", "name PixArt's weights") from error


def is_safetensors(file: Path) -> bool:
    """Whether a file begins as safetensors do: the header's length, then a JSON object."""
    with file.open("rb") as opened:
        return opened.read(9)[8:] == b"{"


def read_tensors(place: Path, *, plain: bool = False) -> dict[str, Tensor]:
    """All tensors of a file, or of the weights in a folder, in shards or whole; never anything but tensors.

    Of a training checkpoint the average is taken where there is one, or, if `plain`, the weights themselves.
    """
    if place.is_dir():
        return {name: value for file in weight_files(place) for name, value in read_tensors(file, plain=plain).items()}
    if not place.is_file():
        raise CheckpointError(place, "there is nothing there", REMEDY)
    if is_safetensors(place) or place.suffix == ".safetensors":
        try:
            tensors: dict[str, Tensor] = load_file(place)
        except SafetensorError as error:
            raise _broken(place, f"it is no whole safetensors file ({error})") from error
        return tensors
    return _unwrap(_unpickle(place), place, plain=plain)


def _unpickle(place: Path) -> object:
    """What torch.save wrote, if it is of tensors and plain values alone; a script's arguments are plain values."""
    try:
        with torch.serialization.safe_globals([Namespace]):
            return torch.load(place, map_location="cpu", weights_only=True, mmap=is_zipfile(place))
    except pickle.UnpicklingError as error:
        if is_zipfile(place):
            problem = "it holds more than tensors, and what it holds would be run on reading"
            raise CheckpointError(place, problem, "save its state dict alone, or name a safetensors file") from error
        raise _broken(place, "it is no file that torch saved") from error
    except (RuntimeError, EOFError, ValueError, OSError) as error:
        raise _broken(place, f"torch cannot read it ({error})") from error


def _broken(place: Path, problem: str) -> CheckpointError:
    """Says what a file is that should hold weights and does not."""
    with place.open("rb") as opened:
        start = opened.read(64).lstrip()
    if start.startswith(b"version https://git-lfs"):
        return CheckpointError(place, "it is a pointer of Git LFS: the weights were not fetched", "run git lfs pull")
    if start.startswith(b"<"):
        return CheckpointError(place, "it is a web page", "fetch the file itself")
    return CheckpointError(place, problem, REMEDY)


def _unwrap(loaded: object, place: Path, *, plain: bool) -> dict[str, Tensor]:
    """The tensors, out of the dictionary that a training script put them in."""
    if isinstance(loaded, dict):
        for key in (*TRAINED, *AVERAGED) if plain else (*AVERAGED, *TRAINED):
            if isinstance(loaded.get(key), dict) and loaded[key]:
                return _unwrap(loaded[key], place, plain=plain)
        if loaded and all(isinstance(value, Tensor) for value in loaded.values()):
            return loaded
    raise CheckpointError(place, "it holds no dictionary of tensors", REMEDY)


def read_told(file: Path) -> dict[str, Any]:
    """A JSON object of diffusers; CheckpointError where it is absent or none."""
    if not file.is_file():
        raise CheckpointError(file, "there is no such file", "name a folder of diffusers")
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(file, f"it is not JSON ({error})", "fetch it again") from error
    if not isinstance(told, dict):
        raise CheckpointError(file, "it is no JSON object", "fetch it again")
    return told


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights: safetensors before older ones, whole precision before half."""
    for name in ("safetensors", "fp16.safetensors", "bin", "fp16.bin"):
        whole = folder / f"diffusion_pytorch_model.{name}"
        index = folder / f"{whole.name}.index.json"
        if index.is_file():
            named = read_told(index).get("weight_map", {}).values()
            files = [folder / name for name in sorted(set(named))]
            if lost := [file.name for file in files if not file.is_file()]:
                raise CheckpointError(folder, f"its index names {lost}, which are not there", "fetch the folder again")
            if files:
                return files
        if whole.is_file():
            return [whole]
    raise CheckpointError(folder, "no diffusion_pytorch_model.safetensors there", "name a folder of diffusers")
