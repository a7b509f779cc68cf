"""Cache -> Batch: a stream that is a function of the seed and the examples seen, so that it can start anywhere."""

import time
from bisect import bisect_right
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pinxit.data.cache import Cache, Row, bounds
from pinxit.data.kind import Batch
from pinxit.errors import DataError
from pinxit.models.device import Device
from pinxit.models.null import stack_captions
from pinxit.rng import Draws, numpy_at


@dataclass(frozen=True)
class Plan:
    """How an epoch is cut into batches: every picture is used, short buckets repeat pictures of their own.

    Each bucket gives ceil(pictures / batch) batches; what the last one lacks is filled from the bucket's own order.
    """

    batch: int
    buckets: tuple[tuple[tuple[int, int], tuple[int, ...]], ...]  # latent height and width, places in the cache

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return sum(ceil(len(places) / self.batch) for _, places in self.buckets)

    def epoch(self, seed: int, number: int) -> list[list[int]]:
        """The batches of one epoch in their order, as places in the cache."""
        parts: list[list[int]] = []
        for index, (_, places) in enumerate(self.buckets):
            order = [places[i] for i in numpy_at(seed, f"epoch/{number}/{index}").permutation(len(places))]
            wanted = ceil(len(order) / self.batch) * self.batch
            filled = [order[i % len(order)] for i in range(wanted)]
            parts += [filled[first : first + self.batch] for first in range(0, wanted, self.batch)]
        return [parts[i] for i in numpy_at(seed, f"epoch/{number}").permutation(len(parts))]

    def __str__(self) -> str:
        """One line: how many pictures in how many buckets, and how often one is seen in an epoch."""
        repeats = [float(str(row["repeat"])) for row in self.table()]
        count = sum(len(places) for _, places in self.buckets)
        least, most = min(repeats), max(repeats)
        often = f"{least:g} to {most:g} times" if least < most else "once" if most == 1 else f"{most:g} times"
        buckets = "one bucket" if len(repeats) == 1 else f"{len(repeats)} buckets"
        return f"{count:,} pictures in {buckets}, all used, each {often} an epoch"

    def table(self) -> list[dict[str, object]]:
        """For each bucket: its size, its pictures, and how often one is seen in an epoch on average."""
        return [
            {
                "latent": f"{width}x{height}",
                "pictures": len(places),
                "repeat": round(ceil(len(places) / self.batch) * self.batch / len(places), 2),
            }
            for (height, width), places in self.buckets
        ]


def plan(cache: Cache, batch: int, places: Sequence[int] | None = None) -> Plan:
    """The plan of a cache, or of some places of it; DataError if there is no picture."""
    groups: dict[tuple[int, int], list[int]] = {}
    for place in range(len(cache)) if places is None else places:
        _, height, width = cache.shapes[place]
        groups.setdefault((height, width), []).append(place)
    if not groups:
        raise DataError(cache.folder, "it has no picture to train on", "import more, or hold fewer out")
    return Plan(batch, tuple((size, tuple(group)) for size, group in sorted(groups.items())))


B = TypeVar("B")
B_co = TypeVar("B_co", covariant=True)


@runtime_checkable
class Source(Protocol[B_co]):
    """Gives the batches of a cache, or of other examples that can be read at any place."""

    def batch(self, places: Sequence[int], first: int) -> B_co:
        """Examples of one bucket whose first stands at place `first` of the run."""
        ...


class FromDisk:
    """Reads every batch from the cache's files."""

    def __init__(self, cache: Cache, seed: int, device: Device = "cpu") -> None:
        self.cache, self.seed, self.device = cache, seed, device

    def batch(self, places: Sequence[int], first: int) -> Batch:
        """One caption each, drawn by their weights, padded to the longest of the batch."""
        rows, position = [self.cache[place] for place in places], tuple(range(first, first + len(places)))
        drawn = Draws(self.seed, position).uniform("caption").tolist()
        captions = [self.cache.stored(choose(row, share)) for row, share in zip(rows, drawn, strict=True)]
        caption, keep = stack_captions(captions, torch.float32)
        mean = torch.stack([row.mean for row in rows])
        made = Batch(
            mean=mean,
            std=torch.stack([row.std for row in rows]),
            caption=caption,
            keep=keep,
            size=torch.tensor([row.size for row in rows], dtype=torch.float32),
            aspect=torch.full((len(rows),), mean.shape[2] / mean.shape[3]),
            label=torch.tensor([row.label for row in rows]),
            position=position,
            keys=tuple(row.key for row in rows),
            condition=self._condition(rows, position),
        )
        return made.to(self.device)

    def _condition(self, rows: Sequence[Row], position: tuple[int, ...]) -> Float[Tensor, "b k h w"] | None:
        """One of the conditions of each picture."""
        given = [row.conditions for row in rows if row.conditions is not None]
        if not given:
            return None
        chosen = draw_condition(self.seed, position, len(given[0])).tolist()
        return torch.stack([each[number] for each, number in zip(given, chosen, strict=True)])


def draw_condition(seed: int, position: tuple[int, ...], many: int) -> Int[Tensor, "b"]:
    """Which of its conditions each picture gets at its place in the run."""
    return (Draws(seed, position).uniform("condition") * many).long()


def choose(row: Row, share: float) -> str:
    """The caption of a picture that a number in [0, 1) falls on, by the captions' weights."""
    return row.hashes[bisect_right(bounds(row.weights), share)]


class CacheLoader(Generic[B]):
    """Steps of batches, one ahead in a thread; `waited` is how long the loop stood still for them, in seconds."""

    def __init__(self, source: Source[B], how: Plan, seed: int, *, accumulation: int = 1, started: int = 0) -> None:
        self.source, self.plan, self.seed = source, how, seed
        self.accumulation, self.started = accumulation, started
        self.waited = 0.0
        self._epoch: tuple[int, list[list[int]]] = (-1, [])
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._ahead: tuple[int, Future[list[B]]] | None = None

    def next_step(self, seen: int) -> list[B]:
        """The micro-batches of the step that starts when `seen` examples of the run were seen."""
        begun = time.perf_counter()
        if self._ahead is None or self._ahead[0] != seen:
            self._ahead = (seen, self._pool.submit(self.step_at, seen))
        batches = self._ahead[1].result()
        self.waited += time.perf_counter() - begun
        after = seen + self.plan.batch
        self._ahead = (after, self._pool.submit(self.step_at, after))
        return batches

    def step_at(self, seen: int) -> list[B]:
        """The same, made now; nothing but the arguments decides what comes out."""
        number, index = divmod((seen - self.started) // self.plan.batch, self.plan.batches)
        known, epoch = self._epoch  # read once: the thread ahead may move it
        if known != number:
            epoch = self.plan.epoch(self.seed, number)
            self._epoch = (number, epoch)
        places = epoch[index]
        size = self.plan.batch // self.accumulation
        return [
            self.source.batch(places[first : first + size], seen + first) for first in range(0, self.plan.batch, size)
        ]

    def close(self) -> None:
        """The thread has ended."""
        self._pool.shutdown(cancel_futures=True)
