"""What any source of weights holds: a run or model file of pinxit, an original checkpoint, a folder of diffusers."""

from dataclasses import dataclass, replace
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from pinxit.diffusion.config import IDDPMConfig, ProcessConfig
from pinxit.errors import CheckpointError, ConfigError
from pinxit.generate.card import HEADER, Encoders, ModelCard, read_card, read_tensors
from pinxit.generate.config import SourceConfig
from pinxit.interop.diffusers import (
    ALPHA_LENGTH,
    network_folder,
    read_diffusers,
    read_encoders,
    read_process,
    read_told,
)
from pinxit.interop.dit import read_dit
from pinxit.interop.keys import look_of
from pinxit.interop.pixart import read_pixart
from pinxit.interop.weights import Weights
from pinxit.interop.weights import read_tensors as read_foreign
from pinxit.models.config import DiffusersAutoencoderConfig, T5Config, TransformerConfig
from pinxit.models.identity import identify_autoencoder
from pinxit.models.text import identify_text

MODEL = "model.safetensors"  # a run folder's own model file
FACTOR = 8  # of the autoencoders of PixArt-α and -Σ


@dataclass(frozen=True)
class Opened:
    """Weights, the noise that they were trained with, and, where they are known, their encoders and their card."""

    weights: Weights
    process: ProcessConfig
    encoders: Encoders | None
    card: ModelCard | None

    @property
    def length(self) -> int:
        """Caption tokens that the network reads."""
        if self.encoders is not None:
            return self.encoders.text.length
        return ALPHA_LENGTH if self.weights.null is None else len(self.weights.null.states)


def open_source(source: Path, settings: SourceConfig) -> Opened:
    """All that the source tells. Encoders that `settings` names take the place of those that it names."""
    file = source / MODEL if source.is_dir() else source
    if file.is_file() and _is_ours(file):
        card = read_card(file)
        tensors, null = read_tensors(file, card)
        made = Weights(card.network, tensors, null, card.name)
        return _with_encoders(Opened(made, card.process, card.encoders, card), settings)
    if source.is_dir():
        return _with_encoders(_open_folder(source, settings), settings)
    weights = _open_tensors(read_foreign(source, settings.which), source, settings)
    return _with_encoders(Opened(weights, IDDPMConfig(), None, None), settings)


def complete(opened: Opened, name: str) -> ModelCard:
    """The card that the weights have, or should have; raises ConfigError where the encoders are not known."""
    if opened.card is not None:
        return opened.card
    if opened.encoders is None:
        problem = "the weights come without their encoders, and a model of pinxit is bound to them"
        raise ConfigError("encoders", None, problem, "say where they are: --autoencoder FOLDER --text FOLDER")
    network, null = opened.weights.config, opened.weights.null
    card = ModelCard(
        name=name, network=network, process=opened.process, encoders=opened.encoders,
        autoencoder=identify_autoencoder(opened.encoders.autoencoder), text=identify_text(opened.encoders.text),
        null="empty" if null is None else null.kind, resolution=network.position_base * network.patch * FACTOR,
        data=opened.weights.made,
    )  # fmt: skip
    _check_widths(card)
    return card


def _check_widths(card: ModelCard) -> None:
    for field, value, wanted in (
        ("autoencoder", card.autoencoder.channels, card.network.channels),
        ("text", card.text.width, card.network.caption_width),
    ):
        if value != wanted:
            what = "channels" if field == "autoencoder" else "wide"
            problem = f"it is of {value} {what}, and the network reads {wanted}"
            raise ConfigError(
                field, getattr(card.encoders, field).folder, problem, "name the one that it was trained with"
            )


def _is_ours(file: Path) -> bool:
    if file.suffix != ".safetensors":
        return False
    try:
        with safe_open(file, framework="np") as opened:
            return HEADER in (opened.metadata() or {})
    except SafetensorError as error:
        raise CheckpointError(file, f"it is no whole safetensors file ({error})", "fetch it again") from error


def _open_folder(folder: Path, settings: SourceConfig) -> Opened:
    """A folder of diffusers: PixArt, or a class-conditional DiT."""
    place = network_folder(folder)
    if not (place / "config.json").is_file():
        problem = f"it holds neither {MODEL} nor a network of diffusers (config.json)"
        raise CheckpointError(folder, problem, "name a finished run, a model file, or a folder of diffusers")
    told = read_told(place / "config.json")
    if told.get("norm_type") != "ada_norm_zero" and told.get("_class_name") != "DiTTransformer2DModel":
        found = read_encoders(folder)
        encoders = found and Encoders(autoencoder=found[0], text=found[1])
        return Opened(read_diffusers(folder), read_process(folder), encoders, None)
    base = told.get("sample_size", 32) // told.get("patch_size", 2)
    wanted = _wanted(settings, base)
    heads = told.get("num_attention_heads", 16)
    return Opened(read_dit(read_foreign(place), place, wanted, heads=heads), IDDPMConfig(), None, None)


def _open_tensors(tensors: dict[str, Tensor], file: Path, settings: SourceConfig) -> Weights:
    """A single file in an original layout."""
    if "t_block.1.weight" in tensors:
        return read_pixart(tensors, file, heads=settings.heads, resolution=settings.resolution)
    if "blocks.0.adaLN_modulation.1.weight" in tensors:
        base = (settings.resolution or 256) // (2 * FACTOR)
        return read_dit(tensors, file, _wanted(settings, base), heads=settings.heads)
    look, folder = look_of(tensors), file.parent
    if "adaln_single.linear.weight" in tensors or "proj_out_1.weight" in tensors:
        problem, remedy = f"it looks like {look}, whose sizes stand in a config.json beside it", f"name {folder}"
        raise CheckpointError(file, problem, remedy)
    raise CheckpointError(
        file, f"it looks like {look}", "name weights of PixArt-α, PixArt-Σ or a class-conditional DiT"
    )


def _wanted(settings: SourceConfig, base: int) -> TransformerConfig:
    """What a DiT does not tell of the network that it becomes."""
    return TransformerConfig(caption_width=settings.caption_width, conditions=settings.conditions, position_base=base)


def _with_encoders(opened: Opened, settings: SourceConfig) -> Opened:
    """The same with the encoders that are named beside it."""
    autoencoder, text = opened.encoders and opened.encoders.autoencoder, opened.encoders and opened.encoders.text
    if settings.autoencoder:
        autoencoder = DiffusersAutoencoderConfig(folder=settings.autoencoder)
    if settings.text:
        text = T5Config(folder=settings.text, length=settings.length or opened.length)
    if autoencoder is None or text is None:
        return opened
    return replace(opened, encoders=Encoders(autoencoder=autoencoder, text=text))
