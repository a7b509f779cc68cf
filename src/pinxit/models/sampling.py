"""Tokens drawn one after another: a whole batch at once, each text as it would be alone."""

from collections.abc import Sequence
from inspect import signature
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pinxit.rng import Draws


@torch.no_grad()
def draw_tokens(
    network: Any, contexts: Sequence[Sequence[int]], draws: Draws, *, most: int, temperature: float, end: int, pad: int
) -> list[list[int]]:
    """What a causal model of transformers says after each context: up to `end`, or to `most` tokens.

    Contexts end together, padded at their beginnings, and positions count real tokens alone; keys and values of what
    was read are kept. The n-th token of a text is drawn with a number that is its own.
    """
    if not contexts or most == 0:
        return [[] for _ in contexts]
    ids, keep = pad_left(contexts, pad, network.device)
    counted = "position_ids" in signature(network.forward).parameters  # or it knows distances alone
    position = (keep.cumsum(1) - 1).clamp_min(0)
    drawn: list[Tensor] = []
    done = torch.zeros(len(contexts), dtype=torch.bool, device=ids.device)
    memory = None
    for step in range(most):
        told = {"position_ids": position} if counted else {}
        said = network(input_ids=ids, attention_mask=keep.long(), past_key_values=memory, use_cache=True, **told)
        memory = said.past_key_values
        token = pick(said.logits[:, -1], draws.uniform(f"token/{step}").to(ids.device), temperature)
        drawn.append(torch.where(done, pad, token))
        done = done | (token == end)
        if bool(done.all()):
            break
        ids, position = drawn[-1][:, None], position[:, -1:] + 1
        keep = torch.cat([keep, torch.ones_like(keep[:, :1])], 1)
    return [up_to_end(row, end) for row in torch.stack(drawn, 1).tolist()]


def pick(logits: Float[Tensor, "b v"], chance: Float[Tensor, "b"], temperature: float) -> Int[Tensor, "b"]:
    """The token on which a number in [0, 1) falls, with shares softmax(logits / temperature); the likeliest at 0."""
    if temperature == 0:
        return logits.argmax(1)
    reach = (logits.double() / temperature).softmax(1).cumsum(1)
    place = torch.searchsorted(reach, chance.double()[:, None] * reach[:, -1:], right=True)
    return place[:, 0].clamp_max(logits.shape[1] - 1)


def pad_left(
    texts: Sequence[Sequence[int]], pad: int, device: torch.device
) -> tuple[Int[Tensor, "b t"], Bool[Tensor, "b t"]]:
    """Texts that end together, and which of their tokens are real; an empty one counts as a single `pad`."""
    texts = [text or [pad] for text in texts]
    longest = max(map(len, texts))
    ids = torch.tensor([[pad] * (longest - len(text)) + list(text) for text in texts], device=device)
    lengths = torch.tensor([len(text) for text in texts], device=device)
    return ids, torch.arange(longest, device=device) >= longest - lengths[:, None]


def up_to_end(tokens: Sequence[int], end: int) -> list[int]:
    """The tokens as far as the first `end`, which is the last of them."""
    return list(tokens[: tokens.index(end) + 1] if end in tokens else tokens)
