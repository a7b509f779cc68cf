"""How fast a cache on disk feeds training at 256 pixels, in one process on one thread; and whether memory grows.

    python benchmarks/cache.py [READS] [RECORDS] [FOLDER]

RECORDS random pictures are written as encoding writes them: latents of 4x32x32, a caption each of 12 to 60 tokens (on
average 30 % of 120), 4096 wide, all in float16; 8,000 take 2.5 GB. FOLDER keeps them for the next time; without it they
are gone at the end. The loader of training reads them in its random order, in padded batches of 64 in float32: `cold`
once each, after the system was asked to drop their pages, then `warm`, READS times; `disk_MB` is what came from the
disk. One JSON line: pictures a second, by the clock and by the process's own time; where the time goes; the process's
own memory (RssAnon) from start to end. `bound` is by its own time too, of the least work: the same numbers, there in
memory, put into a batch that is there already.
"""

import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pinxit.data import loader as loading
from pinxit.data.cache import FINGERPRINT, Cache, pack, read_manifest, shard_files, write_shard
from pinxit.data.config import Fingerprint
from pinxit.data.encode import SHARD, Account
from pinxit.data.loader import CacheLoader, FromDisk, plan
from pinxit.ledger.meter import find_hardware
from pinxit.models.identity import AutoencoderIdentity, TextIdentity

BATCH, LATENT, WIDTH, SHORTEST, LONGEST = 64, (4, 32, 32), 4096, 12, 60
LOOKS = 10  # at memory, on the way
NOBODY = "0" * 64
SYNTHETIC = Fingerprint(
    autoencoder=AutoencoderIdentity(kind="random", sha256=NOBODY, factor=8, channels=4, scaling=1.0, shift=0.0),
    text=TextIdentity(kind="random", sha256=NOBODY, width=WIDTH, length=120, cleaning="none"),
    resolution=256,
    buckets=False,
    multiple=16,
)


def build(folder: Path, records: int) -> None:
    """A cache of random numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FINGERPRINT).write_text(SYNTHETIC.model_dump_json(), encoding="utf-8")
    random = torch.Generator().manual_seed(0)
    for number, first in enumerate(range(0, records, SHARD)):
        names = [f"{place:06d}" for place in range(first, min(first + SHARD, records))]
        lengths = torch.randint(SHORTEST, LONGEST + 1, (len(names),), generator=random).tolist()
        states = pack([torch.randn(n, WIDTH, generator=random) for n in lengths], "float16", names)
        means, stds = (pack(list(torch.randn(len(names), *LATENT, generator=random)), "float16", names) for _ in "ms")
        tables: dict[str, list[dict[str, object]]] = {
            "latent": [
                {"key": name, "label": -1, "size": [256, 256], "shape": list(LATENT), "mean": mean, "std": std}
                for name, mean, std in zip(names, means, stds, strict=True)
            ],
            "wording": [{"key": name, "hashes": [name], "weights": [1.0]} for name in names],
            "caption": [
                {"hash": name, "shape": [length, WIDTH], "states": data}
                for name, length, data in zip(names, lengths, states, strict=True)
            ],
        }
        account = Account(records=len(names), used=len(names), captions=len(names))
        write_shard(folder, number, tables, {"first": names[0], **vars(account)})


def told(file: str, name: str) -> int:
    """The number that the system tells of this process."""
    return int(
        next(line for line in Path("/proc/self", file).read_text().splitlines() if line.startswith(name)).split()[1]
    )


def forget(folder: Path) -> int:
    """No page of the cache's files is in memory, as far as the system does as it is asked; their bytes."""
    size = 0
    for line in read_manifest(folder):
        for file in shard_files(folder, line["shard"]).values():
            with file.open("rb") as opened:
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                size += os.fstat(opened.fileno()).st_size
    return size


class Split:
    """Seconds spent within some functions of the loader, none of which calls another."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def watch(self, owner: Any, function: str, name: str) -> None:
        """From now on the time within it counts as `name`."""
        inner: Callable[..., object] = getattr(owner, function)

        @wraps(inner)
        def timed(*given: object) -> object:
            begun = time.perf_counter()
            try:
                return inner(*given)
            finally:
                self.seconds[name] += time.perf_counter() - begun

        setattr(owner, function, timed)


def read(cache: Cache, reads: int, split: Split) -> dict[str, object]:
    """What reading so many pictures took."""
    loader = CacheLoader(FromDisk(cache, 0), plan(cache, BATCH), 0)
    split.seconds.clear()
    seen, made, memory = 0, 0, list[float]()
    from_disk, begun, worked = told("io", "read_bytes"), time.perf_counter(), time.process_time()
    while seen < reads:
        for batch in loader.next_step(seen):
            made += sum(value.nbytes for value in vars(batch).values() if isinstance(value, torch.Tensor))
            seen += len(batch.keys)
        if seen * LOOKS >= reads * len(memory):
            memory.append(told("status", "RssAnon") / 1024)
    taken, worked = time.perf_counter() - begun, time.process_time() - worked
    shares = {name: round(value / taken, 3) for name, value in split.seconds.items()}
    shares["rest"] = round(1 - sum(shares.values()), 3)
    loader.close()
    return {
        "reads": seen, "pictures_per_second": round(seen / taken, 1),
        "pictures_per_processor_second": round(seen / worked, 1), "batches_MB_per_second": round(made / taken / 1e6),
        "shares_of_time": shares,
        "disk_MB": round((told("io", "read_bytes") - from_disk) / 1e6), "own_memory_MiB": [round(m) for m in memory],
    }  # fmt: skip


def bound(times: int = 30) -> float:
    """Pictures a second if the numbers are in memory in float16 and the batch is there: converted and padded once."""
    lengths = np.random.default_rng(0).integers(SHORTEST, LONGEST + 1, (times, BATCH))
    numbers = torch.randn(int(lengths.sum(1).max()), WIDTH).half()
    latents = torch.randn(2, BATCH, *LATENT).half()
    batch, latent = torch.zeros(BATCH, LONGEST, WIDTH), torch.zeros(2, BATCH, *LATENT)
    begun = time.process_time()
    for row in lengths.tolist():
        first = 0
        for place, length in enumerate(row):
            batch[place, :length] = numbers[first : first + length]
            batch[place, length:] = 0
            first += length
        latent.copy_(latents)
    return times * BATCH / (time.process_time() - begun)


def main(reads: int, records: int, folder: Path) -> None:
    torch.set_num_threads(1)
    if not read_manifest(folder):
        builder = get_context("spawn").Process(target=build, args=(folder, records))  # its memory is not the reader's
        builder.start()
        builder.join()
    size = forget(folder)
    cache, split = Cache(folder), Split()
    for owner, function, name in (
        (Cache, "__getitem__", "latents read"), (Cache, "stored", "captions read"),
        (loading, "stack_captions", "captions padded"),
    ):  # fmt: skip
        split.watch(owner, function, name)
    cold = read(cache, len(cache), split)
    warm = read(cache, reads, split)
    print(json.dumps({
        "benchmark": "cache", "torch": torch.__version__, "hardware": find_hardware().say(), "threads": 1,
        "pictures": len(cache), "cache_MB": round(size / 1e6), "batch": BATCH, "cold": cold, "warm": warm,
        "bound_pictures_per_second": round(bound(), 1),
    }))  # fmt: skip


if __name__ == "__main__":
    count, kept = [int(word) for word in sys.argv[1:3]] + [100_000, 8_000][len(sys.argv[1:3]) :]
    with tempfile.TemporaryDirectory() as temporary:
        main(count, kept, Path(sys.argv[3] if len(sys.argv) > 3 else temporary))
