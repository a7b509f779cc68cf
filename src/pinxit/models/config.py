"""Settings of the networks."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pinxit.config import Config

NullKind = Literal["empty", "learned", "fixed"]
Memory = Literal["full", "offload", "8bit", "4bit"]  # how much of it drawing may take
Precision = Literal["auto", "float32", "bfloat16"]  # of products; auto: bfloat16 on a GPU that has it


class CompressionConfig(Config):
    """Self-attention that reads squares of tokens as one (PixArt-Σ, arXiv 2403.04692, section 3.3)."""

    factor: int = Field(2, gt=1, description="side of a square in tokens")
    blocks: tuple[int, ...] = Field((), description="numbers of the blocks that compress: in Σ 14 to 27, in α none")
    norm: bool = Field(True, description="a layer norm follows, as published")


class TransformerConfig(Config):
    """Size of the denoiser. `depth` and `width` set its cost; the rest rarely moves. Defaults: PixArt-α (XL/2)."""

    depth: int = Field(28, gt=0)
    width: int = Field(1152, gt=0)
    heads: int = Field(16, gt=0)
    patch: int = Field(2, gt=0)
    mlp_ratio: float = Field(4.0, gt=0)
    channels: int = Field(4, gt=0, description="latent channels in")
    outputs: int = Field(2, gt=0, description="times `channels` out: 2 with a learned variance, 1 without")
    caption_width: int = Field(4096, gt=0)
    conditions: bool = Field(False, description="tell the network the picture's original size and aspect ratio")
    modulation: Literal["single", "shared", "block"] = Field(
        "single",
        description="adaLN-single, its one projection without a table per block, or DiT's projection per block",
    )
    position_base: int = Field(16, gt=0, description="tokens on the side of the nominal square")
    position_scale: float = Field(1.0, gt=0, description="position coordinates are divided by this")
    compression: CompressionConfig = CompressionConfig()

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "TransformerConfig":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}; change either one")
        return self

    @model_validator(mode="after")
    def _compression_stays_within_depth(self) -> "TransformerConfig":
        strangers = [block for block in self.compression.blocks if not 0 <= block < self.depth]
        if strangers:
            raise ValueError(
                f"compression.blocks names {strangers}, and the blocks are 0 to {self.depth - 1}; change them"
            )
        return self

    @model_validator(mode="after")
    def _position_divides_width(self) -> "TransformerConfig":
        if self.width % 4:
            raise ValueError(f"width {self.width} is not a multiple of 4, which the position table needs; change it")
        return self


class ControlConfig(Config):
    """A control branch: copies of the network's first blocks, and what they read besides the words."""

    blocks: int = Field(13, gt=0, description="copied; the network has at least one more")
    channels: int = Field(4, ge=0, description="of the condition that is a picture, as the autoencoder has it; or 0")
    maps: int = Field(0, ge=0, description="of the condition that is no picture, at the latent's resolution; or 0")
    stem: int = Field(32, gt=0, description="width of the convolutions that read the maps")


class MiniLMConfig(Config):
    """The small text encoder that comes inside a package: all-MiniLM-L6-v2, 384 wide."""

    kind: Literal["minilm"] = "minilm"
    length: int = Field(64, gt=2, le=512, description="most tokens of a caption")


class T5Config(Config):
    """A T5 encoder in a folder, as PixArt-α uses it."""

    kind: Literal["t5"] = "t5"
    folder: str
    tokenizer: str | None = Field(None, description="folder of its tokenizer; none: the same")
    length: int = Field(120, gt=1, description="most tokens of a caption")
    cleaning: Literal["deepfloyd", "none"] = "deepfloyd"


TextConfig = Annotated[MiniLMConfig | T5Config, Field(discriminator="kind")]


class SmallAutoencoderConfig(Config):
    """Size of pinxit's own autoencoder (factor 8)."""

    channels: int = Field(16, gt=0)
    fine: int = Field(96, gt=0, description="width at a quarter of the picture's side")
    coarse: int = Field(160, gt=0, description="width at an eighth of the picture's side")
    encoder_blocks: tuple[int, int] = Field((1, 2), description="residual blocks, fine and coarse")
    decoder_blocks: tuple[int, int] = Field((2, 3), description="residual blocks, fine and coarse")
    spread: float = Field(0.3, ge=0, description="deviation of the noise on the latent in training")


class SmallCodecConfig(Config):
    """The small autoencoder that ships with pinxit, or a file of the same kind."""

    kind: Literal["small"] = "small"
    file: str | None = Field(None, description="weights to use in place of the shipped ones")


class DiffusersAutoencoderConfig(Config):
    """Any diffusers KL autoencoder in a folder, with its own scaling and shift."""

    kind: Literal["diffusers"] = "diffusers"
    folder: str


AutoencoderConfig = Annotated[SmallCodecConfig | DiffusersAutoencoderConfig, Field(discriminator="kind")]


class LoraConfig(Config):
    """Low-rank adapters (Hu et al. 2021) on the linear layers of a language model, whose own weights stay."""

    rank: int = Field(16, gt=0)
    alpha: float = Field(32.0, gt=0, description="the adapter's product is scaled by this over the rank")
    layers: Literal["all-linear"] | tuple[str, ...] = Field(
        "all-linear", description="or the last parts of their names"
    )


class FolderLanguageConfig(Config):
    """Any causal language model in a folder, as transformers writes them."""

    kind: Literal["folder"] = "folder"
    folder: str
    adapter: str | None = Field(None, description="folder of an adapter in peft's form, trained on this very model")
    lora: LoraConfig | None = Field(None, description="train new adapters; none: the adapter named, else all weights")

    @model_validator(mode="after")
    def _adapters_are_old_or_new(self) -> "FolderLanguageConfig":
        if self.adapter is not None and self.lora is not None:
            raise ValueError("adapter names trained adapters and lora asks for new ones; drop either")
        return self


class SmallLanguageConfig(Config):
    """A decoder of pinxit's own size (2.2M weights), with words of its own, for a machine without a GPU."""

    kind: Literal["small"] = "small"
    words: int = Field(2000, ge=260, le=2000, description="most tokens: 256 bytes, 3 signs, the most frequent words")
    depth: int = Field(4, gt=0)
    width: int = Field(192, gt=0)
    heads: int = Field(4, gt=0)
    length: int = Field(256, gt=0, description="most tokens of context and answer together")

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "SmallLanguageConfig":
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is not a multiple of twice heads {self.heads}; change either one")
        return self


LanguageConfig = Annotated[FolderLanguageConfig | SmallLanguageConfig, Field(discriminator="kind")]
