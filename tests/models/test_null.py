"""The null condition and the stacking of captions against slow versions."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from pinxit.models.config import NullKind
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
    hold_null(network, NullCondition("learned", states))
    held = null_of(network, empty)
    assert held.kind == "learned"
    assert torch.equal(held.states, states)
    assert any(held.states is parameter for parameter in network.parameters())
    with torch.no_grad():
        held.states.zero_()
    assert states.any()  # what it began with is left alone


def test_the_states_stay_on_their_device() -> None:
    null = NullCondition("empty", torch.empty(2, 3, device="meta"))
    stacked, kept = stack_captions(null.instead_of([null.states] * 4))
    assert stacked.device == kept.device == null.states.device


@pytest.mark.parametrize(("kind", "lengths"), [("empty", [5, 5]), ("learned", [5, 5]), ("fixed", [2, 4])])
def test_the_null_stands_whole_for_every_caption_but_fixed_states_have_its_length(
    kind: NullKind, lengths: list[int]
) -> None:
    states = torch.randn(5, 3)
    found = NullCondition(kind, states).instead_of([torch.randn(2, 3), torch.randn(4, 3)])
    assert len(found) == 2
    for each, length in zip(found, lengths, strict=True):
        assert torch.equal(each, states[:length])


def test_fixed_states_replace_token_by_token_in_training_as_in_sampling() -> None:
    null, captions = NullCondition("fixed", torch.randn(4, 3)), [torch.randn(length, 3) for length in (2, 4, 3)]
    found, keep = null.replace(*stack_captions(captions), torch.tensor([True, True, False]))
    expected, expected_keep = stack_captions([*null.instead_of(captions[:2]), captions[2]])
    assert torch.equal(found, expected)
    assert torch.equal(keep, expected_keep)


def test_fixed_states_are_held_and_saved_and_never_optimised() -> None:
    network, states = nn.Linear(2, 2), torch.randn(4, 3)
    hold_null(network, NullCondition("fixed", states))
    assert null_of(network, NullCondition("empty", torch.randn(2, 3))).kind == "fixed"
    assert torch.equal(network.state_dict()["null.states"], states)
    assert [name for name, _ in network.named_parameters()] == ["weight", "bias"]


def test_stacked_captions_keep_their_tokens_and_nothing_else() -> None:
    captions = [torch.randn(length, 3) for length in (2, 0, 5)]
    caption, keep = stack_captions(captions)
    assert caption.shape == (3, 5, 3)
    for real, expected in zip(real_tokens(caption, keep), captions, strict=True):
        assert torch.equal(real, expected)
    assert not caption[~keep].any()
