"""What language models compute, by formula: operations of matrix products, a product and a sum being two."""

from typing import Any

import torch
from torch import nn


class Tally:
    """Operations of a causal model of transformers and of all its twins, until they are taken."""

    def __init__(self) -> None:
        self._operations = 0.0

    def take(self) -> float:
        """What was computed since this was asked last."""
        taken, self._operations = self._operations, 0.0
        return taken

    def add(self, network: Any, texts: int, tokens: int, told: int, looks: int) -> None:
        """So many more texts were read, of so many tokens each, padding included; in each, logits were made at `told`
        places, and tokens looked at each other, or at themselves, `looks` times.

        Where gradients are kept, the backward pass is counted with it: twice the forward one, less the gradients of
        frozen weights. Convolutions are not counted, nor experts that are one tensor of many matrices.
        """
        form, last = network.config, network.get_output_embeddings().weight
        width = getattr(form, "head_dim", None) or form.hidden_size // form.num_attention_heads
        attention = 4 * texts * looks * width * form.num_attention_heads * form.num_hidden_layers
        tables = {id(part.weight) for part in network.modules() if isinstance(part, nn.Embedding)} | {id(last)}
        layers = [(each, tokens) for each in network.parameters() if each.ndim == 2 and id(each) not in tables]
        products = [
            (2 * texts * vectors * each.numel(), each.requires_grad) for each, vectors in [*layers, (last, told)]
        ]
        forward, learned = sum(count for count, _ in products), sum(count for count, learns in products if learns)
        self._operations += forward + attention
        if torch.is_grad_enabled() and learned:
            self._operations += forward + learned + 2 * attention
