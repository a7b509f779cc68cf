"""Pictures to latents and back: the Autoencoder protocol, any diffusers autoencoder, and the small one that ships."""

from hashlib import sha256
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from einops import rearrange
from jaxtyping import Float
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from pinxit.errors import CheckpointError
from pinxit.models.config import AutoencoderConfig, DiffusersAutoencoderConfig, SmallAutoencoderConfig
from pinxit.models.device import Device
from pinxit.models.identity import SHIPPED, SMALL_HEADER, SMALL_REMEDY, AutoencoderIdentity, identify_diffusers
from pinxit.models.noise import hushed
from pinxit.models.stamp import read_stamp
from pinxit.models.tile import decode_in_tiles, decode_with_norms


@runtime_checkable
class Autoencoder(Protocol):
    """Pixels in [-1, 1] to latents in the units that the denoiser sees, and back, on the device where it is."""

    identity: AutoencoderIdentity
    device: Device

    def encode(self, pixels: Float[Tensor, "b 3 H W"]) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b c h w"]]:
        """Mean and standard deviation of the latent, scaling and shift already applied."""
        ...

    def decode(self, latent: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 H W"]:
        """Pixels of a latent; may leave [-1, 1] a little."""
        ...

    def decode_tiled(self, latent: Float[Tensor, "b c h w"], side: int) -> Float[Tensor, "b 3 H W"]:
        """Nearly the same, to a level of 255, with no more than `side` by `side` latent pixels at work at once."""
        ...


class Residual(nn.Module):
    """Two 3x3 convolutions added to their input; the identity at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Float[Tensor, "b w h w2"]) -> Float[Tensor, "b w h w2"]:
        """The input plus what the two convolutions add."""
        added: Tensor = self.second(F.silu(self.first(F.silu(x))))
        return x + added


class SmallAutoencoder(nn.Module):
    """A convolutional autoencoder of factor 8 that trains in minutes on a CPU: space-to-depth first, then few blocks.

    The latent is a point, not a learned Gaussian. Training adds much noise (`spread`) before decoding, so that pictures
    hardly change where a denoiser errs (Yang et al. 2025, l-DeTok). After training `standardise` folds the channels'
    mean and deviation into the weights, so that latents have mean 0 and deviation 1 and need no scaling.
    """

    def __init__(self, config: SmallAutoencoderConfig) -> None:
        super().__init__()
        fine, coarse, channels = config.fine, config.coarse, config.channels
        self.config = config
        self.register_buffer("spread", torch.full((channels,), config.spread))
        self.spread: Tensor
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(3 * 16, fine, 3, padding=1),
            *(Residual(fine) for _ in range(config.encoder_blocks[0])),
            nn.Conv2d(fine, coarse, 2, stride=2),
            *(Residual(coarse) for _ in range(config.encoder_blocks[1])),
            nn.Conv2d(coarse, channels, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(channels, coarse, 1),
            *(Residual(coarse) for _ in range(config.decoder_blocks[1])),
            nn.Conv2d(coarse, 4 * fine, 1),
            nn.PixelShuffle(2),
            *(Residual(fine) for _ in range(config.decoder_blocks[0])),
            nn.Conv2d(fine, 3 * 16, 3, padding=1),
            nn.PixelShuffle(4),
        )

    def forward(
        self, pixels: Float[Tensor, "b 3 H W"], noise: Float[Tensor, "b c h w"]
    ) -> tuple[Float[Tensor, "b 3 H W"], Float[Tensor, "b c h w"]]:
        """The picture rebuilt from its noised latent, and the latent's mean."""
        mean = self.encoder(pixels)
        return self.decoder(mean + noise * rearrange(self.spread, "c -> c 1 1")), mean

    @torch.no_grad()
    def standardise(self, mean: Float[Tensor, "c"], deviation: Float[Tensor, "c"]) -> None:
        """Latents now have the given channel means moved to 0 and deviations to 1; pictures come out unchanged."""
        last, first = self.encoder[-1], self.decoder[0]
        assert isinstance(last, nn.Conv2d)
        assert isinstance(first, nn.Conv2d)
        assert last.bias is not None
        assert first.bias is not None
        first.bias.add_(torch.einsum("o c i j, c -> o", first.weight, mean))
        first.weight.mul_(rearrange(deviation, "c -> 1 c 1 1"))
        last.weight.div_(rearrange(deviation, "c -> c 1 1 1"))
        last.bias.sub_(mean).div_(deviation)
        self.spread.div_(deviation)


class SmallCodec:
    """A trained small autoencoder as an Autoencoder."""

    def __init__(self, network: SmallAutoencoder, sha: str, device: Device = "cpu") -> None:
        self.network, self.device = network.to(device).eval().requires_grad_(False), device
        self.identity = AutoencoderIdentity(
            kind="small", sha256=sha, factor=8, channels=network.config.channels, scaling=1.0, shift=0.0
        )

    @torch.no_grad()
    def encode(self, pixels: Float[Tensor, "b 3 H W"]) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b c h w"]]:
        """The latent, and a deviation of zero: the noise of training was the decoder's, no part of the picture."""
        mean = self.network.encoder(pixels.to(self.device))
        return mean, torch.zeros_like(mean)

    @torch.no_grad()
    def decode(self, latent: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 H W"]:
        """Pixels of a latent."""
        pixels: Tensor = self.network.decoder(latent.to(self.device))
        return pixels

    def decode_tiled(self, latent: Float[Tensor, "b c h w"], side: int) -> Float[Tensor, "b 3 H W"]:
        """Tile by tile: no pixel sees further than a tile's margin."""
        return decode_in_tiles(self.decode, latent, side, self.identity.factor)


class DiffusersCodec:
    """A KL autoencoder of diffusers as an Autoencoder, with the scaling and shift of its own configuration."""

    def __init__(self, folder: Path, device: Device = "cpu") -> None:
        with hushed():
            from diffusers import AutoencoderKL

        if not (folder / "config.json").is_file():
            raise CheckpointError(folder, "no config.json there", "name the folder of a diffusers AutoencoderKL")
        try:
            network, loaded = AutoencoderKL.from_pretrained(
                folder, local_files_only=True, output_loading_info=True, low_cpu_mem_usage=False
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise CheckpointError(folder, f"diffusers cannot read it ({error})", "fetch or copy it again") from error
        if lost := loaded["missing_keys"]:
            problem = f"its weights lack {len(lost)} of an AutoencoderKL's, such as {lost[0]}"
            raise CheckpointError(folder, problem, "name the folder of a diffusers AutoencoderKL")
        self.network, self.device = network.to(device).eval().requires_grad_(False), device
        self.identity = identify_diffusers(folder)

    @torch.no_grad()
    def encode(self, pixels: Float[Tensor, "b 3 H W"]) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b c h w"]]:
        """Mean and deviation: (z - shift) * scaling."""
        posterior = self.network.encode(pixels.to(self.device)).latent_dist
        scaling, shift = self.identity.scaling, self.identity.shift
        return (posterior.mean - shift) * scaling, posterior.std * scaling

    @torch.no_grad()
    def decode(self, latent: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 H W"]:
        """Pixels of z / scaling + shift."""
        pixels: Tensor = self.network.decode(self._scaled(latent)).sample
        return pixels

    @torch.no_grad()
    def decode_tiled(self, latent: Float[Tensor, "b c h w"], side: int) -> Float[Tensor, "b 3 H W"]:
        """As far as its attention on the whole, which is small there; from there in tiles, in several passes."""
        network, decoder = self.network, self.network.decoder
        z = self._scaled(latent)
        begun = decoder.mid_block(decoder.conv_in(z if network.post_quant_conv is None else network.post_quant_conv(z)))
        rest = nn.Sequential(*decoder.up_blocks, decoder.conv_norm_out, decoder.conv_act, decoder.conv_out)
        norms = [part for part in rest.modules() if isinstance(part, nn.GroupNorm)]
        return decode_with_norms(rest, norms, begun, side, self.identity.factor)

    def _scaled(self, latent: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return latent.to(self.device) / self.identity.scaling + self.identity.shift


def load_small(file: Path, device: Device = "cpu") -> SmallCodec:
    """The small autoencoder of a safetensors file whose header holds its configuration; half precision is widened."""
    header = read_stamp(file, SMALL_HEADER, SMALL_REMEDY)
    try:
        network = SmallAutoencoder(SmallAutoencoderConfig.model_validate_json(header))
        network.load_state_dict({name: tensor.float() for name, tensor in load_file(file).items()})
    except (ValidationError, RuntimeError) as error:
        problem = f"its weights are not those that its header tells of ({error})"
        raise CheckpointError(file, problem, "name a file written by pinxit of this version") from error
    return SmallCodec(network, sha256(file.read_bytes()).hexdigest(), device)


def load_autoencoder(config: AutoencoderConfig, device: Device = "cpu") -> Autoencoder:
    """The autoencoder that a recipe names, frozen, in float32."""
    if isinstance(config, DiffusersAutoencoderConfig):
        return DiffusersCodec(Path(config.folder), device)
    return load_small(Path(config.file) if config.file else SHIPPED, device)
