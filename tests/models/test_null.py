"""The null condition and the stacking of captions against slow versions."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from pinxit.models.null import NullCondition, hold_null, null_of, stack_captions


def real_tokens(caption: Tensor, keep: Tensor) -> list[Tensor]:
    return [words[kept] for words, kept in zip(caption, keep, strict=True)]


@pytest.mark.parametrize("null_length", [1, 2, 5, 9])
@pytest.mark.parametrize("lengths", [(5, 1, 3, 2), (1, 1, 1, 1), (0, 2, 1, 0)])
@pytest.mark.parametrize("dropped", [(True, False, True, False), (False,) * 4, (True,) * 4])
def test_replace_is_the_slow_one(lengths: tuple[int, ...], null_length: int, dropped: tuple[bool, ...]) -> None:
    states = torch.randn(null_length, 3)
    captions = [torch.randn(length, 3) for length in lengths]
    given = stack_captions(captions)
    found, keep = NullCondition("empty", states).replace(*given, torch.tensor(dropped))
    slow = [states if drop else caption for caption, drop in zip(captions, dropped, strict=True)]
    assert found.shape[:2] == keep.shape == (4, max(null_length, *lengths))
    for real, expected in zip(real_tokens(found, keep), slow, strict=True):
        assert torch.equal(real, expected)
    assert not found[~keep].any()


def test_replace_leaves_what_it_was_given() -> None:
    caption, keep = stack_captions([torch.randn(2, 3), torch.randn(4, 3)])
    before = caption.clone(), keep.clone()
    found, kept = NullCondition("empty", torch.randn(2, 3)).replace(caption, keep, torch.tensor([True, True]))
    found.zero_()
    kept.zero_()
    assert torch.equal(caption, before[0])
    assert torch.equal(keep, before[1])


def test_replace_takes_the_precision_of_the_captions() -> None:
    caption, keep = stack_captions([torch.randn(2, 3).double()])
    found, _ = NullCondition("empty", torch.randn(5, 3)).replace(caption, keep, torch.tensor([True]))
    assert found.dtype == torch.float64


def test_a_learned_null_learns_from_the_dropped_only() -> None:
    states = torch.randn(2, 3, requires_grad=True)
    caption, keep = stack_captions([torch.randn(4, 3)] * 3)
    found, _ = NullCondition("learned", states).replace(caption, keep, torch.tensor([True, False, True]))
    found.sum().backward()
    assert_close(states.grad, torch.full((2, 3), 2.0))


def test_a_network_gives_the_null_that_it_holds_and_else_the_empty_captions() -> None:
    network, empty, states = nn.Linear(2, 2), NullCondition("empty", torch.randn(2, 3)), torch.randn(4, 3)
    assert null_of(network, empty) is empty
    hold_null(network, states)
    held = null_of(network, empty)
    assert held.kind == "learned"
    assert torch.equal(held.states, states)
    assert any(held.states is parameter for parameter in network.parameters())
    with torch.no_grad():
        held.states.zero_()
    assert states.any()  # what it began with is left alone


def test_the_states_stay_on_their_device() -> None:
    null = NullCondition("empty", torch.empty(2, 3, device="meta"))
    caption, keep = null.expand(4)
    assert caption.device == keep.device == null.states.device
    stacked, kept = stack_captions([null.states, null.states])
    assert stacked.device == kept.device == null.states.device


@pytest.mark.parametrize("batch", [1, 3])
def test_expand_is_the_null_for_everyone(batch: int) -> None:
    states = torch.randn(2, 3)
    caption, keep = NullCondition("empty", states).expand(batch)
    assert keep.all()
    assert_close(caption, torch.stack([states] * batch))


def test_stacked_captions_keep_their_tokens_and_nothing_else() -> None:
    captions = [torch.randn(length, 3) for length in (2, 0, 5)]
    caption, keep = stack_captions(captions)
    assert caption.shape == (3, 5, 3)
    for real, expected in zip(real_tokens(caption, keep), captions, strict=True):
        assert torch.equal(real, expected)
    assert not caption[~keep].any()
