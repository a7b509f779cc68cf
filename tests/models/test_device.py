"""Devices by their names."""

import pytest
import torch

from pinxit.errors import ConfigError
from pinxit.models.device import choose_device


def test_the_processor_is_always_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")


def test_auto_is_a_gpu_where_there_is_one() -> None:
    assert (choose_device("auto").type == "cpu") == (not torch.accelerator.is_available())


@pytest.mark.parametrize("name", ["quantum", "", "cuda:99"])
def test_what_is_not_there_is_refused_with_what_is(name: str) -> None:
    with pytest.raises(ConfigError, match=r"this machine has cpu.*say auto"):
        choose_device(name)
