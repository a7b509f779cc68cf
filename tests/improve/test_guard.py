"""Guards: a reward that collapses or explodes, and a policy that runs away, stop the run."""

import pytest
import torch
from torch import nn

from pinxit.errors import DivergenceError
from pinxit.improve.config import ReinforcementConfig, RewardConfig
from pinxit.improve.guard import DivergenceGuard, RewardGuard
from pinxit.train.average import Average
from pinxit.train.config import AverageConfig, OptimizerConfig
from pinxit.train.objective import Loss
from pinxit.train.optimizer import Optimizer
from pinxit.train.run import StepReport
from pinxit.train.state import TrainState


def state() -> TrainState:
    network = nn.Linear(1, 1)
    optimizer = Optimizer(dict(network.named_parameters()), OptimizerConfig(), 10)
    return TrainState(network, Average(nn.Module(), AverageConfig()), optimizer, seed=0, seen=64)


def report(*parts: dict[str, float]) -> StepReport:
    return StepReport([Loss(torch.zeros(()), 4, each) for each in parts], 1.0, 1e-3, 0.0)


def last_good() -> str:
    return "run/checkpoint/32"


HEALTHY = {"spread": 1.0, "largest": 5.0}


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ([{"spread": 1e-6, "largest": 5.0}], r"collapsed: all texts of a batch have the same within 1\.0e-06"),
        ([HEALTHY, {"spread": 1.0, "largest": 2e3}], "exploded: one is of size 2000, over 1000"),
    ],
)
def test_a_reward_that_tells_nothing_or_too_much_stops_the_run(parts: list[dict[str, float]], problem: str) -> None:
    guard = RewardGuard(RewardConfig(), last_good)
    guard(state(), report(HEALTHY, {"spread": 0.0, "largest": 5.0}))
    with pytest.raises(DivergenceError, match=f"ended at 64 examples seen: the reward has {problem}; .*checkpoint/32"):
        guard(state(), report(*parts))


def test_a_policy_that_runs_away_is_reported_once_and_then_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    guard = DivergenceGuard(ReinforcementConfig(warn_divergence=3, most_divergence=9), last_good)

    def said() -> str:
        return capsys.readouterr().out

    guard(state(), report({"divergence": 1.0}, {"divergence": 4.0}))
    assert not said()
    guard(state(), report({"divergence": 1.0}, {"divergence": 7.0}))
    assert said() == "at 64 examples seen the policy is 4 nats an answer from its start; the run stops at 9\n"
    guard(state(), report({"divergence": 5.0}))
    assert not said()
    with pytest.raises(DivergenceError, match=r"run away: 10 nats an answer from its start, over 9; .*checkpoint/32"):
        guard(state(), report({"divergence": 10.0}))
