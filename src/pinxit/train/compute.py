"""How a run computes: its device, the precision of its products, what is compiled and what is recorded."""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from shutil import which

import torch
from torch import nn

from pinxit.errors import ConfigError
from pinxit.models.device import choose_device
from pinxit.train.config import ComputeConfig


@dataclass(frozen=True)
class Compute:
    """Weights and sums stay float32; products are in `dtype`, by autocast."""

    device: torch.device
    dtype: torch.dtype = torch.float32
    compiled: bool = False
    recorded: bool = False

    def precision(self) -> AbstractContextManager[object]:
        """While it is entered, products are in `dtype`."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def prepare(self, network: nn.Module) -> None:
        """The network's blocks are compiled, all as one, if that was asked for."""
        if self.compiled:
            for name, part in network.named_modules():
                if name.endswith(("blocks", "copies")):
                    for block in part.children():
                        block.compile()


PLAIN = Compute(torch.device("cpu"))


def choose_compute(config: ComputeConfig) -> Compute:
    """What a recipe asks for, on this machine: bfloat16 by itself only where a GPU computes in it.

    Where products are in bfloat16, those in float32 (of the optimiser) may round their factors to 10 bits (TF32).
    """
    device = choose_device(config.device)
    has_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    wanted = config.precision
    if wanted == "auto":
        wanted = "bfloat16" if has_bfloat16 else "float32"
    elif wanted == "bfloat16" and device.type == "cuda" and not has_bfloat16:
        raise ConfigError("precision", wanted, "this GPU has no bfloat16 units", "say float32, or auto")
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high" if wanted == "bfloat16" else "highest")
        torch.backends.cudnn.allow_tf32 = wanted == "bfloat16"
    if config.compile and not (which(os.environ.get("CXX", "c++")) or which("gcc")):
        raise ConfigError("compile", True, "there is no C compiler here, which compiling needs", "leave it out")
    return Compute(device, getattr(torch, wanted), config.compile, config.record and device.type == "cuda")
