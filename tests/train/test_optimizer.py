"""The rate over a stage, which parameters Muon takes, clipping, and AdamW against torch's own."""

from math import inf

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from pinxit.train.config import OptimizerConfig
from pinxit.train.optimizer import Optimizer, Rate


@pytest.mark.parametrize(
    ("seen", "wanted"), [(0, 0.01), (49, 0.5), (99, 1.0), (600, 1.0), (700, 1.0), (850, 0.5), (1000, 0.0), (1200, 0.0)]
)
def test_the_rate_rises_stays_and_falls(seen: int, wanted: float) -> None:
    assert Rate(warmup=100, decay=0.3, examples=1000)(seen) == pytest.approx(wanted)


def test_without_warmup_and_decay_the_rate_stays() -> None:
    assert {Rate(warmup=0, decay=0.0, examples=10)(seen) for seen in (0, 5, 9)} == {1.0}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(4, 16, 3), nn.Linear(16, 32), nn.Linear(32, 4))


def test_muon_takes_large_matrices_and_convolutions_alone() -> None:
    made = Optimizer(dict(network().named_parameters()), OptimizerConfig(kind="muon"), 100)
    for parameter in made.trained.values():
        parameter.grad = torch.ones_like(parameter)
    made.step(0, made.gradient_norm(1))
    by_muon = {key.split("/")[1] for key in made.state_dict() if key.startswith("muon/")}
    assert by_muon == {"0.weight", "1.weight"}
    by_adamw = {key.split("/")[1] for key in made.state_dict() if key.startswith("adamw/")}
    assert by_adamw == set(made.trained) - by_muon


@pytest.mark.parametrize("clip", [0.5, inf])
def test_adamw_is_torchs_own_on_the_clipped_mean_gradient(clip: float) -> None:
    ours, theirs = network(), network()
    config = OptimizerConfig(learning_rate=1e-2, clip=clip, decay=0.0)
    made = Optimizer(dict(ours.named_parameters()), config, 100)
    oracle = torch.optim.AdamW(theirs.parameters(), 1e-2, config.betas, config.epsilon, config.weight_decay)
    for step in range(5):
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            gradient = torch.randn(mine.shape, generator=torch.Generator().manual_seed(step))
            mine.grad, other.grad = 8 * gradient, gradient.clone()
        nn.utils.clip_grad_norm_(theirs.parameters(), clip)
        made.step(step, made.gradient_norm(8))
        oracle.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(mine, other, rtol=1e-5, atol=1e-7)
