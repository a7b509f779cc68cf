"""Where numbers are computed: a device by its name."""

import torch

from pinxit.errors import ConfigError

Device = torch.device | str


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` is a GPU where there is one. ConfigError for a name that stands for nothing here.

    Names are those of torch: `cpu`, `cuda`, `cuda:1`, `mps`.
    """
    found = torch.accelerator.is_available()
    if name == "auto":
        return torch.device(torch.accelerator.current_accelerator() or "cpu") if found else torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        has = f"this machine has cpu and {torch.accelerator.current_accelerator()}" if found else "this machine has cpu"
        problem = f"{has}, or this torch was built for no other ({str(error).splitlines()[0]})"
        raise ConfigError("device", name, problem, "say auto to take what is there") from error
    return device
