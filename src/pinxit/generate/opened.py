"""What any source of weights holds: a run or model file of pinxit, an original checkpoint, a folder of diffusers."""

from dataclasses import dataclass, replace
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from pinxit.diffusion.config import IDDPMConfig, ProcessConfig
from pinxit.errors import CheckpointError, ConfigError
from pinxit.generate.card import HEADER, MODEL, Encoders, Licence, ModelCard, read_card, refuse_strangers
from pinxit.generate.config import SourceConfig
from pinxit.generate.stored import read_tensors
from pinxit.interop.diffusers import (
    ALPHA_LENGTH,
    is_dit,
    network_folder,
    read_diffusers,
    read_dit_folder,
    read_encoders,
    read_process,
)
from pinxit.interop.dit import read_dit
from pinxit.interop.keys import PREFIX, look_of
from pinxit.interop.pixart import read_pixart
from pinxit.interop.weights import Weights, is_safetensors
from pinxit.interop.weights import read_tensors as read_foreign
from pinxit.models.config import (
    AutoencoderConfig,
    DiffusersAutoencoderConfig,
    SmallCodecConfig,
    T5Config,
    TextConfig,
    TransformerConfig,
)
from pinxit.models.identity import AutoencoderIdentity, TextIdentity, identify_autoencoder
from pinxit.models.text import identify_text

NOT_NETWORK = (
    "vae.",
    "first_stage_model.",
    "text_encoders.",
    "cond_stage_model.",
)  # what ComfyUI saves beside a network
FACTOR = 8  # of the autoencoders of DiT, PixArt-α and -Σ


@dataclass(frozen=True)
class Opened:
    """Weights, the noise that they were trained with, and, where they are known, their encoders.

    `card` is there where both encoders are.
    """

    weights: Weights
    process: ProcessConfig
    autoencoder: AutoencoderConfig | None = None
    text: TextConfig | None = None
    card: ModelCard | None = None

    @property
    def length(self) -> int:
        """Caption tokens that it reads: as its text encoder gives them, else as its null states say, else α's."""
        if self.text is not None:
            return self.text.length
        return ALPHA_LENGTH if self.weights.null is None else len(self.weights.null.states)


def open_source(source: Path, settings: SourceConfig) -> Opened:
    """All that the source tells. Encoders that `settings` names take the place of those that it names.

    Raises CheckpointError for what cannot be read, and ConfigError for encoders that the weights do not go with.
    """
    return _carded(_with_encoders(_read(source, settings), settings), source)


def read_weights(source: Path, settings: SourceConfig) -> Weights:
    """The weights of a source alone, whatever its encoders; CheckpointError for what cannot be read."""
    return _read(source, settings).weights


def _read(source: Path, settings: SourceConfig) -> Opened:
    """What the source itself tells."""
    file = source / MODEL if source.is_dir() else source
    if file.is_file() and _is_ours(file):
        card = read_card(file)
        tensors, null = read_tensors(file, card)
        made = Weights(card.network, tensors, null, card.name)
        opened = Opened(made, card.process, card.encoders.autoencoder, card.encoders.text, card)
    elif source.is_dir():
        opened = _open_folder(source, settings)
    else:
        tensors = read_foreign(source, plain=settings.plain)
        opened = Opened(_open_tensors(tensors, source, settings), IDDPMConfig())
    _refuse_other_outputs(opened, source)
    return opened


def card_of(opened: Opened) -> ModelCard:
    """The card of the weights; raises ConfigError where an encoder is not known."""
    if opened.card is None:
        problem = "the weights come without their encoders, and a model of pinxit is bound to them"
        raise ConfigError("encoders", None, problem, "say where they are: --autoencoder FOLDER --text FOLDER")
    return opened.card


def _carded(opened: Opened, source: Path) -> Opened:
    """The same with its card, checked against the encoders that are known."""
    autoencoder = None if opened.autoencoder is None else identify_autoencoder(opened.autoencoder)
    text = None if opened.text is None else identify_text(opened.text)
    _refuse_other_widths(opened, autoencoder, text)
    if opened.autoencoder is None or opened.text is None or autoencoder is None or text is None:
        return opened
    encoders = Encoders(autoencoder=opened.autoencoder, text=opened.text)
    if opened.card is not None:
        refuse_strangers(opened.card.name, (opened.card.autoencoder, opened.card.text), (autoencoder, text))
        return replace(opened, card=opened.card.model_copy(update={"encoders": encoders}))
    network, null = opened.weights.config, opened.weights.null
    card = ModelCard(
        name=source.stem, network=network, process=opened.process, encoders=encoders, autoencoder=autoencoder,
        text=text, null="empty" if null is None else null.kind, data=opened.weights.made,
        resolution=network.position_base * network.patch * autoencoder.factor,
        licences=(Licence(name=f"weights {source.name}", spdx="NOASSERTION", note="as they were published"),),
    )  # fmt: skip
    return replace(opened, card=card)


def _refuse_other_outputs(opened: Opened, source: Path) -> None:
    outputs = opened.weights.config.outputs
    if isinstance(opened.process, IDDPMConfig) and outputs != 2:
        problem = f"it gives {outputs} times its channels, and PixArt's noise with its variance would be 2"
        raise CheckpointError(source, problem, "name weights that were trained with iDDPM, or a model of pinxit")


def _refuse_other_widths(opened: Opened, autoencoder: AutoencoderIdentity | None, text: TextIdentity | None) -> None:
    network, null = opened.weights.config, opened.weights.null
    remedy = "name the one that it was trained with"
    if autoencoder is not None and autoencoder.channels != network.channels:
        problem = f"its latents have {autoencoder.channels} channels, and the network reads {network.channels}"
        raise ConfigError("autoencoder", _name(opened.autoencoder), problem, remedy)
    if text is None:
        return
    if text.width != network.caption_width:
        problem = f"its states are {text.width} wide, and the network reads {network.caption_width}"
        raise ConfigError("text", _name(opened.text), problem, remedy)
    if null is not None and null.kind == "fixed" and text.length > len(null.states):
        problem = f"the weights have null states for {len(null.states)} tokens"
        raise ConfigError("length", text.length, problem, f"say at most {len(null.states)}")


def _name(encoder: AutoencoderConfig | TextConfig | None) -> str:
    """Where an encoder lies, or its kind if it comes with pinxit."""
    assert encoder is not None
    return encoder.folder if isinstance(encoder, DiffusersAutoencoderConfig | T5Config) else encoder.kind


def _is_ours(file: Path) -> bool:
    if not is_safetensors(file):
        return False
    with safe_open(file, framework="np") as opened:
        return HEADER in (opened.metadata() or {})


def _open_folder(folder: Path, settings: SourceConfig) -> Opened:
    """A folder of diffusers: PixArt, or a class-conditional DiT."""
    place = network_folder(folder)
    if not (place / "config.json").is_file():
        problem = f"it holds neither {MODEL} nor a network of diffusers (config.json)"
        raise CheckpointError(folder, problem, "name a finished run, a model file, or a folder of diffusers")
    if is_dit(place):
        return Opened(read_dit_folder(place, _wanted(settings)), IDDPMConfig())
    autoencoder, text = read_encoders(folder)
    return Opened(read_diffusers(folder), read_process(folder), autoencoder, text)


def _open_tensors(tensors: dict[str, Tensor], file: Path, settings: SourceConfig) -> Weights:
    """A single file in an original layout; ComfyUI's prefix is dropped, with what it saves beside the network."""
    look = look_of(tensors)
    if any(key.startswith(PREFIX) for key in tensors):
        network = {key: value for key, value in tensors.items() if key.startswith(PREFIX)}
        strange = {key: value for key, value in tensors.items() if not key.startswith((PREFIX, *NOT_NETWORK))}
        tensors = {key.removeprefix(PREFIX): value for key, value in network.items()}
        tensors |= {f"{key} (without prefix)": value for key, value in strange.items()}  # to be named as left over
    if "t_block.1.weight" in tensors:
        return read_pixart(tensors, file, heads=settings.heads, resolution=settings.resolution, length=settings.length)
    if "blocks.0.adaLN_modulation.1.weight" in tensors:
        return read_dit(tensors, file, _wanted(settings), heads=settings.heads)
    if "adaln_single.linear.weight" in tensors or "proj_out_1.weight" in tensors:
        problem = f"it looks like {look}, whose sizes stand in a config.json beside it"
        raise CheckpointError(file, problem, f"name {file.parent}")
    raise CheckpointError(
        file, f"it looks like {look}", "name weights of PixArt-α, PixArt-Σ or a class-conditional DiT"
    )


def _wanted(settings: SourceConfig) -> TransformerConfig:
    """What a DiT does not tell of the network that it becomes."""
    return TransformerConfig(
        caption_width=settings.caption_width, conditions=settings.conditions,
        position_base=(settings.resolution or 256) // (2 * FACTOR),
    )  # fmt: skip


def _with_encoders(opened: Opened, settings: SourceConfig) -> Opened:
    """The same with the encoders that are named beside it, of the kind that it has, or else PixArt's."""
    autoencoder, text = opened.autoencoder, opened.text
    if settings.autoencoder:
        is_small = Path(settings.autoencoder).is_file()
        autoencoder = (
            SmallCodecConfig(file=settings.autoencoder)
            if is_small
            else DiffusersAutoencoderConfig(folder=settings.autoencoder)
        )
    if settings.text:
        known = text if isinstance(text, T5Config) else T5Config(folder="", length=opened.length)
        text = known.model_copy(update={"folder": settings.text, "tokenizer": None})
    if settings.length and isinstance(text, T5Config):
        text = text.model_copy(update={"length": settings.length})
    return replace(opened, autoencoder=autoencoder, text=text)
