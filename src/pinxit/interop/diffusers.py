"""PixArt's folders of diffusers: the transformer alone, or a whole pipeline with its encoders."""

import json
import shutil
from pathlib import Path

import torch
from pydantic import BaseModel, Field
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from pinxit.diffusion.config import IDDPMConfig
from pinxit.errors import CheckpointError
from pinxit.interop.dit import read_dit
from pinxit.interop.keys import Table, to_ours, to_theirs
from pinxit.interop.weights import Weights, read_tensors, read_told, shapes_of, sizes_of
from pinxit.models.config import DiffusersAutoencoderConfig, T5Config, TransformerConfig
from pinxit.models.null import NullCondition

ALPHA_LENGTH = 120  # caption tokens that diffusers' α pipeline reads; Σ's reads 300
CONDITIONED = 128  # latent side at which that pipeline tells the network sizes, and at no other
PIPELINES = {"PixArtAlphaPipeline": ALPHA_LENGTH, "PixArtSigmaPipeline": 300}
NULL_FILE = "null.safetensors"
LENGTH = "_caption_length"  # in a pipeline's index: how many tokens it was trained on; diffusers lets it be

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


class NetworkConfig(BaseModel):
    """What a folder's config.json says of the network; what it leaves out is as diffusers has it."""

    num_layers: int = Field(28, gt=0)
    num_attention_heads: int = Field(16, gt=0)
    attention_head_dim: int = Field(72, gt=0)
    in_channels: int = Field(4, gt=0)
    out_channels: int | None = Field(None, gt=0)
    sample_size: int = Field(CONDITIONED, gt=0)
    patch_size: int = Field(2, gt=0)
    caption_channels: int | None = Field(None, gt=0)
    norm_type: str = "ada_norm_single"
    use_additional_conditions: bool | None = None
    interpolation_scale: float | None = Field(None, gt=0)

    @property
    def base(self) -> int:
        """Tokens on the nominal square's side."""
        return self.sample_size // self.patch_size


def network_folder(folder: Path) -> Path:
    """Where the network lies: in `transformer` of a pipeline's folder, or in the folder itself."""
    return folder / "transformer" if (folder / "model_index.json").is_file() else folder


def is_dit(place: Path) -> bool:
    """Whether a network's folder holds a class-conditional DiT."""
    told = read_told(place / "config.json")
    return told.get("norm_type") == "ada_norm_zero" or told.get("_class_name") == "DiTTransformer2DModel"


def read_dit_folder(place: Path, wanted: TransformerConfig) -> Weights:
    """The text transformer that a class-conditional DiT becomes: see `read_dit`."""
    told = _told(place)
    wanted = wanted.model_copy(update={"position_base": told.base})
    return read_dit(read_tensors(place), place, wanted, heads=told.num_attention_heads)


def read_diffusers(folder: Path) -> Weights:
    """The network of a folder. Its null condition is the empty text, as diffusers' pipelines have it, or the one that
    pinxit wrote beside it.
    """
    place = network_folder(folder)
    with sizes_of(place):
        config = _config(_told(place), place)
    tensors = to_ours(read_tensors(place), TABLE, shapes_of(config), place)
    return Weights(config, tensors, read_null(folder), "PixArt of diffusers")


def read_encoders(folder: Path) -> tuple[DiffusersAutoencoderConfig | None, T5Config | None]:
    """Where a pipeline's folder holds its encoders; None for those that are not there."""
    if not (folder / "model_index.json").is_file():
        return None, None
    told = read_told(folder / "model_index.json")
    kind = told.get("_class_name")
    if kind not in PIPELINES:
        raise CheckpointError(folder, f"its pipeline is {kind}", f"name a folder of {' or '.join(PIPELINES)}")
    vae, text, words = (folder / name for name in ("vae", "text_encoder", "tokenizer"))
    length = told.get(LENGTH, PIPELINES[kind])
    return (
        DiffusersAutoencoderConfig(folder=str(vae)) if vae.is_dir() else None,
        T5Config(folder=str(text), tokenizer=str(words), length=length) if text.is_dir() else None,
    )


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


def _told(place: Path) -> NetworkConfig:
    with sizes_of(place):
        return NetworkConfig.model_validate(read_told(place / "config.json"))


def _config(told: NetworkConfig, place: Path) -> TransformerConfig:
    """The network's sizes."""
    if told.norm_type != "ada_norm_single":
        raise CheckpointError(
            place, f"its norm is {told.norm_type!r}, which is not PixArt's", "name a folder of PixArt"
        )
    is_told, scale = told.use_additional_conditions, told.interpolation_scale
    return TransformerConfig(
        depth=told.num_layers,
        width=told.num_attention_heads * told.attention_head_dim,
        heads=told.num_attention_heads,
        patch=told.patch_size,
        channels=told.in_channels,
        outputs=(told.out_channels or told.in_channels) // told.in_channels,
        caption_width=told.caption_channels or 4096,
        conditions=told.sample_size == CONDITIONED if is_told is None else is_told,
        position_base=told.base,
        position_scale=max(told.sample_size // 64, 1) if scale is None else scale,
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
        "vae": ["diffusers", "AutoencoderKL"], LENGTH: text.length,
    }  # fmt: skip
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def write_null(null: NullCondition, folder: Path, length: int) -> Path:
    """The file in a folder that holds null states which diffusers, who encodes the empty text, does not know.

    Fixed states go under the prompt's mask; learned ones have their own, and are padded to the prompt's `length`.
    """
    states, held = null.states, {}
    if null.kind == "learned":
        held["negative_prompt_attention_mask"] = (torch.arange(length) < len(states)).long()[None]
        states = F.pad(states, (0, 0, 0, length - len(states)))
    file = folder / NULL_FILE
    save_file({"negative_prompt_embeds": states[None].contiguous(), **held}, file)
    return file


def read_null(folder: Path) -> NullCondition | None:
    """The null condition in a folder that pinxit wrote, or in the pipeline's above; None where it is the empty text."""
    above = folder.parent if folder.name == "transformer" else folder
    file = next((place / NULL_FILE for place in (folder, above) if (place / NULL_FILE).is_file()), None)
    if file is None:
        return None
    held = load_file(file)
    if "negative_prompt_embeds" not in held:
        raise CheckpointError(file, "it holds no negative_prompt_embeds", "delete it, or write the folder again")
    states, mask = held["negative_prompt_embeds"][0], held.get("negative_prompt_attention_mask")
    if mask is None:
        return NullCondition("fixed", states)
    return NullCondition("learned", states[mask[0].bool()])


def _weights(_: str, names: list[str]) -> set[str]:
    """Which files are no part of a tokenizer."""
    return {name for name in names if name.endswith((".bin", ".safetensors")) or name == "config.json"}
