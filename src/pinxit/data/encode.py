"""Records -> latents and caption states, once, into a cache: through the autoencoder and the text encoder."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

import torch
from torch.utils.data import DataLoader, Dataset

from pinxit.data.alone import alone
from pinxit.data.bucket import Bucket, buckets, fit, nearest
from pinxit.data.cache import (
    ACCOUNT,
    CONDITION,
    FINGERPRINT,
    Cache,
    caption_hash,
    mend,
    pack,
    read_fingerprint,
    read_manifest,
    write_shard,
)
from pinxit.data.conditioned import encode_conditions
from pinxit.data.config import Fingerprint
from pinxit.data.kind import Condition, Pixels, Record
from pinxit.data.pixel import to_pixels
from pinxit.errors import DataError
from pinxit.log import Bar
from pinxit.models.autoencoder import Autoencoder
from pinxit.models.device import Device
from pinxit.models.text import TextEncoder

SHARD, FEWEST = 2048, 32  # records; of large pictures fewer, since a stop loses a shard at most
PIXELS, TEXTS = 2**21, 64  # through the encoders at once
PICTURES = 32  # at most
TOGETHER, AHEAD = 4, 2  # records that a reading process hands over at once, and how often it does so ahead
READERS = 8  # at most
EXAMPLES = 5  # of lost words, in the account


@dataclass
class Account:
    """What became of records and captions: `records` = `used` + `rejected`.

    `cut` counts captions over the length limit, `emptied` those of which cleaning left nothing; `lost` holds a few
    examples of the words that the limit cut; `reasons` names every rejected record.
    """

    records: int = 0
    used: int = 0
    rejected: int = 0
    captions: int = 0
    cut: int = 0
    emptied: int = 0
    lost: list[str] = field(default_factory=list)
    buckets: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def add(self, other: "Account") -> None:
        """What became of more records is in it too."""
        for name in ("records", "used", "rejected", "captions", "cut", "emptied"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.lost = (self.lost + other.lost)[:EXAMPLES]
        self.buckets = dict(Counter(self.buckets) + Counter(other.buckets))
        self.reasons.update(other.reasons)


@dataclass(frozen=True)
class Fitted:
    """A record whose picture has its bucket's size; the original is forgotten."""

    key: str
    label: int
    size: tuple[int, int]
    picture: Pixels
    conditions: tuple[Condition, ...]


@dataclass
class Shard:
    """One shard in the making: its rows, the texts still to be encoded, and the account of its records."""

    text: TextEncoder
    known: set[str]  # captions whose states stand in earlier shards
    lenders: Sequence[Cache] = ()  # caches of the same text encoder and precision
    wordings: list[dict[str, object]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    account: Account = field(default_factory=Account)

    def admit(self, record: Record, choice: Sequence[Bucket]) -> Bucket | None:
        """The bucket of a record, whose wording is noted; None if it is rejected."""
        self.account.records += 1
        height, width, _ = record.picture.shape
        bucket = nearest((height, width), choice)
        if bucket is None:
            self._reject(record.key, f"{width}x{height} is longer than 4:1")
        elif not self.word(record):
            self._reject(record.key, "cleaning left none of its captions")
        else:
            self.account.used += 1
            name = f"{bucket.width}x{bucket.height}"
            self.account.buckets[name] = self.account.buckets.get(name, 0) + 1
            return bucket
        return None

    def word(self, record: Record) -> bool:
        """Whether a caption is left after cleaning; then the record's wording is noted, and texts not known yet."""
        found: list[tuple[str, float]] = []
        for caption in record.captions:
            if not caption.weight:  # kept in the records, never drawn
                continue
            cleaned = self.text.clean(caption.text)
            self.account.captions += 1
            if not cleaned:
                self.account.emptied += 1
                continue
            name = caption_hash(cleaned, self.text.identity)
            found.append((name, caption.weight))
            if name not in self.known:
                self.texts[name] = cleaned
            if self.text.count(cleaned) > self.text.identity.length:
                self.account.cut += 1
                if len(self.account.lost) < EXAMPLES:
                    self.account.lost.append(self.text.cut(cleaned))
        if found:
            names, weights = zip(*found, strict=True)
            self.wordings.append({"key": record.key, "hashes": list(names), "weights": list(weights)})
        return bool(found)

    def states(self, dtype: str) -> list[dict[str, object]]:
        """Rows of caption states, as lenders have them or encoded; texts of like length go through together."""
        found = {name: cache.caption(name) for cache in self.lenders for name in self.texts if name in cache.captions}
        names = sorted(self.texts.keys() - found.keys(), key=lambda name: (len(self.texts[name]), name))
        for first in range(0, len(names), TEXTS):
            part = names[first : first + TEXTS]
            found.update(zip(part, self.text.encode([self.texts[name] for name in part]), strict=True))
        packed = pack(list(found.values()), dtype, [f"caption {self.texts[name]!r}" for name in found])
        return [
            {"hash": name, "shape": list(states.shape), "states": data}
            for (name, states), data in zip(found.items(), packed, strict=True)
        ]

    def _reject(self, key: str, why: str) -> None:
        self.account.rejected += 1
        self.account.reasons[key] = why


def encode(
    records: Sequence[Record],
    autoencoder: Autoencoder,
    text: TextEncoder,
    folder: Path,
    fingerprint: Fingerprint,
    *,
    lenders: Iterable[Cache] = (),
) -> Cache:
    """The cache of all records; shards that are complete are not made again, so it may be stopped anywhere.

    Captions that a lender of the same text encoder and precision has are not encoded again. More records may be
    appended to those of a former call. Raises DataError where the folder holds another cache or
    other records, where an encoder gives numbers that are not finite, or where no record is left.
    """
    with alone(folder):
        claim(folder, fingerprint)
        said = fingerprint.text, fingerprint.dtype
        same = [each for each in lenders if (each.fingerprint.text, each.fingerprint.dtype) == said]
        _encode_rest(records, autoencoder, text, folder, fingerprint, lenders=same)
        return finish(folder)


def _encode_rest(
    records: Sequence[Record],
    autoencoder: Autoencoder,
    text: TextEncoder,
    folder: Path,
    fingerprint: Fingerprint,
    *,
    lenders: Sequence[Cache],
) -> None:
    """Every record stands in a complete shard."""
    start = done(folder, records)
    known = set(Cache(folder).captions) if start else set()
    with Bar("encoding", len(records), start) as bar:
        readers = readers_for(autoencoder.device)
        stream = _watched(bar, read_ahead(Reading(records), range(start, len(records)), readers), start)
        while start < len(records):
            part = islice(stream, shard_size(fingerprint))
            tables, shard = encode_shard(part, autoencoder, text, fingerprint, known, lenders=lenders)
            first = {"first": records[start].key}
            write_shard(folder, len(read_manifest(folder)), tables, first | vars(shard.account))
            known |= shard.texts.keys()
            start += shard.account.records
            bar.move(start)


def shard_size(made: Fingerprint) -> int:
    """Records of a shard."""
    return min(SHARD, max(FEWEST, SHARD * 256**2 // made.resolution**2))


def encode_shard(
    records: Iterable[Record],
    autoencoder: Autoencoder,
    text: TextEncoder,
    made: Fingerprint,
    known: set[str],
    *,
    lenders: Sequence[Cache] = (),
) -> tuple[dict[str, list[dict[str, object]]], Shard]:
    """The tables of one shard, and the shard with its account. Captions that are `known` are not encoded; where none is
    known yet, the empty caption is.
    """
    shard = Shard(text, known, lenders)
    if not known:
        shard.texts[caption_hash("", text.identity)] = ""
    choice = buckets(made.resolution, made.multiple, aspect=made.buckets)
    tables = _pictures(shard, records, choice, autoencoder, made)
    return tables | {"wording": shard.wordings, "caption": shard.states(made.dtype)}, shard


class Reading(Sequence[Record | Exception]):
    """Records, or what went wrong in reading one: raised in another process, its message would be lost."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, place: int) -> Record | Exception:  # type: ignore[override]
        """Record `place`."""
        try:
            return self.records[place]
        except Exception as error:  # it is raised where it is taken
            return error


def readers_for(device: Device) -> int:
    """Processes that read records while a GPU encodes them; a processor reads them itself."""
    return 0 if torch.device(device).type == "cpu" else min(READERS, len(os.sched_getaffinity(0)))


def read_ahead(records: Reading, places: Sequence[int], readers: int) -> Iterator[Record]:
    """The records of those places, read by so many other processes."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # or each process says that it was forked
    loader: Iterable[list[Record | Exception]] = DataLoader(
        cast("Dataset[Record | Exception]", records), TOGETHER if readers else 1,
        sampler=cast("Iterable[int]", places), num_workers=readers, collate_fn=list,
        prefetch_factor=AHEAD if readers else None,
    )  # fmt: skip
    for record in chain.from_iterable(loader):
        if isinstance(record, Exception):
            raise record
        yield record


def _watched(bar: Bar, records: Iterable[Record], start: int) -> Iterator[Record]:
    """The records; the bar says how many were taken, from the `start`-th on."""
    for place, record in enumerate(records, start):
        yield record
        bar.move(place + 1)


def _pictures(
    shard: Shard, records: Iterable[Record], choice: Sequence[Bucket], autoencoder: Autoencoder, made: Fingerprint
) -> dict[str, list[dict[str, object]]]:
    """The tables of latents and, where there is a task, of conditions: rows of the records that are admitted, in their
    order; each picture is held only at its bucket's size.
    """
    tables: dict[str, list[dict[str, object]]] = {"latent": []}
    if made.condition is not None:
        tables[CONDITION] = []
    waiting: dict[Bucket, list[Fitted]] = {}
    for record in records:
        bucket = shard.admit(record, choice)
        if bucket is None:
            continue
        height, width, _ = record.picture.shape
        label = -1 if record.label is None else record.label
        group = waiting.setdefault(bucket, [])
        picture = fit(record.picture, bucket)
        group.append(Fitted(record.key, label, (height, width), picture, _suited(record, picture, made)))
        if len(group) >= min(PICTURES, PIXELS // (bucket.height * bucket.width)):
            _encode_group(autoencoder, waiting.pop(bucket), made.dtype, tables)
    for rest in waiting.values():
        _encode_group(autoencoder, rest, made.dtype, tables)
    order = {wording["key"]: place for place, wording in enumerate(shard.wordings)}
    return {name: sorted(rows, key=lambda row: order[row["key"]]) for name, rows in tables.items()}


def _suited(record: Record, picture: Pixels, made: Fingerprint) -> tuple[Condition, ...]:
    """The record's conditions; DataError where they are not as many, or not as large, as those that are wanted."""
    wanted = 0 if made.condition is None else made.condition.many
    if len(record.conditions) != wanted:
        problem = f"it has {len(record.conditions)} conditions, and the cache wants {wanted} of each picture"
        raise DataError(record.key, problem, "make them with the task that the cache is for")
    sizes = {part.shape[:2] for one in record.conditions for part in (one.picture, one.map) if part is not None}
    if sizes - {picture.shape[:2]}:
        problem = f"conditions of {sorted(sizes)} (height, width) do not fit its picture of {picture.shape[:2]}"
        raise DataError(record.key, problem, "make them from the picture at its bucket's size")
    return record.conditions


def _encode_group(
    autoencoder: Autoencoder, group: Sequence[Fitted], dtype: str, tables: Mapping[str, list[dict[str, object]]]
) -> None:
    """The tables have the rows of these pictures of one size too."""
    tables["latent"] += _through(autoencoder, group, dtype)
    if CONDITION in tables:
        tables[CONDITION] += _conditions(autoencoder, group, dtype)


def _conditions(autoencoder: Autoencoder, group: Sequence[Fitted], dtype: str) -> list[dict[str, object]]:
    """Rows of what those pictures are made from."""
    numbers = range(len(group[0].conditions))
    by_number = (encode_conditions([fitted.conditions[n] for fitted in group], autoencoder).cpu() for n in numbers)
    each = list(torch.stack(list(by_number), 1))
    packed = pack(each, dtype, [f"condition of {fitted.key}" for fitted in group])
    return [
        {"key": fitted.key, "shape": list(tensor.shape), "encoded": data}
        for fitted, tensor, data in zip(group, each, packed, strict=True)
    ]


def _through(autoencoder: Autoencoder, group: Sequence[Fitted], dtype: str) -> list[dict[str, object]]:
    """Rows of pictures of one size."""
    pixels = to_pixels([fitted.picture for fitted in group], autoencoder.device)
    mean, std = (part.cpu() for part in autoencoder.encode(pixels))
    names, shape = [f"picture {fitted.key}" for fitted in group], list(mean.shape[1:])
    packed = zip(group, pack(list(mean), dtype, names), pack(list(std), dtype, names), strict=True)
    return [
        {"key": fitted.key, "label": fitted.label, "size": list(fitted.size), "shape": shape, "mean": m, "std": s}
        for fitted, m, s in packed
    ]


def claim(folder: Path, fingerprint: Fingerprint) -> None:
    """The folder is this cache's, and holds nothing half-written."""
    mend(folder)
    file, temporary = folder / FINGERPRINT, folder / ".fingerprint.part"
    if not file.is_file():
        temporary.write_text(fingerprint.model_dump_json(indent=1), encoding="utf-8")
        temporary.rename(file)
    if differences := read_fingerprint(folder).differences(fingerprint):
        raise DataError(folder, "it holds another cache: " + "; ".join(differences), "choose another folder")


def done(folder: Path, records: Sequence[Record]) -> int:
    """How many of the records stand in complete shards; DataError if those shards were made of other records."""
    start = 0
    for line in read_manifest(folder):
        if line["records"] and (start >= len(records) or records[start].key != line["first"]):
            found = f"its record {start} is {line['first']!r}, which these records do not have in that place"
            raise DataError(folder, found, "choose another folder, or give the same records with new ones at the end")
        start += line["records"]
    if start > len(records):
        raise DataError(folder, f"it was made of {start} records, these are {len(records)}", "choose another folder")
    return start


def finish(folder: Path) -> Cache:
    """The cache, with its account beside it."""
    total, lines = Account(), read_manifest(folder)
    for place, line in enumerate(lines):
        if _rewords_all(lines, place):
            total = replace(total, captions=0, cut=0, emptied=0, lost=[])
        total.add(Account(**{name: line[name] for name in Account.__dataclass_fields__}))
    rejected = [json.dumps({"key": key, "why": why}, ensure_ascii=False) for key, why in total.reasons.items()]
    (folder / "rejected.jsonl").write_text("".join(line + "\n" for line in rejected), encoding="utf-8")
    if not total.used:
        raise DataError(folder, f"none of {total.records} records could be used", f"see {folder / 'rejected.jsonl'}")
    said = {name: value for name, value in vars(total).items() if name != "reasons"}
    (folder / ACCOUNT).write_text(json.dumps(said, ensure_ascii=False, indent=1), encoding="utf-8")
    return Cache(folder)


def _rewords_all(lines: Sequence[Mapping[str, Any]], place: int) -> bool:
    """Whether with this line new captions begin for every picture so far: then the former ones no longer count."""
    new, before = lines[place].get("rewording"), lines[:place]
    if new is None or (before and before[-1].get("rewording") == new):
        return False
    reworded: int = sum(line["reworded"] for line in lines[place:] if line.get("rewording") == new)
    return reworded >= sum(int(line["used"]) for line in before)
