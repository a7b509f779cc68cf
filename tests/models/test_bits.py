"""Weights in few bits: how far what a layer says moves, how many bytes are kept, and what is said without torchao."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from pinxit.errors import MissingExtra
from pinxit.models.bits import Bits, shrink, size_of

pytest.importorskip("torchao")


def kept(weight: Tensor) -> int:
    """Bytes of all storages behind a weight."""
    if not hasattr(weight, "__tensor_flatten__"):
        return weight.untyped_storage().nbytes()
    names, _ = weight.__tensor_flatten__()
    return sum(kept(getattr(weight, name)) for name in names)


def layer(inward: int, outward: int, *, bias: bool = True) -> nn.Linear:
    torch.manual_seed(0)
    made = nn.Linear(inward, outward, bias=bias).requires_grad_(False)
    nn.init.normal_(made.weight, std=0.02)
    return made


@pytest.mark.parametrize(("count", "most"), [(8, 0.01), (4, 0.1)])
@pytest.mark.parametrize("bias", [True, False])
@torch.no_grad()
def test_a_layer_says_nearly_the_same(count: Bits, most: float, bias: bool) -> None:
    made, given = layer(256, 512, bias=bias), torch.randn(3, 7, 256)
    before = made(given)
    shrink(made, count)
    after = made(given)
    assert (after.shape, after.dtype) == (before.shape, torch.float32)
    assert 0 < (after - before).norm() / before.norm() < most


@pytest.mark.parametrize(("count", "share"), [(8, 0.2512), (4, 0.1290)])
def test_of_float32_a_quarter_or_an_eighth_is_kept(count: Bits, share: float) -> None:
    made = layer(1024, 1024)
    whole = kept(made.weight)
    assert whole == 4 * 1024 * 1024
    shrink(made, count)
    assert kept(made.weight) / whole == pytest.approx(share, abs=1e-4)
    assert kept(made.weight) == pytest.approx(size_of(1024, 1024, count), abs=128)  # the table of NF4 and a mean


def test_a_weight_that_does_not_fill_groups_is_kept_in_int8() -> None:
    made = layer(5, 3)
    shrink(made, 4)
    assert kept(made.weight) == size_of(3, 5, 4) == 15 + 3 * 5


@torch.no_grad()
def test_a_layer_of_zeros_says_its_bias() -> None:
    for count in (8, 4):
        made = layer(64, 64)
        nn.init.zeros_(made.weight)
        shrink(made, count)
        assert torch.equal(made(torch.randn(2, 64)), made.bias.expand(2, -1))


def test_without_torchao_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchao", None)
    with pytest.raises(MissingExtra, match=r"8 or 4 bits needs torchao.*run: .*-m pip install 'torchao>=0\.18,<0\.19'"):
        shrink(layer(8, 8), 8)


def test_nothing_is_shown_when_libraries_meet_torchao() -> None:
    code = (
        "from torch import nn; from pinxit.models.bits import shrink; from pinxit.models.noise import hushed\n"
        "with hushed(): import diffusers.models.autoencoders.autoencoder_kl, pinxit.models.t5\n"
        "shrink(nn.Linear(8, 8), 4)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
