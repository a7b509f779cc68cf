"""The null condition: what stands for "no caption", the same object in training and in sampling."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from pinxit.models.config import NullKind

LEARNED = "null"  # the name under which a network holds its LearnedNull


class LearnedNull(nn.Module):
    """Learned states of the absent caption, as a part of a network."""

    def __init__(self, states: Float[Tensor, "l f"]) -> None:
        super().__init__()
        self.states = nn.Parameter(states.detach().clone())


class NullCondition:
    """The caption states of an absent caption: the text encoder's own for the empty text, or learned ones."""

    def __init__(self, kind: NullKind, states: Float[Tensor, "l f"]) -> None:
        self.kind, self.states = kind, states

    def expand(self, batch: int) -> tuple[Float[Tensor, "b l f"], Bool[Tensor, "b l"]]:
        """The null caption for `batch` pictures, all tokens real."""
        length = self.states.shape[0]
        return self.states.expand(batch, -1, -1), torch.ones(batch, length, dtype=torch.bool, device=self.states.device)

    def replace(
        self, caption: Float[Tensor, "b l f"], keep: Bool[Tensor, "b l"], dropped: Bool[Tensor, "b"]
    ) -> tuple[Float[Tensor, "b l2 f"], Bool[Tensor, "b l2"]]:
        """Captions where `dropped` pictures have the null caption with its own length in place of theirs."""
        length = max(caption.shape[1], self.states.shape[0])
        wide, kept = F.pad(caption, (0, 0, 0, length - caption.shape[1])), F.pad(keep, (0, length - keep.shape[1]))
        null = F.pad(self.states, (0, 0, 0, length - self.states.shape[0])).to(caption)
        null_kept = torch.arange(length, device=keep.device) < self.states.shape[0]
        instead = rearrange(dropped, "b -> b 1")
        return torch.where(instead[..., None], null, wide), torch.where(instead, null_kept, kept)


def hold_null(network: nn.Module, states: Float[Tensor, "l f"]) -> None:
    """`network` has learned states of the absent caption, optimised, averaged and saved with it; so they begin."""
    network.add_module(LEARNED, LearnedNull(states))


def null_of(network: nn.Module, empty: NullCondition) -> NullCondition:
    """The null condition that `network` has learned, else the empty caption's."""
    learned = dict(network.named_children()).get(LEARNED)
    return NullCondition("learned", learned.states) if isinstance(learned, LearnedNull) else empty


def stack_captions(
    captions: list[Float[Tensor, "_ f"]],
) -> tuple[Float[Tensor, "b l f"], Bool[Tensor, "b l"]]:
    """Captions of different lengths as one tensor, padded to the longest, with the mask of real tokens."""
    length = max(len(caption) for caption in captions)
    padded = torch.stack([F.pad(caption, (0, 0, 0, length - len(caption))) for caption in captions])
    lengths = torch.tensor([len(caption) for caption in captions])
    keep = torch.arange(length) < rearrange(lengths, "b -> b 1")
    return padded, keep.to(padded.device)
