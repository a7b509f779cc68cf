"""The features on disk: Arrow shards of latents, of wordings and of caption states, joined when read.

A shard is three files of one number: `latent` (one row a picture), `wording` (which captions a picture has, by hash)
and `caption` (states by hash, real tokens only); where a task makes pictures from something, also `condition` (what it
makes each from, encoded, a few a picture). Files are written under a temporary name and renamed; a shard counts
once its line, with their sha256 and the account of its records, stands in `manifest.jsonl`; no shard is written
twice. New captions for old pictures are a shard without latents: of two wordings of a picture the later one counts.
A cache is complete once `encode.json` stands there.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pinxit.data.config import Fingerprint
from pinxit.data.records import content_of
from pinxit.errors import DataError
from pinxit.log import append_line, read_lines
from pinxit.models.identity import TextIdentity, hash_files

TABLES = ("latent", "wording", "caption")
CONDITION = "condition"  # a fourth one, where there is a task
ACCOUNT, FINGERPRINT = "encode.json", "fingerprint.json"


def caption_hash(text: str, identity: TextIdentity) -> str:
    """The name of a cleaned caption's states under one encoder."""
    return blake2b(f"{identity.model_dump_json()}\n{text}".encode(), digest_size=16).hexdigest()


def features(table: str) -> Any:
    """The columns of a table, as `datasets` names them; tensors are bytes with their shape beside them."""
    from datasets import Features, List, Value

    text, whole, many, data = Value("string"), Value("int32"), List(Value("int32")), Value("large_binary")
    columns = {
        "latent": {"key": text, "label": whole, "size": many, "shape": many, "mean": data, "std": data},
        "wording": {"key": text, "hashes": List(text), "weights": List(Value("float32"))},
        "caption": {"hash": text, "shape": many, "states": data},
        CONDITION: {"key": text, "shape": many, "encoded": data},
    }
    return Features(columns[table])


def write_table(file: Path, table: str, rows: Iterable[Mapping[str, object]]) -> None:
    """`file` holds the rows, whole; it was written under another name."""
    from datasets.arrow_writer import ArrowWriter

    temporary = file.with_name(f".{file.name}.part")
    writer = ArrowWriter(path=str(temporary), features=features(table))
    if columns := list(rows):
        writer.write_batch({name: [row[name] for row in columns] for name in columns[0]})
    writer.finalize()
    with temporary.open("rb") as opened:
        os.fsync(opened.fileno())
    temporary.rename(file)


def shard_files(folder: Path, number: int, tables: Iterable[str] = TABLES) -> dict[str, Path]:
    """The files of a shard."""
    return {table: folder / f"{table}-{number:05d}.arrow" for table in tables}


def write_shard(
    folder: Path, number: int, tables: Mapping[str, list[dict[str, object]]], account: Mapping[str, object]
) -> None:
    """The shard is on disk and in the manifest, with the account of what it was made from."""
    add_line(folder, shard_line(number, account, write_tables(folder, number, tables)))


def write_tables(folder: Path, number: int, tables: Mapping[str, list[dict[str, object]]]) -> dict[str, str]:
    """The shard's files are on disk, and counted nowhere yet; their sums are given."""
    files = shard_files(folder, number, tables)
    for table, file in files.items():
        write_table(file, table, tables[table])
    return {table: hash_files([file]) for table, file in files.items()}


def shard_line(number: int, account: Mapping[str, object], sums: Mapping[str, str]) -> dict[str, object]:
    """A shard's line in the manifest."""
    return {"shard": number, **account, "sha256": sums}


def add_line(folder: Path, line: Mapping[str, object]) -> None:
    """The shard of that line counts."""
    append_line(folder / "manifest.jsonl", line)


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """The complete shards, in order."""
    return read_lines(folder / "manifest.jsonl")


def mend(folder: Path) -> None:
    """What a power cut left half-written is gone, so that the next shard's line stands on a line of its own."""
    for part in folder.glob(".*.part"):
        part.unlink()
    file = folder / "manifest.jsonl"
    whole = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in read_manifest(folder))
    if file.is_file() and file.read_bytes() != whole.encode():
        temporary = folder / ".manifest.part"
        temporary.write_text(whole, encoding="utf-8")
        temporary.rename(file)


def open_table(folder: Path, number: int, table: str) -> Any:
    """One table of a shard, mapped into memory."""
    from datasets import Dataset

    return Dataset.from_file(str(shard_files(folder, number, [table])[table]))


def pack(tensors: Sequence[Float[Tensor, "..."]], dtype: str, names: Sequence[str]) -> list[bytes]:
    """The numbers of tensors in the cache's precision; DataError that names the first in which they are not finite."""
    packed = []
    for tensor, name in zip(tensors, names, strict=True):
        numbers = tensor.to(getattr(torch, dtype)).numpy()
        if not np.isfinite(numbers).all():
            raise DataError(name, f"what the encoder made of it is not finite in {dtype}", "look at it, or use float32")
        packed.append(numbers.tobytes())
    return packed


@dataclass(frozen=True)
class Row:
    """One picture as the cache has it: everything but the states of its captions."""

    key: str
    label: int
    size: tuple[int, int]
    mean: Float[Tensor, "c h w"]
    std: Float[Tensor, "c h w"]
    hashes: tuple[str, ...]
    weights: tuple[float, ...]
    conditions: Float[Tensor, "m k h w"] | None = None


class Cache:
    """A complete cache, mapped into memory; reading it needs no encoder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.fingerprint = folder, read_fingerprint(folder)
        lines = read_manifest(folder)
        self.shards = [int(line["shard"]) for line in lines]
        if not self.shards:
            raise DataError(folder, "it holds no complete shard", "run: pinxit data encode again")
        self._latent, self._wording, self._caption = (self._open(table, self.shards) for table in TABLES)
        given = [int(line["shard"]) for line in lines if CONDITION in line["sha256"]]
        self._condition = self._open(CONDITION, given) if given else None  # its rows are those of the latents
        self._dtype = np.dtype(self.fingerprint.dtype)
        hashes = self._caption.column("hash").to_pylist()
        self._places = {name: place for place, name in enumerate(hashes)}
        self._said = {key: place for place, key in enumerate(self._wording.column("key").to_pylist())}
        self.shapes: list[tuple[int, int, int]] = [tuple(s) for s in self._latent.column("shape").to_pylist()]
        self.keys: list[str] = self._latent.column("key").to_pylist()
        self.labels: list[int] = self._latent.column("label").to_pylist()
        self.classes = max(self.labels, default=-1) + 1  # 0: no picture has a class

    def _open(self, table: str, shards: Sequence[int]) -> Any:
        """The table over some shards, as Arrow: mapped into memory, never copied there."""
        from datasets import concatenate_datasets

        try:
            parts = [open_table(self.folder, number, table) for number in shards]
        except (OSError, ValueError) as error:
            raise DataError(self.folder, f"its {table} table cannot be read ({error})", "verify it") from error
        return concatenate_datasets(parts).data.table

    @property
    def captions(self) -> Iterable[str]:
        """The hashes of all captions that have states."""
        return self._places.keys()

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, place: int) -> Row:
        """One picture's row."""
        latent, wording, shape = self._latent, self._wording, self.shapes[place]
        said = self._said[self.keys[place]]
        height, width = latent["size"][place].as_py()
        return Row(
            self.keys[place],
            latent["label"][place].as_py(),
            (height, width),
            self._tensor(latent["mean"][place], shape).float(),
            self._tensor(latent["std"][place], shape).float(),
            tuple(wording["hashes"][said].as_py()),
            tuple(wording["weights"][said].as_py()),
            self._conditions(place),
        )

    def _conditions(self, place: int) -> Float[Tensor, "m k h w"] | None:
        if self._condition is None:
            return None
        shape = tuple(self._condition["shape"][place].as_py())
        return self._tensor(self._condition["encoded"][place], shape).float()

    def caption(self, name: str) -> Float[Tensor, "l f"]:
        """The states of a caption by its hash; DataError if the cache lacks them."""
        return self.stored(name).float()

    def stored(self, name: str) -> Float[Tensor, "l f"]:
        """The same in the cache's precision."""
        place = self._places.get(name)
        if place is None:
            raise DataError(self.folder, f"the caption {name} has no states", "run: pinxit data encode again")
        return self._tensor(self._caption["states"][place], tuple(self._caption["shape"][place].as_py()))

    @property
    def size(self) -> int:
        """Bytes of its numbers."""
        columns = [self._latent["mean"], self._latent["std"], self._caption["states"]]
        if self._condition is not None:
            columns.append(self._condition["encoded"])
        return sum(int(column.nbytes) for column in columns)

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of every picture as it was imported."""
        return [(height, width) for height, width in self._latent["size"].to_pylist()]

    def latents(self, places: Sequence[int]) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b c h w"]]:
        """Means and deviations of pictures of one shape, in the cache's precision."""
        mean, std = (self._numbers(self._latent[name].take(places)) for name in ("mean", "std"))
        shape = (len(places), *self.shapes[places[0]])
        return torch.from_numpy(mean.reshape(shape)), torch.from_numpy(std.reshape(shape))

    def conditions(self, places: Sequence[int]) -> Float[Tensor, "b m k h w"] | None:
        """All conditions of pictures of one shape, in the cache's precision."""
        if self._condition is None:
            return None
        encoded = self._numbers(self._condition["encoded"].take(places))
        return torch.from_numpy(encoded.reshape(len(places), *self._condition["shape"][places[0]].as_py()))

    def states(self) -> tuple[Float[Tensor, "tokens f"], list[int]]:
        """The states of all captions, one after another, in the cache's precision, and how many tokens each has."""
        shapes = self._caption["shape"].to_pylist()
        states = self._numbers(self._caption["states"]).reshape(-1, shapes[0][1])
        return torch.from_numpy(states), [length for length, _ in shapes]

    def choices(self) -> tuple[Int[np.ndarray, "n most"], Float[np.ndarray, "n most"]]:
        """For every picture the places of its captions' states, and up to which share of 1 each is chosen; where a
        picture has fewer captions than another, the last is repeated and never chosen.
        """
        said = [self._said[key] for key in self.keys]
        hashes, weights = (self._wording[name].take(said).to_pylist() for name in ("hashes", "weights"))
        most = max(map(len, hashes))
        captions = [[self._places[name] for name in row] for row in hashes]
        return (
            np.array([row + row[-1:] * (most - len(row)) for row in captions]),
            np.array([[*bounds(row), *[1.0] * (most - len(row))] for row in weights]),
        )

    def unjoined(self, place: int) -> list[str]:
        """What a picture's row names and no shard holds."""
        key = self.keys[place]
        if key not in self._said:
            return [f"{self.folder}: the picture {key} has no wording"]
        lost = [name for name in self._wording["hashes"][self._said[key]].as_py() if name not in self._places]
        return [f"{self.folder}: the picture {key} has a caption {name} without states" for name in lost]

    @property
    def null(self) -> Float[Tensor, "l f"]:
        """The states of the empty caption."""
        return self.caption(caption_hash("", self.fingerprint.text))

    def _numbers(self, column: Any) -> np.ndarray:
        """The numbers of a column's rows, one row after another; in memory once."""
        parts = []
        for rows in column.chunks:
            _, offsets, data = rows.buffers()
            first, last = (np.frombuffer(offsets, np.int64)[rows.offset + i] for i in (0, len(rows)))
            parts.append(np.frombuffer(data, np.uint8)[first:last])
        return np.concatenate(parts).view(self._dtype)

    def _tensor(self, value: Any, shape: tuple[int, ...]) -> Float[Tensor, "..."]:
        """Its numbers, copied, since the file's may not be written; to float32 torch is faster than numpy."""
        return torch.from_numpy(np.frombuffer(value.as_buffer(), self._dtype).reshape(shape).copy())


def bounds(weights: Sequence[float]) -> list[float]:
    """Up to which share of 1 each of several is chosen, by its weight."""
    total = sum(weights)
    return [*[until / total for until in accumulate(weights)][:-1], 1.0]


def cache_beside(records: Path, fingerprint: Fingerprint) -> Path:
    """Where the cache of a RECORDS folder is kept: beside it, under a name that changes with encoders and content."""
    folder = records.resolve()
    said = f"{fingerprint.model_dump_json(exclude_none=True)}/{content_of(folder)}"
    return folder.with_name(f"{folder.name}.cache") / blake2b(said.encode(), digest_size=6).hexdigest()


def is_complete(folder: Path) -> bool:
    """Whether all records were encoded there."""
    return (folder / ACCOUNT).is_file()


def read_fingerprint(folder: Path) -> Fingerprint:
    """What a cache was made of; DataError if the folder is none."""
    file = folder / FINGERPRINT
    if not file.is_file():
        raise DataError(folder, f"it is no cache: it has no {FINGERPRINT}", "run: pinxit data encode")
    return Fingerprint.model_validate_json(file.read_text(encoding="utf-8"))


def open_cache(folder: Path, wanted: Fingerprint) -> Cache:
    """The cache of a folder; DataError that lists what differs where it was made for something else."""
    cache = Cache(folder)
    if differences := cache.fingerprint.differences(wanted):
        raise DataError(folder, "it does not fit: " + "; ".join(differences), "encode again into another folder")
    return cache


def verify(folder: Path) -> list[str]:
    """What is wrong with a cache, file by file: sums, counts, joins, values not finite; empty if all is well."""
    lines = read_manifest(folder)
    if not is_complete(folder):
        return [f"{folder}: it is not finished, {sum(line['records'] for line in lines)} records are encoded"]
    wrong = [fault for line in lines for fault in _sums(folder, line)]
    if wrong:
        return wrong
    cache = Cache(folder)
    for line in lines:
        wrong += _not_finite(folder, line, cache.fingerprint.dtype)
        counted = len(open_table(folder, line["shard"], "latent"))
        if CONDITION in line["sha256"] and len(open_table(folder, line["shard"], CONDITION)) != counted:
            wrong.append(f"condition-{line['shard']:05d}.arrow: it has not as many rows as there are pictures")
        if counted != line["used"]:
            wrong.append(f"latent-{line['shard']:05d}.arrow: it has {counted} pictures, the manifest {line['used']}")
    if len(set(cache.keys)) != len(cache):
        wrong.append(f"{folder}: {len(cache) - len(set(cache.keys))} keys stand there twice")
    return wrong + [fault for place in range(len(cache)) for fault in cache.unjoined(place)]


def _sums(folder: Path, line: Mapping[str, Any]) -> list[str]:
    wrong = []
    for table, file in shard_files(folder, line["shard"], line["sha256"]).items():
        if not file.is_file():
            wrong.append(f"{file.name}: it is missing")
        elif hash_files([file]) != line["sha256"][table]:
            wrong.append(f"{file.name}: its content is not what was written")
    return wrong


def _not_finite(folder: Path, line: Mapping[str, Any], dtype: str) -> list[str]:
    wrong, number = [], line["shard"]
    kinds = {"latent": ("key", "mean", "std"), "caption": ("hash", "states"), CONDITION: ("key", "encoded")}
    for table, (name, *columns) in kinds.items():
        if table not in line["sha256"]:
            continue
        rows = open_table(folder, number, table).data.table
        for column in columns:
            for place, value in enumerate(rows[column]):
                if not np.isfinite(np.frombuffer(value.as_buffer(), np.dtype(dtype))).all():
                    wrong.append(f"{table}-{number:05d}.arrow: {column} of {rows[name][place]} is not finite")
    return wrong


def read_account(folder: Path) -> dict[str, Any]:
    """What encoding did, as `encode.json` has it."""
    account: dict[str, Any] = json.loads((folder / ACCOUNT).read_text(encoding="utf-8"))
    return account
