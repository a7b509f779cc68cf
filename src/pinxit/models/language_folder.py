"""Language models on disk: folders of transformers, whole, or an adapter in peft's form; local files alone."""

import json
import sys
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from pinxit.errors import CheckpointError, ConfigError, MissingExtra
from pinxit.models.config import FolderLanguageConfig, LoraConfig
from pinxit.models.device import Device
from pinxit.models.identity import hash_files
from pinxit.models.language import CausalLanguage
from pinxit.models.noise import hushed, without_bars
from pinxit.rng import seed_at

CAUSAL = ("ForCausalLM", "LMHeadModel")  # how transformers ends the names of such networks
ADAPTER, SETTINGS = "adapter_model.safetensors", "adapter_config.json"
BASE = "pinxit.base"  # in an adapter's header: the sha256 of the weights it belongs to
REMEDY = "name a folder with a causal language model: config.json, tokenizer.json, safetensors"


def load_language(config: FolderLanguageConfig, *, seed: int = 0, device: Device = "cpu") -> CausalLanguage:
    """The model of a folder in float32; what is trained of it requires gradients: its adapters, or all of it.

    A tokenizer without a pad token is no obstacle, as nobody looks at what pads; one without a sign of the end is.
    Raises CheckpointError for what is not there, not causal or not whole, and MissingExtra for adapters without peft.
    """
    folder = Path(config.folder)
    network = _open_network(folder)
    language = CausalLanguage(network, _open_tokenizer(folder), str(folder))
    if config.adapter is not None:
        _join_adapter(network, folder, Path(config.adapter))
    elif config.lora is not None:
        add_lora(network, config.lora, seed)
    network.to(device)
    return language


def save_language(language: CausalLanguage, folder: Path, base: str | None = None, *, half: bool = False) -> None:
    """The folder holds the model and its tokenizer; an adapter alone where only that is trained, and then `base` is
    the folder of the model it belongs to. With `half` the weights are rounded to half precision.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network = deepcopy(language.network).half() if half else language.network
    if hasattr(network, "peft_config"):
        assert base is not None, "an adapter belongs to a model"
        from peft import get_peft_model_state_dict

        settings = network.peft_config["default"]
        settings.base_model_name_or_path = base
        settings.save_pretrained(folder)
        weights = {name: tensor.contiguous() for name, tensor in get_peft_model_state_dict(network).items()}
        save_file(weights, folder / ADAPTER, {"format": "pt", BASE: hash_weights(Path(base))})
    else:
        with without_bars():
            network.save_pretrained(folder)
    language.tokenizer.save_pretrained(folder)


def add_lora(network: Any, config: LoraConfig, seed: int) -> None:
    """The network has adapters that change nothing yet, and are all of it that is trained."""
    peft = _import_peft()
    layers = config.layers if isinstance(config.layers, str) else list(config.layers)
    settings = peft.LoraConfig(r=config.rank, lora_alpha=config.alpha, lora_dropout=0.0, target_modules=layers)
    network.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_at(seed, "weights/lora"))
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "fan_in_fan_out")  # peft sees for itself how GPT-2 lays its weights
                peft.inject_adapter_in_model(settings, network)
        except ValueError as error:
            raise ConfigError(
                "lora.layers", config.layers, f"no adapter fits there ({error})", "name others"
            ) from error
    network.peft_config = {"default": settings}


def hash_weights(folder: Path) -> str:
    """What tells a model's weights from another's."""
    return hash_files(sorted(folder.glob("model*.safetensors")))


def _open_network(folder: Path) -> Any:
    if not (folder / "config.json").is_file():
        found = "there is no such folder" if not folder.is_dir() else "no config.json there"
        raise CheckpointError(folder, found, REMEDY)
    with hushed():
        from transformers import AutoConfig, AutoModelForCausalLM
    try:
        form = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (ValueError, OSError, KeyError) as error:
        raise CheckpointError(folder, f"its config.json cannot be read ({error})", REMEDY) from error
    kinds = list(form.architectures or [])
    if not any(kind.endswith(CAUSAL) for kind in kinds):
        raise CheckpointError(folder, f"it holds a {' '.join(kinds) or form.model_type}, which is not causal", REMEDY)
    if not list(folder.glob("*.safetensors")):
        raise CheckpointError(folder, "no safetensors there", "save its weights as safetensors: nothing else is read")
    try:
        with hushed(), without_bars():
            network, report = AutoModelForCausalLM.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        raise CheckpointError(folder, f"its weights cannot be read ({error})", "fetch or copy it again") from error
    if report["missing_keys"]:
        raise CheckpointError(folder, f"its weights lack {sorted(report['missing_keys'])}", "fetch or copy it again")
    return network


def _open_tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(folder, f"its tokenizer cannot be read ({error})", REMEDY) from error
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise CheckpointError(folder, "its tokenizer has no tokenizer.json", "save it in that form: use_fast=True")
    if tokenizer.eos_token_id is None:
        problem = "its tokenizer has no eos_token, so no answer would end"
        raise CheckpointError(folder, problem, "name one in tokenizer_config.json")
    return tokenizer


def _join_adapter(network: Any, folder: Path, adapter: Path) -> None:
    """The network has the adapter's weights; CheckpointError where they were trained on another model's."""
    peft = _import_peft()
    remedy = "name the adapter of this model, or the model of this adapter"
    try:
        settings = peft.PeftConfig.from_pretrained(str(adapter))
        with safe_open(adapter / ADAPTER, framework="pt") as opened:
            base = (opened.metadata() or {}).get(BASE)
        weights = load_file(adapter / ADAPTER)
    except (OSError, ValueError, SafetensorError) as error:
        problem = f"no adapter in peft's form can be read there ({error})"
        raise CheckpointError(adapter, problem, f"name a folder with {SETTINGS} and {ADAPTER}") from error
    if base is not None and base != hash_weights(folder):
        was = settings.base_model_name_or_path
        raise CheckpointError(adapter, f"it was trained on another model than {folder}, on {was}", remedy)
    network.requires_grad_(False)
    try:
        peft.inject_adapter_in_model(settings, network)
        report = peft.set_peft_model_state_dict(network, weights)
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(adapter, f"it does not fit {folder} ({error})", remedy) from error
    lacking = [name for name in report.missing_keys if "lora" in name]
    if report.unexpected_keys or lacking:
        wrong = sorted([*report.unexpected_keys, *lacking])[:4]
        raise CheckpointError(adapter, f"its weights and {folder} do not match, as in {wrong}", remedy)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_("lora_" in name)
    network.peft_config = {"default": settings}


def _import_peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise MissingExtra(
            "training or reading adapters", "peft", f"{sys.executable} -m pip install 'peft>=0.21,<0.22'"
        ) from error
    return peft


def read_base(adapter: Path) -> str:
    """The folder of the model that an adapter in peft's form belongs to, as it says."""
    try:
        told = json.loads((adapter / SETTINGS).read_text(encoding="utf-8"))
        return str(told["base_model_name_or_path"])
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(adapter, f"it names no model ({error})", f"name a folder with {SETTINGS}") from error
