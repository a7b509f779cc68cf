"""The average of the weights: its memory counts pictures, whatever the batch."""

from math import exp

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from pinxit.train.average import Average
from pinxit.train.config import AverageConfig


def follow(batch: int, config: AverageConfig, seen: int) -> torch.Tensor:
    """The average of one weight that stands at 0 at first and at 1 while `seen` pictures are seen."""
    weights, average = nn.Linear(1, 1, bias=False), Average(nn.Linear(1, 1, bias=False), config)
    for network, value in ((weights, 1.0), (average.model, 0.0)):
        nn.init.constant_(network.weight, value)
    for done in range(batch, seen + 1, batch):
        average.update(weights, batch, config.memory * 1000 if config.share == 1 else done)
    return average.model.weight[0, 0]


@pytest.mark.parametrize("batch", [1, 8, 40])
def test_after_its_memory_the_old_weights_count_for_one_in_e(batch: int) -> None:
    value = follow(batch, AverageConfig(memory=80, share=1.0), 80)
    assert_close(value, torch.tensor(1 - exp(-1)), rtol=1e-5, atol=0)


def test_early_on_the_memory_is_a_share_of_what_was_seen() -> None:
    value = follow(10, AverageConfig(memory=10**9, share=0.5), 20)
    wanted = 1 - exp(-10 / 5) * exp(-10 / 10)
    assert_close(value, torch.tensor(wanted), rtol=1e-5, atol=0)


def test_the_average_is_not_trained() -> None:
    average = Average(nn.Linear(2, 2), AverageConfig())
    assert not any(parameter.requires_grad for parameter in average.model.parameters())
