"""Actions at intervals: each is due once, wherever the run was resumed."""

import pytest

from pinxit.train.hook import Every
from pinxit.train.run import StepReport

from .toy import build


@pytest.mark.parametrize("stop", [8, 16, 24, 32, 40])
def test_a_resumed_run_acts_where_a_straight_one_does(stop: int) -> None:
    state, acted = build().state, []
    report = StepReport([], 0.0, 0.0, 0.0)
    for start, end in ((0, stop), (stop, 96)):
        every = Every(20, start, lambda now: acted.append(now.seen))
        for seen in range(start + 8, end + 1, 8):
            state.seen = seen
            every(state, report)
    assert acted == [24, 40, 64, 80]
