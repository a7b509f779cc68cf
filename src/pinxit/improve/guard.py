"""What stops a phase that has gone wrong though all its numbers are finite: before the next checkpoint is written."""

from collections.abc import Callable

from pinxit.errors import DivergenceError
from pinxit.improve.config import ReinforcementConfig, RewardConfig
from pinxit.log import console
from pinxit.train.run import StepReport
from pinxit.train.state import TrainState

LastGood = Callable[[], str]


class RewardGuard:
    """A hook: the rewards of every batch differ from each other, and none is beyond all measure."""

    def __init__(self, config: RewardConfig, last_good: LastGood) -> None:
        self.config, self.last_good = config, last_good

    def __call__(self, state: TrainState, report: StepReport) -> None:
        """Raises DivergenceError where the reward has collapsed or exploded."""
        spread = max(loss.parts["spread"] for loss in report.losses)
        largest = max(loss.parts["largest"] for loss in report.losses)
        if spread < self.config.least_spread:
            problem = f"the reward has collapsed: all texts of a batch have the same within {spread:.1e}"
        elif largest > self.config.most:
            problem = f"the reward has exploded: one is of size {largest:.4g}, over {self.config.most:g}"
        else:
            return
        raise _stopped(state, problem, self.last_good)


class DivergenceGuard:
    """A hook: a policy that runs away from its start is reported, once, and then stopped."""

    def __init__(self, config: ReinforcementConfig, last_good: LastGood) -> None:
        self.config, self.last_good = config, last_good
        self._warned = False

    def __call__(self, state: TrainState, report: StepReport) -> None:
        """Raises DivergenceError where the policy is farther from its start than is allowed."""
        weight = sum(loss.weight for loss in report.losses)
        found = sum(loss.parts["divergence"] * loss.weight for loss in report.losses) / weight
        if found > self.config.most_divergence:
            problem = f"the policy has run away: {found:.4g} nats an answer from its start"
            raise _stopped(state, f"{problem}, over {self.config.most_divergence:g}", self.last_good)
        if found > self.config.warn_divergence and not self._warned:
            self._warned = True
            console.print(
                f"at {state.seen} examples seen the policy is {found:.4g} nats an answer from its start; "
                f"the run stops at {self.config.most_divergence:g}",
                highlight=False, soft_wrap=True,
            )  # fmt: skip


def _stopped(state: TrainState, problem: str, last_good: LastGood) -> DivergenceError:
    remedy = f"the last good checkpoint is {last_good()}: lower the rate or raise the penalty, then resume"
    return DivergenceError(f"step that ended at {state.seen} examples seen", problem, remedy)
