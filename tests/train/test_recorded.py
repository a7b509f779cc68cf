"""Recorded steps are the steps that were recorded: on a GPU to rounding, and elsewhere up to the recording."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from pinxit.train import recorded
from pinxit.train.compute import Compute
from pinxit.train.config import OptimizerConfig
from pinxit.train.optimizer import Optimizer
from pinxit.train.recorded import Recorded
from tests.train.toy import build


def moved(optimizer: Optimizer, network: nn.Module, steps: int) -> Iterator[list[torch.Tensor]]:
    for step in range(steps):
        torch.manual_seed(step)
        for parameter in network.parameters():
            gradient = torch.randn(parameter.shape).to(parameter)
            parameter.grad = gradient if parameter.grad is None else parameter.grad.copy_(gradient)
        optimizer.step(step, optimizer.gradient_norm(2))
        yield [parameter.detach().clone() for parameter in network.parameters()]


def pair(device: str) -> list[nn.Module]:
    torch.manual_seed(0)
    first, second = (nn.Sequential(nn.Linear(24, 32), nn.Linear(32, 24)).to(device) for _ in range(2))
    second.load_state_dict(first.state_dict())
    return [first, second]


def compare(device: str, config: OptimizerConfig) -> None:
    networks = pair(device)
    runs = [
        moved(Optimizer(dict(network.named_parameters()), config, 10, recorded=told), network, 8)
        for network, told in zip(networks, (False, True), strict=True)
    ]
    for plain, told in zip(*runs, strict=True):
        for one, other in zip(plain, told, strict=True):
            assert_close(one, other, rtol=1e-5, atol=1e-6)


CONFIG = OptimizerConfig(kind="muon", clip=0.5, warmup=4, weight_decay=0.1)


def test_an_optimizer_that_reads_its_rates_from_a_tensor_moves_as_one_that_is_told_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recorded, "EAGER", 10**9)
    compare("cpu", CONFIG)


def test_a_run_that_would_be_recorded_learns_the_same_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "EAGER", 10**9)
    plain, told = build(), build()
    told.compute = Compute(torch.device("cpu"), recorded=True)
    for seen in range(3):
        for run in (plain, told):
            (batch,) = run.loader.next_step(seen)
            run.learn(batch)
    for one, other in zip(plain.state.model.parameters(), told.state.model.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.equal(one.grad, other.grad)


@pytest.mark.gpu
def test_a_recorded_optimizer_moves_as_a_plain_one() -> None:
    compare("cuda", CONFIG)


@pytest.mark.gpu
def test_a_recording_is_replayed_with_what_it_is_given_shape_by_shape() -> None:
    work = Recorded(lambda x: x.square().sum())
    for length in (3, 5, 3, 5, 3, 5, 3, 5, 3, 5, 3, 5):
        given = torch.randn(length, device="cuda")
        assert_close(work(given), given.square().sum())
