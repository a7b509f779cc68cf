"""Recorded steps are the steps that were recorded: on a GPU to rounding, and elsewhere up to the recording."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from pinxit.data.kind import Batch
from pinxit.diffusion.build import make_process
from pinxit.diffusion.config import FlowConfig, IDDPMConfig
from pinxit.models.config import TransformerConfig
from pinxit.models.null import NullCondition
from pinxit.models.transformer import Transformer
from pinxit.train import recorded
from pinxit.train.average import Average
from pinxit.train.compute import Compute
from pinxit.train.config import AverageConfig, OptimizerConfig
from pinxit.train.diffusion import TextToImage
from pinxit.train.loop import fit
from pinxit.train.optimizer import Optimizer
from pinxit.train.recorded import Recorded
from pinxit.train.run import Hook, Run
from pinxit.train.state import TrainState
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


@pytest.mark.gpu
@pytest.mark.parametrize("process", [FlowConfig(), IDDPMConfig()])
def test_recorded_training_is_plain_training_on_the_same_gpu(process: FlowConfig | IDDPMConfig) -> None:
    losses = []
    for told in (False, True):
        torch.manual_seed(0)
        config = TransformerConfig(
            depth=2,
            width=32,
            heads=2,
            channels=3,
            outputs=make_process(process).outputs,
            caption_width=6,
            position_base=4,
        )
        network, average = (Transformer(config).cuda() for _ in range(2))
        trained = dict(network.named_parameters())
        optimizer = Optimizer(trained, OptimizerConfig(kind="muon"), 1000, recorded=told)
        state = TrainState(network, Average(average, AverageConfig()), optimizer, seed=0)
        null = NullCondition("empty", torch.zeros(1, 6, device="cuda"))
        objective = TextToImage(network, make_process(process), 0.1, null)
        seen: list[float] = []
        hooks: list[Hook] = [lambda _, report, seen=seen: seen.append(report.mean)]  # type: ignore[misc]
        compute = Compute(torch.device("cuda"), recorded=told)
        fit(Run(state, objective, Batches(), 10 * 8, 8, hooks, compute=compute))
        losses.append(seen)
    assert len(set(losses[0])) == 10
    assert_close(*map(torch.tensor, losses), rtol=1e-3, atol=1e-3)


class Batches:
    """Random batches that are functions of their places."""

    waited = 0.0

    def next_step(self, seen: int) -> list[Batch]:
        generator = torch.Generator().manual_seed(seen)
        mean = torch.randn(8, 3, 8, 8, generator=generator)
        keep = torch.arange(5) < torch.randint(1, 6, (8, 1), generator=generator)
        caption = torch.randn(8, 5, 6, generator=generator)
        places = tuple(range(seen, seen + 8))
        size, aspect, label = torch.full((8, 2), 64.0), torch.ones(8), torch.full((8,), -1)
        return [Batch(mean, torch.zeros_like(mean), caption, keep, size, aspect, label, places).to("cuda")]
