"""Record -> Feature: pictures through the autoencoder, captions through the text encoder, once, into a cache."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from einops import rearrange

from pinxit.data.bucket import Bucket, buckets, fit, nearest
from pinxit.data.cache import Cache, caption_hash, pack, read_manifest, read_table, rewrite_table, write_shard
from pinxit.data.config import Fingerprint
from pinxit.data.kind import Record
from pinxit.errors import DataError
from pinxit.log import Bar, append_line
from pinxit.models.autoencoder import Autoencoder
from pinxit.models.text import TextEncoder

SHARD = 2048  # records
PICTURES, TEXTS = 32, 64  # through the encoders at once


@dataclass
class Account:
    """What became of records and captions; `lost` holds a few examples of words that the length limit cut."""

    records: int = 0
    used: int = 0
    rejected: int = 0
    captions: int = 0
    cut: int = 0
    emptied: int = 0
    lost: list[str] = field(default_factory=list)
    buckets: Counter[str] = field(default_factory=Counter)


@dataclass
class Encoder:
    """Both encoders, what they leave in a cache's folder, and the account of it."""

    autoencoder: Autoencoder | None  # none where captions alone are encoded
    text: TextEncoder
    fingerprint: Fingerprint
    folder: Path
    account: Account = field(default_factory=Account)
    known: set[str] = field(default_factory=set)

    def shard(self, number: int, records: Sequence[Record]) -> None:
        """One shard of records is on disk."""
        choice = buckets(self.fingerprint.resolution, self.fingerprint.multiple, aspect=self.fingerprint.buckets)
        latents: list[dict[str, object]] = []
        wordings: list[dict[str, object]] = []
        texts: dict[str, str] = {} if self.known else {caption_hash("", self.text.identity): ""}
        waiting: dict[Bucket, list[Record]] = {}
        for record in records:
            height, width, _ = record.picture.shape
            bucket = nearest((height, width), choice)
            if bucket is None:
                self._reject(record, f"{width}x{height} is longer than 4:1")
                continue
            wording = self.wording(record, texts)
            if wording is None:
                self._reject(record, "cleaning left none of its captions")
                continue
            wordings.append(wording)
            waiting.setdefault(bucket, []).append(record)
            if len(waiting[bucket]) == PICTURES:
                latents += self.latents(waiting.pop(bucket), bucket)
        for bucket, rest in waiting.items():
            latents += self.latents(rest, bucket)
        order = {wording["key"]: place for place, wording in enumerate(wordings)}
        latents.sort(key=lambda row: order[row["key"]])
        tables = {"latent": latents, "wording": wordings, "caption": self.states(texts)}
        write_shard(self.folder, number, tables, len(records))

    def latents(self, records: Sequence[Record], bucket: Bucket) -> list[dict[str, object]]:
        """Rows of pictures of one bucket."""
        pictures = np.stack([fit(record.picture, bucket) for record in records])
        pixels = rearrange(torch.from_numpy(pictures).float(), "b h w c -> b c h w") / 127.5 - 1
        assert self.autoencoder is not None
        mean, std = self.autoencoder.encode(pixels)
        self.account.used += len(records)
        self.account.buckets[f"{bucket.width}x{bucket.height}"] += len(records)
        dtype = self.fingerprint.dtype
        return [
            {
                "key": record.key, "label": -1 if record.label is None else record.label,
                "size": list(record.picture.shape[:2]), "shape": list(mean.shape[1:]),
                "mean": pack(mean[i], dtype), "std": pack(std[i], dtype),
            }
            for i, record in enumerate(records)
        ]  # fmt: skip

    def wording(self, record: Record, texts: dict[str, str]) -> dict[str, object] | None:
        """Which captions a record has, by hash; texts not known yet are added to `texts`. None if none is left."""
        found: list[tuple[str, float]] = []
        for caption in record.captions:
            cleaned = self.text.clean(caption.text)
            self.account.captions += 1
            if not cleaned:
                self.account.emptied += 1
                continue
            name = caption_hash(cleaned, self.text.identity)
            found.append((name, caption.weight))
            if name not in self.known and name not in texts:
                texts[name] = cleaned
            if self.text.count(cleaned) > self.text.identity.length:
                self.account.cut += 1
                if len(self.account.lost) < 5:
                    self.account.lost.append(self.text.cut(cleaned))
        if not found:
            return None
        return {"key": record.key, "hashes": [n for n, _ in found], "weights": [w for _, w in found]}

    def states(self, texts: dict[str, str]) -> list[dict[str, object]]:
        """Rows of caption states; texts of like length go through the encoder together."""
        self.known |= texts.keys()
        names = sorted(texts, key=lambda name: len(texts[name]))
        rows: list[dict[str, object]] = []
        for first in range(0, len(names), TEXTS):
            part = names[first : first + TEXTS]
            for name, states in zip(part, self.text.encode([texts[n] for n in part]), strict=True):
                row = {"hash": name, "shape": list(states.shape), "states": pack(states, self.fingerprint.dtype)}
                rows.append(row)
        return rows

    def _reject(self, record: Record, why: str) -> None:
        self.account.rejected += 1
        append_line(self.folder / "rejected.jsonl", {"key": record.key, "why": why})


def encode(
    records: Sequence[Record], autoencoder: Autoencoder, text: TextEncoder, folder: Path, fingerprint: Fingerprint
) -> Cache:
    """The cache of all records; shards that are complete are not made again, so it may be stopped anywhere.

    More records may be appended to those of a former call. Raises DataError where the folder holds another cache, or
    where no record is left.
    """
    _claim(folder, fingerprint)
    done = read_manifest(folder)
    start = sum(int(line["records"]) for line in done)
    encoder = Encoder(autoencoder, text, fingerprint, folder)
    if done:
        encoder.known = set(Cache(folder).captions)
    with Bar("encoding", len(records), start) as bar:
        while start < len(records):
            number = len(read_manifest(folder))
            encoder.shard(number, [records[i] for i in range(start, min(start + SHARD, len(records)))])
            start = min(start + SHARD, len(records))
            bar.move(start)
    return _finish(folder, encoder.account, len(records))


def recaption(records: Sequence[Record], text: TextEncoder, folder: Path) -> Cache:
    """The cache has the records' present captions; no picture is encoded. Records are found by their keys."""
    cache = Cache(folder)
    if cache.fingerprint.text != text.identity:
        raise DataError(folder, "its captions were encoded by another text encoder", "encode into another folder")
    encoder = Encoder(None, text, cache.fingerprint, folder, known=set(cache.captions))
    places = {key: place for place, key in enumerate(cache.keys)}
    texts: dict[str, str] = {}
    said: dict[str, dict[str, object]] = {}
    for record in records:
        wording = encoder.wording(record, texts) if record.key in places else None
        if wording is not None:
            said[record.key] = wording
    write_shard(folder, len(cache.shards), {"latent": [], "wording": [], "caption": encoder.states(texts)}, records=0)
    for number in cache.shards:
        rows = [said.get(str(row["key"]), row) for row in read_table(folder, number, "wording")]
        rewrite_table(folder, number, "wording", rows)
    return Cache(folder)


def _claim(folder: Path, fingerprint: Fingerprint) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "fingerprint.json"
    if file.is_file():
        found = Fingerprint.model_validate_json(file.read_text(encoding="utf-8"))
        if differences := found.differences(fingerprint):
            raise DataError(folder, "it holds another cache: " + "; ".join(differences), "choose another folder")
    file.write_text(fingerprint.model_dump_json(indent=1), encoding="utf-8")
    for part in folder.glob(".*.part"):
        part.unlink()


def _finish(folder: Path, account: Account, records: int) -> Cache:
    account.records = records
    file = folder / "encode.json"
    file.write_text(json.dumps(vars(account), ensure_ascii=False, indent=1), encoding="utf-8")
    cache = Cache(folder)
    if not len(cache):
        raise DataError(folder, f"none of {records} records could be used", f"see {folder / 'rejected.jsonl'}")
    return cache
