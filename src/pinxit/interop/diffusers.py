"""PixArt's folders of diffusers: the transformer alone, or a whole pipeline with its encoders."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from pinxit.diffusion.config import IDDPMConfig
from pinxit.errors import CheckpointError
from pinxit.interop.keys import Table, to_ours, to_theirs
from pinxit.interop.weights import Weights, read_tensors, shapes_of
from pinxit.models.config import DiffusersAutoencoderConfig, NullKind, T5Config, TransformerConfig
from pinxit.models.null import NullCondition

ALPHA_LENGTH = 120  # caption tokens that diffusers' α pipeline reads; Σ's reads 300
CONDITIONED = 128  # latent side at which that pipeline tells the network sizes, and at no other
PIPELINES = {"PixArtAlphaPipeline": ALPHA_LENGTH, "PixArtSigmaPipeline": 300}
NULL_FILE = "null.safetensors"

TABLE: Table = {
    "patch.projection": ("pos_embed.proj",),
    "time.first": ("adaln_single.emb.timestep_embedder.linear_1",),
    "time.second": ("adaln_single.emb.timestep_embedder.linear_2",),
    "size.first": ("adaln_single.emb.resolution_embedder.linear_1",),
    "size.second": ("adaln_single.emb.resolution_embedder.linear_2",),
    "aspect.first": ("adaln_single.emb.aspect_ratio_embedder.linear_1",),
    "aspect.second": ("adaln_single.emb.aspect_ratio_embedder.linear_2",),
    "shared.linear": ("adaln_single.linear",),
    "caption.first": ("caption_projection.linear_1",),
    "caption.second": ("caption_projection.linear_2",),
    "blocks.{}.modulation.table": ("transformer_blocks.{}.scale_shift_table",),
    "blocks.{}.attention.qkv": tuple(f"transformer_blocks.{{}}.attn1.to_{part}" for part in "qkv"),
    "blocks.{}.attention.out": ("transformer_blocks.{}.attn1.to_out.0",),
    "blocks.{}.cross.query": ("transformer_blocks.{}.attn2.to_q",),
    "blocks.{}.cross.key_value": tuple(f"transformer_blocks.{{}}.attn2.to_{part}" for part in "kv"),
    "blocks.{}.cross.out": ("transformer_blocks.{}.attn2.to_out.0",),
    "blocks.{}.mlp.first": ("transformer_blocks.{}.ff.net.0.proj",),
    "blocks.{}.mlp.second": ("transformer_blocks.{}.ff.net.2",),
    "final.modulation.table": ("scale_shift_table",),
    "final.linear": ("proj_out",),
}


def network_folder(folder: Path) -> Path:
    """Where the network lies: in `transformer` of a pipeline's folder, or in the folder itself."""
    return folder / "transformer" if (folder / "model_index.json").is_file() else folder


def read_told(file: Path) -> dict[str, Any]:
    """A JSON file of diffusers; CheckpointError where it is absent or none."""
    if not file.is_file():
        raise CheckpointError(file, "there is no such file", "name a folder of diffusers")
    try:
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(file, f"it is not JSON ({error})", "fetch it again") from error
    return told


def read_diffusers(folder: Path) -> Weights:
    """The network of a folder. Its null condition is the empty text, as diffusers' pipelines have it, or the one that
    pinxit wrote beside it.
    """
    place = network_folder(folder)
    told, tensors = read_told(place / "config.json"), read_tensors(place)
    config = _config(told, place)
    return Weights(config, to_ours(tensors, TABLE, shapes_of(config), place), read_null(folder), "PixArt of diffusers")


def read_encoders(folder: Path) -> tuple[DiffusersAutoencoderConfig, T5Config] | None:
    """Where a pipeline's folder holds its encoders; None for a network alone."""
    if not (folder / "model_index.json").is_file():
        return None
    kind = read_told(folder / "model_index.json").get("_class_name")
    if kind not in PIPELINES:
        raise CheckpointError(folder, f"its pipeline is {kind}", f"name a folder of {' or '.join(PIPELINES)}")
    text = T5Config(
        folder=str(folder / "text_encoder"), tokenizer=str(folder / "tokenizer"), length=PIPELINES[str(kind)]
    )
    return DiffusersAutoencoderConfig(folder=str(folder / "vae")), text


def read_process(folder: Path) -> IDDPMConfig:
    """The noise that a pipeline's scheduler says the network was trained with; the paper's for a network alone."""
    file = folder / "scheduler" / "scheduler_config.json"
    if not file.is_file():
        return IDDPMConfig()
    told = read_told(file)
    kind, schedule = told.get("prediction_type", "epsilon"), told.get("beta_schedule", "linear")
    if (kind, schedule) != ("epsilon", "linear"):
        problem = f"it has prediction {kind!r} and betas {schedule!r}; pinxit's iDDPM predicts epsilon on linear betas"
        raise CheckpointError(file, problem, "name a pipeline of PixArt-α or -Σ")
    return IDDPMConfig(
        steps=told.get("num_train_timesteps", 1000),
        beta_first=told.get("beta_start", 1e-4),
        beta_last=told.get("beta_end", 0.02),
    )


def _config(told: Mapping[str, Any], place: Path) -> TransformerConfig:
    """The network's sizes; what the file leaves out is as diffusers has it."""
    norm = told.get("norm_type", "ada_norm_single")
    if norm != "ada_norm_single":
        raise CheckpointError(place, f"its norm is {norm!r}, which is not PixArt's", "name a folder of PixArt")
    side, patch = told.get("sample_size", CONDITIONED), told.get("patch_size", 2)
    channels, heads = told.get("in_channels", 4), told.get("num_attention_heads", 16)
    conditions, scale = told.get("use_additional_conditions"), told.get("interpolation_scale")
    return TransformerConfig(
        depth=told.get("num_layers", 28),
        width=heads * told.get("attention_head_dim", 72),
        heads=heads,
        patch=patch,
        channels=channels,
        outputs=(told.get("out_channels") or channels) // channels,
        caption_width=told.get("caption_channels") or 4096,
        conditions=side == CONDITIONED if conditions is None else conditions,
        position_base=side // patch,
        position_scale=max(side // 64, 1) if scale is None else scale,
    )


def write_network(weights: Weights, folder: Path) -> None:
    """`folder` holds the network as diffusers reads it; CheckpointError for what diffusers' network cannot do."""
    config = weights.config
    lacks = {
        "compressed keys and values": bool(config.compression.blocks),
        "projection in every block": config.modulation != "single",
        f"MLP {config.mlp_ratio:g} times as wide as itself": config.mlp_ratio != 4,
    }
    if any(lacks.values()):
        problem = f"diffusers' network has no {next(what for what, is_so in lacks.items() if is_so)}"
        raise CheckpointError(weights.made, problem, "convert to pixart, or keep it in pinxit's form")
    from diffusers import __version__

    told = {
        "_class_name": "PixArtTransformer2DModel", "_diffusers_version": __version__,
        "num_attention_heads": config.heads, "attention_head_dim": config.width // config.heads,
        "in_channels": config.channels, "out_channels": config.channels * config.outputs, "num_layers": config.depth,
        "cross_attention_dim": config.width, "sample_size": config.position_base * config.patch,
        "patch_size": config.patch, "caption_channels": config.caption_width, "norm_type": "ada_norm_single",
        "interpolation_scale": config.position_scale, "use_additional_conditions": config.conditions,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    save_file(to_theirs(weights.tensors, TABLE), folder / "diffusion_pytorch_model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def write_pipeline(
    weights: Weights, folder: Path, process: IDDPMConfig, autoencoder: DiffusersAutoencoderConfig, text: T5Config
) -> None:
    """`folder` is a whole pipeline: network, scheduler, and copies of the encoders."""
    from diffusers import DPMSolverMultistepScheduler, __version__

    write_network(weights, folder / "transformer")
    DPMSolverMultistepScheduler(
        num_train_timesteps=process.steps, beta_start=process.beta_first, beta_end=process.beta_last
    ).save_pretrained(folder / "scheduler")
    shutil.copytree(autoencoder.folder, folder / "vae", dirs_exist_ok=True)
    shutil.copytree(text.folder, folder / "text_encoder", dirs_exist_ok=True)
    shutil.copytree(text.tokenizer or text.folder, folder / "tokenizer", ignore=_weights, dirs_exist_ok=True)
    is_alpha = text.length <= ALPHA_LENGTH or weights.config.conditions
    index = {
        "_class_name": "PixArtAlphaPipeline" if is_alpha else "PixArtSigmaPipeline", "_diffusers_version": __version__,
        "scheduler": ["diffusers", "DPMSolverMultistepScheduler"], "text_encoder": ["transformers", "T5EncoderModel"],
        "tokenizer": ["transformers", "T5Tokenizer"], "transformer": ["diffusers", "PixArtTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }  # fmt: skip
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def write_null(null: NullCondition, folder: Path) -> Path:
    """The file in a folder that holds null states which diffusers, who encodes the empty text, does not know."""
    states: Tensor = null.states[None].contiguous()
    file = folder / NULL_FILE
    save_file({"negative_prompt_embeds": states}, file, {"kind": null.kind})
    return file


def read_null(folder: Path) -> NullCondition | None:
    """The null condition in a folder that pinxit wrote; None where it is the empty text."""
    file = folder / NULL_FILE
    if not file.is_file():
        return None
    with safe_open(file, framework="pt") as opened:
        kind: NullKind = "learned" if (opened.metadata() or {}).get("kind") == "learned" else "fixed"
        return NullCondition(kind, opened.get_tensor("negative_prompt_embeds")[0])


def _weights(_: str, names: list[str]) -> set[str]:
    """Which files are no part of a tokenizer."""
    return {name for name in names if name.endswith((".bin", ".safetensors")) or name == "config.json"}
