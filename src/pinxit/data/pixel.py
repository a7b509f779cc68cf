"""8-bit pictures as the numbers that networks read, and back; what an autoencoder leaves of them."""

from collections.abc import Sequence

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from pinxit.data.kind import Pixels
from pinxit.models.autoencoder import Autoencoder
from pinxit.models.device import Device

AT_ONCE = 32  # pictures through the autoencoder


def to_pixels(pictures: Sequence[Pixels], device: Device = "cpu") -> Float[Tensor, "b 3 H W"]:
    """8-bit pictures of one size as numbers in [-1, 1], on a device."""
    return rearrange(torch.from_numpy(np.stack(pictures)).to(device).float(), "b h w c -> b c h w") / 127.5 - 1


def to_pictures(pixels: Float[Tensor, "b 3 H W"]) -> list[Pixels]:
    """Numbers in [-1, 1] as 8-bit pictures, rounded."""
    scaled = ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return list(rearrange(scaled, "b c h w -> b h w c").cpu().numpy())


def through(autoencoder: Autoencoder, pictures: Sequence[Pixels]) -> list[Pixels]:
    """What the autoencoder leaves of pictures of one size; sides must be multiples of its factor."""
    groups = (pictures[first : first + AT_ONCE] for first in range(0, len(pictures), AT_ONCE))
    means = (autoencoder.encode(to_pixels(group))[0] for group in groups)
    return [picture for mean in means for picture in to_pictures(autoencoder.decode(mean))]
