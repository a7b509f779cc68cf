"""T5 as a text encoder, from a folder: what PixArt-α reads its captions with (T5 v1.1 XXL there)."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from safetensors import safe_open
from torch import Tensor, nn
from transformers import T5Config as HFConfig
from transformers import T5EncoderModel, T5Tokenizer

from pinxit.errors import CheckpointError, MissingExtra
from pinxit.models.bits import T5_BITS, Bits, shrink
from pinxit.models.config import Memory, T5Config
from pinxit.models.device import Device, give_back
from pinxit.models.identity import T5_WEIGHTS, find_t5_weights, identify_t5
from pinxit.models.token_encoder import TokenEncoder


class _Model:
    """A T5 behind one call; released, it is made anew when it is called again."""

    def __init__(self, make: Callable[[], T5EncoderModel]) -> None:
        self._make = make
        self._made: T5EncoderModel | None = make()

    def __call__(self, ids: Int[Tensor, "b l"], keep: Bool[Tensor, "b l"]) -> Float[Tensor, "b l f"]:
        """The states of all tokens."""
        if self._made is None:
            self._made = self._make()
        states: Tensor = self._made(input_ids=ids, attention_mask=keep).last_hidden_state
        return states

    def release(self) -> None:
        """Its memory is free."""
        self._made = None
        give_back()


def load_t5(config: T5Config, *, memory: Memory = "full", device: Device = "cpu") -> TokenEncoder:
    """The encoder half of the T5 in `config.folder` in float32, with the tokenizer that lies beside it or elsewhere.

    With `offload` its blocks are read from the safetensors there whenever texts are encoded, and dropped one after
    another: the memory is that of one block and the embedding. With `8bit` and `4bit` the linear layers of its blocks
    are kept so (`bits.shrink`), each from the moment when it was read; safetensors again. Raises CheckpointError for
    what is not there or not whole, and MissingExtra where a package is absent.
    """
    folder = Path(config.folder)
    words = Path(config.tokenizer or folder)
    _check(folder, words)
    model = _Model(partial(_make, folder, memory, device))
    tokenizer = T5Tokenizer.from_pretrained(words, local_files_only=True)
    return TokenEncoder(identify_t5(config), tokenizer.backend_tokenizer, model, device, release=model.release)


def _make(folder: Path, memory: Memory, device: Device) -> T5EncoderModel:
    if memory == "full":
        model = _whole(folder).to(device)
    elif memory == "offload":
        model = _on_disk(folder, device)
    else:
        model = _shrunk(folder, T5_BITS[memory], device)
    return model.eval().requires_grad_(False)


def _whole(folder: Path) -> T5EncoderModel:
    model, report = T5EncoderModel.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
    )
    _refuse_gaps(folder, report["missing_keys"])
    return model


def _on_disk(folder: Path, device: Device) -> T5EncoderModel:
    """A T5 whose blocks have weights only while they are run."""
    model, files = _without_weights(folder)
    for name in ("shared", "encoder.final_layer_norm"):
        _fill(files, device, name, model.get_submodule(name))
    for place, block in enumerate(model.encoder.block):
        block.register_forward_pre_hook(partial(_fill, files, device, f"encoder.block.{place}"))
        block.register_forward_hook(_empty)
    return model


def _shrunk(folder: Path, bits: Bits, device: Device) -> T5EncoderModel:
    """A T5 whose linear layers take few bits a number; of float32 there is never more than one of them."""
    model, files = _without_weights(folder)
    for name, part in model.named_modules():
        if not list(part.parameters(recurse=False)):
            continue
        _fill(files, device, name, part)
        if isinstance(part, nn.Linear):
            shrink(part, bits)
    return model


def _without_weights(folder: Path) -> tuple[T5EncoderModel, dict[str, Path]]:
    """A T5 on the meta device, and the file that holds each of its weights."""
    with torch.device("meta"):
        model = T5EncoderModel(HFConfig.from_pretrained(folder, local_files_only=True))
    files = _files_of_keys(folder)
    wanted = set(model.state_dict()) - {"encoder.embed_tokens.weight"}  # which is `shared`
    _refuse_gaps(folder, wanted - files.keys())
    model.encoder.set_input_embeddings(model.shared)
    return model, files


def _files_of_keys(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in find_t5_weights(folder):
        if file.suffix != ".safetensors":
            problem, remedy = (
                f"{file.name} cannot be read in parts",
                "save it as safetensors, or read it whole: --memory full",
            )
            raise CheckpointError(folder, problem, remedy)
        with safe_open(file, framework="pt") as opened:
            found |= dict.fromkeys(opened.keys(), file)
    return found


def _fill(files: Mapping[str, Path], device: Device, name: str, module: nn.Module, *_: object) -> None:
    """The module has its weights, in float32, on the device."""
    state = {}
    for key in module.state_dict():
        with safe_open(files[f"{name}.{key}"], framework="pt") as opened:
            state[key] = opened.get_tensor(f"{name}.{key}").to(device).float()
    module.load_state_dict(state, assign=True)
    module.requires_grad_(False)


def _empty(module: nn.Module, *_: object) -> None:
    """The module has forgotten its weights."""
    module.to("meta")


def _refuse_gaps(folder: Path, missing: Collection[str]) -> None:
    if missing:
        raise CheckpointError(folder, f"its weights lack {sorted(missing)}", "name a folder with a whole T5 encoder")


def _check(folder: Path, words: Path) -> None:
    if not (folder / "config.json").is_file():
        raise CheckpointError(folder, "no config.json there", "name the folder of a T5 in transformers' form")
    if not find_t5_weights(folder):
        raise CheckpointError(folder, f"no weights there ({', '.join(T5_WEIGHTS)})", "put the T5's weights there")
    if (words / "tokenizer.json").is_file():
        return
    if not (words / "spiece.model").is_file():
        raise CheckpointError(
            words, "no tokenizer there", "copy tokenizer.json or spiece.model of the same T5 beside config.json"
        )
    if find_spec("sentencepiece") is None:
        raise MissingExtra("reading spiece.model", "sentencepiece", "pip install sentencepiece protobuf")
