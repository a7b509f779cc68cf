"""The null condition: what stands for "no caption", the same object in training and in sampling."""

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from pinxit.models.config import NullKind

HELD = "null"  # the name under which a network holds its HeldNull


class HeldNull(nn.Module):
    """States of the absent caption as a part of a network: learned with it, or fixed and only saved with it."""

    def __init__(self, kind: NullKind, states: Float[Tensor, "l f"]) -> None:
        super().__init__()
        self.kind: NullKind = kind
        own = states.detach().clone()
        if kind == "fixed":
            self.register_buffer("states", own)
        else:
            self.states = nn.Parameter(own)


class NullCondition:
    """The caption states of an absent caption.

    `empty`: the text encoder's own for the empty text. `learned`: optimised with the network. `fixed`: as many of its
    states as the caption in whose place they stand has tokens; PixArt-α's are random, Σ's the padded empty text's.
    """

    def __init__(self, kind: NullKind, states: Float[Tensor, "l f"]) -> None:
        self.kind, self.states = kind, states

    def instead_of(self, captions: list[Float[Tensor, "_ f"]]) -> list[Float[Tensor, "_ f"]]:
        """What stands for each caption where it is absent."""
        return [self.states[: len(caption)] if self.kind == "fixed" else self.states for caption in captions]

    def replace(
        self, caption: Float[Tensor, "b l f"], keep: Bool[Tensor, "b l"], dropped: Bool[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b l2 f"], Bool[Tensor, "b l2"]]:
        """Captions where `dropped` pictures have the null caption in place of theirs."""
        length = max(caption.shape[1], self.states.shape[0])
        wide, kept = F.pad(caption, (0, 0, 0, length - caption.shape[1])), F.pad(keep, (0, length - keep.shape[1]))
        null = F.pad(self.states, (0, 0, 0, length - self.states.shape[0])).to(caption)
        null_kept = torch.arange(length, device=keep.device) < self.states.shape[0]
        if self.kind == "fixed":
            null_kept = null_kept & kept
            null = null * rearrange(null_kept, "b l -> b l 1")
        instead = rearrange(dropped, "b -> b 1")
        return torch.where(instead[..., None], null, wide), torch.where(instead, null_kept, kept)


def hold_null(network: nn.Module, null: NullCondition) -> None:
    """`network` has its own states of the absent caption, averaged and saved with it and, if learned, optimised."""
    network.add_module(HELD, HeldNull(null.kind, null.states))


def keep_null(before: nn.Module, after: nn.Module) -> None:
    """`after` has the null condition that `before` holds, with as many states; where it holds none, nothing changes."""
    held = dict(before.named_children()).get(HELD)
    if isinstance(held, HeldNull):
        after.add_module(HELD, HeldNull(held.kind, held.states))


def null_of(network: nn.Module, empty: NullCondition) -> NullCondition:
    """The null condition that `network` holds, else the empty caption's."""
    held = dict(network.named_children()).get(HELD)
    return NullCondition(held.kind, held.states) if isinstance(held, HeldNull) else empty


def stack_captions(
    captions: list[Float[Tensor, "_ f"]], dtype: torch.dtype | None = None
) -> tuple[Float[Tensor, "b l f"], Bool[Tensor, "b l"]]:
    """Captions of different lengths as one tensor, padded to the longest, with the mask of real tokens; in their own
    precision or another.
    """
    length = max(len(caption) for caption in captions)
    padded = _zeros((len(captions), length, captions[0].shape[1]), dtype or captions[0].dtype, captions[0].device)
    for row, caption in zip(padded, captions, strict=True):
        row[: len(caption)] = caption
    lengths = torch.tensor([len(caption) for caption in captions], device=padded.device)
    keep = torch.arange(length, device=padded.device) < rearrange(lengths, "b -> b 1")
    return padded, keep


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Zeros; numpy asks the system for large pages, whose first touch takes a processor half the time."""
    if device.type == "cpu" and dtype == torch.float32:
        return torch.from_numpy(np.zeros(shape, np.float32))
    return torch.zeros(shape, dtype=dtype, device=device)
