"""The features on disk: Arrow shards of latents, of wordings and of caption states, joined when read.

A shard is three files of one number: `latent` (one row a picture), `wording` (which captions a picture has, by hash)
and `caption` (states by hash, real tokens only). Files are written under a temporary name and renamed; a shard counts
once its line, with their sha256, stands in `manifest.jsonl`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pinxit.data.config import Fingerprint
from pinxit.errors import DataError
from pinxit.log import append_line, read_lines
from pinxit.models.identity import TextIdentity, hash_files

TABLES = ("latent", "wording", "caption")


def caption_hash(text: str, identity: TextIdentity) -> str:
    """The name of a cleaned caption's states under one encoder."""
    return blake2b(f"{identity.model_dump_json()}\n{text}".encode(), digest_size=16).hexdigest()


def features(table: str) -> Any:  # noqa: ANN401  (datasets is imported late)
    """The columns of a table, as `datasets` names them; tensors are bytes with their shape beside them."""
    from datasets import Features, List, Value

    text, whole, many, data = Value("string"), Value("int32"), List(Value("int32")), Value("large_binary")
    columns = {
        "latent": {"key": text, "label": whole, "size": many, "shape": many, "mean": data, "std": data},
        "wording": {"key": text, "hashes": List(text), "weights": List(Value("float32"))},
        "caption": {"hash": text, "shape": many, "states": data},
    }
    return Features(columns[table])


def write_table(file: Path, table: str, rows: Iterable[Mapping[str, object]]) -> None:
    """`file` holds the rows, whole; it was written under another name."""
    from datasets.arrow_writer import ArrowWriter

    temporary = file.with_name(f".{file.name}.part")
    writer = ArrowWriter(path=str(temporary), features=features(table))
    for row in rows:
        writer.write(dict(row))
    writer.finalize()
    temporary.rename(file)


def shard_files(folder: Path, number: int) -> dict[str, Path]:
    """The three files of a shard."""
    return {table: folder / f"{table}-{number:05d}.arrow" for table in TABLES}


def write_shard(folder: Path, number: int, tables: Mapping[str, list[dict[str, object]]], records: int) -> None:
    """The shard is on disk and in the manifest; `records` counts what it was made from, rejected ones too."""
    files = shard_files(folder, number)
    for table, file in files.items():
        write_table(file, table, tables[table])
    sums = {table: hash_files([file]) for table, file in files.items()}
    append_line(folder / "manifest.jsonl", {"shard": number, "records": records, "sha256": sums})


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """The complete shards, in order; of two lines of one shard the later one counts."""
    lines: dict[Any, dict[str, Any]] = {line["shard"]: line for line in read_lines(folder / "manifest.jsonl")}
    return [lines[number] for number in sorted(lines)]


def read_table(folder: Path, number: int, table: str) -> list[dict[str, object]]:
    """All rows of one table of a shard."""
    from datasets import Dataset

    rows: list[dict[str, object]] = Dataset.from_file(str(shard_files(folder, number)[table])).to_list()
    return rows


def rewrite_table(folder: Path, number: int, table: str, rows: list[dict[str, object]]) -> None:
    """One table of a complete shard has other rows, and the manifest their sum."""
    line = next(line for line in read_manifest(folder) if line["shard"] == number)
    file = shard_files(folder, number)[table]
    write_table(file, table, rows)
    append_line(folder / "manifest.jsonl", {**line, "sha256": {**line["sha256"], table: hash_files([file])}})


def pack(tensor: Float[Tensor, "..."], dtype: str) -> bytes:
    """A tensor's numbers in the cache's precision."""
    return tensor.detach().to(getattr(torch, dtype)).contiguous().numpy().tobytes()


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


class Cache:
    """A complete cache, mapped into memory; reading it needs no encoder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        file = folder / "fingerprint.json"
        if not file.is_file():
            raise DataError(folder, "it is no cache: it has no fingerprint.json", "run: pinxit data encode")
        self.fingerprint = Fingerprint.model_validate_json(file.read_text(encoding="utf-8"))
        self.shards = [int(line["shard"]) for line in read_manifest(folder)]
        if not self.shards:
            raise DataError(folder, "it holds no complete shard", "run: pinxit data encode again")
        self._latent, self._wording, self._caption = (self._open(table) for table in TABLES)
        self._dtype = np.dtype(self.fingerprint.dtype)
        hashes = self._caption.column("hash").to_pylist()
        self._places = {name: place for place, name in enumerate(hashes)}
        self.shapes: list[tuple[int, int, int]] = [tuple(s) for s in self._latent.column("shape").to_pylist()]
        self.keys: list[str] = self._latent.column("key").to_pylist()

    def _open(self, table: str) -> Any:  # noqa: ANN401
        """The table over all shards, as Arrow."""
        from datasets import Dataset, concatenate_datasets

        try:
            parts = [Dataset.from_file(str(shard_files(self.folder, number)[table])) for number in self.shards]
        except (OSError, ValueError) as error:
            raise DataError(self.folder, f"its {table} table cannot be read ({error})", "run: pinxit data verify") from error
        return concatenate_datasets(parts).data.table.combine_chunks() if len(parts) > 1 else parts[0].data.table

    @property
    def captions(self) -> Iterable[str]:
        """The hashes of all captions that have states."""
        return self._places.keys()

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, place: int) -> Row:
        """One picture's row."""
        latent, wording = self._latent, self._wording
        shape = self.shapes[place]
        height, width = latent["size"][place].as_py()
        return Row(
            self.keys[place],
            latent["label"][place].as_py(),
            (height, width),
            self._tensor(latent["mean"][place], shape),
            self._tensor(latent["std"][place], shape),
            tuple(wording["hashes"][place].as_py()),
            tuple(wording["weights"][place].as_py()),
        )

    def caption(self, name: str) -> Float[Tensor, "l f"]:
        """The states of a caption by its hash; DataError if the cache lacks them."""
        place = self._places.get(name)
        if place is None:
            raise DataError(self.folder, f"the caption {name} has no states", "run: pinxit data encode again")
        return self._tensor(self._caption["states"][place], tuple(self._caption["shape"][place].as_py()))

    @property
    def null(self) -> Float[Tensor, "l f"]:
        """The states of the empty caption."""
        return self.caption(caption_hash("", self.fingerprint.text))

    def _tensor(self, value: Any, shape: tuple[int, ...]) -> Float[Tensor, "..."]:  # noqa: ANN401
        numbers = np.frombuffer(value.as_buffer(), self._dtype).astype(np.float32)
        return torch.from_numpy(numbers.reshape(shape))


def open_cache(folder: Path, wanted: Fingerprint) -> Cache:
    """The cache of a folder; DataError that lists what differs where it was made for something else."""
    cache = Cache(folder)
    if differences := cache.fingerprint.differences(wanted):
        raise DataError(folder, "it does not fit: " + "; ".join(differences), "encode again into another folder")
    return cache


def verify(folder: Path) -> list[str]:
    """What is wrong with a cache, shard by shard: sums, joins, values that are not finite; empty if all is well."""
    wrong = []
    for line in read_manifest(folder):
        for table, file in shard_files(folder, line["shard"]).items():
            if not file.is_file():
                wrong.append(f"{file.name}: it is missing")
            elif hash_files([file]) != line["sha256"][table]:
                wrong.append(f"{file.name}: its content is not what was written")
    if wrong:
        return wrong
    cache = Cache(folder)
    for place in range(len(cache)):
        row = cache[place]
        if not (torch.isfinite(row.mean).all() and torch.isfinite(row.std).all()):
            wrong.append(f"{row.key}: its latent is not finite")
        for name in row.hashes:
            try:
                finite = bool(torch.isfinite(cache.caption(name)).all())
            except DataError as error:
                wrong.append(str(error))
            else:
                wrong += [] if finite else [f"{row.key}: the states of caption {name} are not finite"]
    return wrong


def read_account(folder: Path) -> dict[str, Any]:
    """What encoding did, as `encode.json` has it."""
    account: dict[str, Any] = json.loads((folder / "encode.json").read_text(encoding="utf-8"))
    return account
