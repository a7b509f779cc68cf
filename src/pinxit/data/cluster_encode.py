"""Encoding on a cluster: each block of records is a shard of the cache, written where it was encoded."""

import json
import shutil
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pinxit.data.alone import alone
from pinxit.data.cache import Cache, add_line, caption_hash, read_manifest, shard_line, write_tables
from pinxit.data.cluster import Rows, Work, file_of, read_rows, work_off
from pinxit.data.config import Fingerprint
from pinxit.data.encode import Reading, claim, done, encode_shard, finish, read_ahead, readers_for, shard_size
from pinxit.data.records import Records, read_records
from pinxit.errors import DataError
from pinxit.log import Bar
from pinxit.models.autoencoder import load_autoencoder
from pinxit.models.config import AutoencoderConfig, TextConfig
from pinxit.models.device import choose_device
from pinxit.models.text import load_text

SPOOL = "blocks"  # below the cache


@dataclass(frozen=True)
class Encoding:
    """What a worker needs to encode blocks of records into a cache; all paths are the same on every machine."""

    records: Path
    folder: Path
    fingerprint: Fingerprint
    autoencoder: AutoencoderConfig
    text: TextConfig

    def __call__(self, device: str) -> Work:
        """The work with both encoders open; DataError where they are not those of the fingerprint."""
        where, made = choose_device(device), self.fingerprint
        autoencoder, text = load_autoencoder(self.autoencoder, where), load_text(self.text, device=where)
        if (autoencoder.identity, text.identity) != (made.autoencoder, made.text):
            problem = "a worker has other encoders than the machine that asked it"
            raise DataError(self.folder, problem, "give all machines the same model folders")
        records, null = read_records(self.records), caption_hash("", text.identity)

        def work(name: str, places: Sequence[int]) -> Rows:
            known = {null} if int(name) else set[str]()
            part = read_ahead(Reading(records), places, readers_for(where))
            tables, shard = encode_shard(part, autoencoder, text, made, known)
            account = {"first": records.key(places[0]), **vars(shard.account)}
            sums = write_tables(self.folder, int(name), tables)
            return [{"line": json.dumps(shard_line(int(name), account, sums), ensure_ascii=False)}]

        return work


def encode_on_cluster(records: Records, encoding: Encoding, device: str) -> Cache:
    """The cache of all records, as `encode` makes it but for captions that stand in several shards; blocks that are
    done are not done again, so it may be stopped anywhere. Raises what `encode` and `work_off` do.
    """
    folder, spool = encoding.folder, encoding.folder / SPOOL
    with alone(folder):
        claim(folder, encoding.fingerprint)
        start, number, size = done(folder, records), len(read_manifest(folder)), shard_size(encoding.fingerprint)
        firsts = range(start, len(records), size)
        blocks = {
            f"{place:05d}": range(first, min(first + size, len(records))) for place, first in enumerate(firsts, number)
        }
        waiting = deque(blocks)
        rest = {name: places for name, places in blocks.items() if not _is_done(records, spool, name, places)}
        _merge(folder, spool, waiting)
        before = len(records) - sum(map(len, rest.values()))
        with Bar("encoding", len(records), before) as bar, closing(work_off(rest, encoding, spool, device)) as names:
            for name in names:
                _merge(folder, spool, waiting)
                bar.move(bar.done + len(blocks[name]))
        shutil.rmtree(spool, ignore_errors=True)
        return finish(folder)


def _is_done(records: Records, spool: Path, name: str, places: Sequence[int]) -> bool:
    """Whether a former run has left that block, done of the same records."""
    file = file_of(spool, name)
    if not file.is_file():
        return False
    line = _line(file)
    if (line["first"], line["records"]) == (records.key(places[0]), len(places)):
        return True
    file.unlink()
    return False


def _merge(folder: Path, spool: Path, waiting: deque[str]) -> None:
    """The manifest has the lines of all blocks up to the first that is not done: a cache keeps the records' order."""
    while waiting and (file := file_of(spool, waiting[0])).is_file():
        add_line(folder, _line(file))
        file.unlink()
        waiting.popleft()


def _line(file: Path) -> Mapping[str, object]:
    (row,) = read_rows(file)
    line: Mapping[str, object] = json.loads(row["line"])
    return line
