"""Where numbers are computed: a device by its name."""

import ctypes
import gc
import sys

import torch

from pinxit.errors import ConfigError

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
