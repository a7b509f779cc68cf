"""Blocks of work on Ray Data: places of records go in, and each block's rows come out as a parquet file of their own.

A file is written under another name and renamed, so that it is whole. Whoever has taken its rows deletes it: after a
stop the blocks that were done and not taken yet are still there. All machines see the same folders, by the same paths.
"""

import logging
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pinxit.errors import ConfigError, PinxitError
from pinxit.models.package import require

Rows = list[dict[str, Any]]
Work = Callable[[str, Sequence[int]], Rows]  # the name and the places of a block -> its rows
Opening = Callable[[str], Work]  # on a device; it travels to the machines that work
EXTENSION = ".parquet"


def left_over(spool: Path) -> list[Path]:
    """The files of blocks that were done and whose rows nobody has taken."""
    return sorted(spool.glob(f"[!.]*{EXTENSION}"))


def file_of(spool: Path, name: str) -> Path:
    """Where the rows of a block are put."""
    return spool / f"{name}{EXTENSION}"


def read_rows(file: Path) -> Rows:
    """The rows of a block."""
    from pyarrow import parquet

    rows: Rows = parquet.ParquetFile(file).read().to_pylist()
    return rows


def write_rows(file: Path, rows: Rows) -> None:
    """The rows of a block are there, all of them."""
    import pyarrow
    from pyarrow import parquet

    temporary = file.with_name(f".{file.name}.part")
    parquet.write_table(pyarrow.Table.from_pylist(rows), temporary)
    temporary.rename(file)


class Worker:
    """What one worker does: it opens its models with the first block, and keeps them for the others."""

    def __init__(self, opening: Opening, device: str, spool: Path) -> None:
        self.opening, self.device, self.spool = opening, device, spool
        self._work: Work | None = None

    def __call__(self, block: Mapping[str, Any]) -> dict[str, list[str]]:
        """The block's rows are in its file; told are its name and, in words, what went wrong."""
        (name,), (places,) = block["name"], block["places"]
        try:
            self._work = self._work or self.opening(self.device)
            write_rows(file_of(self.spool, str(name)), self._work(str(name), [int(place) for place in places]))
        except PinxitError as error:
            return {"name": [str(name)], "problem": [str(error)]}
        return {"name": [str(name)], "problem": [""]}


def work_off(
    blocks: Mapping[str, Sequence[int]], opening: Opening, spool: Path, device: str
) -> Generator[str, None, None]:
    """The name of each block once its file is in `spool`, in any order. There is a worker for each GPU of the cluster,
    or where it has none for each core.

    The cluster is that of RAY_ADDRESS, or this machine. Raises MissingExtra without Ray, ConfigError for a device that
    no worker has, PinxitError with the words of the first worker that cannot go on.
    """
    require("ray", "working on a cluster", "ray[data]>=2.50,<3")
    if not blocks:
        return
    spool.mkdir(parents=True, exist_ok=True)
    with _cluster() as resources:
        import ray.data

        has_gpus = device != "cpu" and resources.get("GPU", 0) > 0
        if device not in {"auto", "cpu"} and not has_gpus:
            raise ConfigError("device", device, "the cluster has no GPU", "say auto, or cpu")
        worker = {"opening": opening, "device": "cuda" if has_gpus else "cpu", "spool": spool.resolve()}
        rows = [{"name": name, "places": list(places)} for name, places in blocks.items()]
        workers = int(resources["GPU" if has_gpus else "CPU"])
        done = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            Worker, batch_size=1, fn_constructor_kwargs=worker, num_cpus=1, num_gpus=1 if has_gpus else 0,
            compute=ray.data.ActorPoolStrategy(size=max(1, min(workers, len(rows)))),
        )  # fmt: skip
        for row in done.iter_rows():
            if row["problem"]:
                raise PinxitError(row["problem"])
            yield row["name"]


@contextmanager
def _cluster() -> Iterator[Mapping[str, float]]:
    """What the cluster has; it is left at the end, if it was joined here. A local one tells nobody of itself."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray
    from ray.data import DataContext

    if ray.is_initialized():  # somebody else's to leave
        yield ray.cluster_resources()
        return
    address = os.environ.get("RAY_ADDRESS")
    local = {} if address else {"include_dashboard": False, "num_cpus": len(os.sched_getaffinity(0))}
    try:
        ray.init(address or "local", logging_level=logging.ERROR, log_to_driver=False, **local)
    except ConnectionError as error:
        raise ConfigError("RAY_ADDRESS", address, str(error).splitlines()[0], "name the head of a cluster") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    DataContext.get_current().enable_progress_bars = False
    try:
        yield ray.cluster_resources()
    finally:
        ray.shutdown()
