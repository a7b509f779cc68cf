"""New captions for pictures that are encoded already: through the text encoder alone."""

import os
import shutil
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from pinxit.data.alone import alone
from pinxit.data.cache import ACCOUNT, Cache, is_complete, mend, read_fingerprint, read_manifest, write_shard
from pinxit.data.config import Fingerprint
from pinxit.data.encode import SHARD, Shard, finish
from pinxit.data.kind import Record
from pinxit.errors import DataError
from pinxit.models.text import TextEncoder


def recaption(records: Iterable[Record], text: TextEncoder, folder: Path) -> Cache:
    """The cache has the records' present captions; no picture is encoded. Records are found by their keys, and those
    that were rejected when the pictures were encoded stay so.

    Raises DataError for a record that the cache does not know, and for one of whose captions cleaning leaves nothing.
    """
    if read_fingerprint(folder).text != text.identity:
        raise DataError(folder, "its captions were encoded by another text encoder", "encode into another folder")
    with alone(folder):
        mend(folder)
        _write_captions(records, text, Cache(folder))
        return finish(folder)


def _write_captions(records: Iterable[Record], text: TextEncoder, cache: Cache) -> None:
    """New shards hold the captions of the records whose pictures the cache has."""
    folder, keys, known, lines = cache.folder, set(cache.keys), set(cache.captions), read_manifest(cache.folder)
    rejected = {key for line in lines for key in line["reasons"]}
    rewording = 1 + max(line.get("rewording", 0) for line in lines)
    rest = (record for record in records if record.key not in rejected)
    while part := list(islice(rest, SHARD)):
        shard = Shard(text, known)
        for record in part:
            if record.key not in keys:
                raise DataError(folder, f"it has no picture {record.key}", "encode these records, or leave it out")
            if not shard.word(record):
                raise DataError(folder, f"cleaning left no caption of {record.key}", "give it one, or leave it out")
        tables = {"latent": [], "wording": shard.wordings, "caption": shard.states(cache.fingerprint.dtype)}
        new = {"first": None, "rewording": rewording, "reworded": len(shard.wordings)}
        write_shard(folder, len(read_manifest(folder)), tables, {**new, **vars(shard.account)})
        known |= shard.texts.keys()


def recaption_beside(records: Sequence[Record], text: TextEncoder, place: Path, fingerprint: Fingerprint) -> Cache:
    """`place` is a cache of these records, whose pictures were taken from the newest cache beside it that was made of
    as many records with the same fingerprint. On disk both share the pictures' files.

    Raises DataError where there is none, and for what `recaption` does.
    """
    if is_complete(place):
        return recaption(records, text, place)
    former = _find_former(place, fingerprint, len(records))
    temporary = place.with_name(f".{place.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(former, temporary, copy_function=_link_tables)
    recaption(records, text, temporary)
    shutil.rmtree(place, ignore_errors=True)
    temporary.rename(place)
    return Cache(place)


def _find_former(place: Path, fingerprint: Fingerprint, records: int) -> Path:
    found = [
        folder
        for folder in place.parent.glob("[!.]*")
        if is_complete(folder)
        and read_fingerprint(folder) == fingerprint
        and sum(line["records"] for line in read_manifest(folder)) == records
    ]
    if not found:
        problem = f"no cache there was made of {records} records with these encoders and sizes"
        raise DataError(place.parent, problem, "encode the pictures too: leave out --captions-only")
    return max(found, key=lambda folder: (folder / ACCOUNT).stat().st_mtime)


def _link_tables(source: str, target: str) -> None:
    """Tables, which are never written twice, are shared; the rest is copied."""
    if source.endswith(".arrow"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)
