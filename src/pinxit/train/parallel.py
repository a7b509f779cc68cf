"""Work side by side: on a processor of several cores whole jobs share it better than the products inside one."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import TypeVar

import torch

T = TypeVar("T")


def side_by_side(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """What the jobs give, in their order: as many at once as torch has threads, each on one of its own."""
    threads = torch.get_num_threads()
    if threads == 1 or len(jobs) == 1:
        return [job() for job in jobs]
    torch.set_num_threads(1)
    try:
        return list(_pool(threads).map(_call, jobs))
    finally:
        torch.set_num_threads(threads)


def _call(job: Callable[[], T]) -> T:
    return job()


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "side by side", initializer=partial(torch.set_num_threads, 1))
