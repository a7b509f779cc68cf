"""Packed layers say the same, and are as they were afterwards."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from pinxit.models.packing import Packed


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(24, 40), nn.SiLU(), nn.Linear(40, 16, bias=False))


@torch.no_grad()
@pytest.mark.parametrize("shape", [(1, 24), (3, 7, 24), (0, 5, 24), (2, 2, 2, 24)])
def test_a_packed_network_says_the_same_for_any_number_of_tokens(shape: tuple[int, ...]) -> None:
    alone, x = network(), torch.randn(shape)
    expected, packed = alone(x), Packed(alone)
    assert packed.products
    for _ in range(2):
        with packed:
            assert_close(alone(x), expected)
        assert torch.equal(alone(x), expected)


def test_outside_the_layers_learn_and_are_copied_as_ever() -> None:
    alone = network()
    names = set(alone.state_dict())
    with Packed(alone):
        assert set(alone.state_dict()) == names
    copy.deepcopy(alone)(torch.randn(2, 24)).sum().backward()
    alone(torch.randn(2, 24)).sum().backward()
    assert all(parameter.grad is not None for parameter in alone.parameters())


@torch.no_grad()
def test_what_is_compiled_does_not_see_the_packing() -> None:
    alone, x = network(), torch.randn(3, 24)
    expected, compiled = alone(x), torch.compile(alone, backend="aot_eager", fullgraph=True)
    with Packed(alone):
        assert_close(compiled(x), expected)
    assert_close(compiled(x), expected)


def test_an_error_inside_leaves_them_unpacked() -> None:
    alone = network()
    with pytest.raises(RuntimeError), Packed(alone):
        alone(torch.randn(2, 23))
    assert all("forward" not in vars(part) for part in alone.modules())


def test_other_precisions_and_large_networks_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Packed(network().double()).products
    assert not Packed(network().bfloat16()).products
    assert not Packed(network().to("meta")).products
    monkeypatch.setattr("pinxit.models.packing.MOST", 24 * 40 + 40 * 16 - 1)
    assert not Packed(network()).products
    monkeypatch.setattr("pinxit.models.packing.MOST", 24 * 40 + 40 * 16)
    assert Packed(network()).products
