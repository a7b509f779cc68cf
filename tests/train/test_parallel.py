"""Jobs side by side: order, threads, errors; and micro-batches side by side are those one by one, to the last bit."""

import threading
from collections.abc import Iterator

import pytest
import torch

from pinxit.train.loop import fit
from pinxit.train.parallel import side_by_side

from .toy import KINDS, PointLoader, build


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_jobs_meet_where_there_are_threads_for_them_and_their_answers_keep_their_order(threads: int) -> None:
    meeting = threading.Barrier(threads, timeout=30)

    def job(number: int) -> tuple[int, int]:
        meeting.wait()
        return number, torch.get_num_threads()

    assert side_by_side([lambda n=n: job(n) for n in range(6)]) == [(n, 1) for n in range(6)]
    assert torch.get_num_threads() == threads


def test_a_job_that_fails_tells_and_leaves_the_threads_as_they_were(threads: int) -> None:
    with pytest.raises(ZeroDivisionError):
        side_by_side([lambda: 1, lambda: 1 // 0])
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("kind", KINDS)
def test_micro_batches_side_by_side_are_those_one_by_one_to_the_last_bit(kind: str) -> None:
    before = torch.get_num_threads()
    made = []
    for count in (1, 2):
        torch.set_num_threads(count)
        made.append(fit(build(kind, 80, PointLoader(parts=4))).tensors())
    torch.set_num_threads(before)
    for name, tensor in made[0].items():
        assert torch.equal(tensor, made[1][name]), name
