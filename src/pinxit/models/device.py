"""Where numbers are computed, and how exactly: a device by its name, and the precision of products."""

import ctypes
import gc
import sys
from contextlib import AbstractContextManager, nullcontext

import torch

from pinxit.errors import ConfigError
from pinxit.models.config import Precision

Device = torch.device | str


def choose_device(name: str) -> torch.device:
    """The device of that name, which is the current one from now on if it is a GPU; `auto` is a CUDA GPU where there is
    one. ConfigError for a name that stands for nothing here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        count = torch.cuda.device_count()
        has = "this machine has cpu" + (f" and cuda:0 to cuda:{count - 1}" if count else "")
        problem = f"{has}, or this torch was built for no other ({str(error).splitlines()[0]})"
        raise ConfigError("device", name, problem, "say auto to take what is there") from error
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def choose_precision(wanted: Precision, device: torch.device) -> torch.dtype:
    """What products are computed in on the device: bfloat16 by itself only where a GPU has it.

    There is no float16: its range ends at 65,504, and PixArt-α, trained in it, kept attention in float32 against NaN.
    """
    has_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if wanted == "bfloat16" and device.type == "cuda" and not has_bfloat16:
        raise ConfigError("precision", wanted, "this GPU has no bfloat16 units", "say float32, or auto")
    if wanted == "auto":
        return torch.bfloat16 if has_bfloat16 else torch.float32
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


def products_in(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """While it is entered, products are in `dtype`; weights and sums stay as they are."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)


def give_back() -> None:
    """What nothing holds any more is the system's memory again, also where the allocator would keep it for later."""
    gc.collect()  # the modules of transformers hold each other
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):  # glibc
        ctypes.CDLL(None).malloc_trim(0)


def free_memory(device: torch.device) -> int:
    """Bytes of a GPU that nothing holds, once what is no longer used was given back."""
    gc.collect()  # recorded steps and what they were made from hold each other
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    return free
