"""Devices by their names."""

import os
from pathlib import Path

import pytest
import torch

from pinxit.errors import ConfigError
from pinxit.models.device import choose_device, give_back


def test_the_processor_is_always_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")


def test_auto_is_a_gpu_where_there_is_one() -> None:
    assert (choose_device("auto").type == "cpu") == (not torch.accelerator.is_available())


@pytest.mark.parametrize("name", ["quantum", "", "cuda:99"])
def test_what_is_not_there_is_refused_with_what_is(name: str) -> None:
    with pytest.raises(ConfigError, match=r"this machine has cpu.*say auto"):
        choose_device(name)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="what is resident is read there")
def test_what_is_given_back_is_no_longer_resident() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")

    parts = [torch.ones(2**14) for _ in range(2000)]
    del parts[:-1]  # 125 MiB, which glibc keeps because the last piece lies above them
    before = resident()
    give_back()
    assert resident() < before - 60 * 2**20
