"""The RECORDS folder: pictures in their original encoding with their captions, in Arrow, read one at a time.

`records.arrow` holds the rows, `rejected.jsonl` what was not used and why, `import.json` the account. The folder is
written under a temporary name and renamed, so it is whole or absent. Captions that a captioner has written take the
place of the imported ones (`wording.py`), which stay.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import overload

import numpy as np
from jaxtyping import UInt64
from pydantic import TypeAdapter

from pinxit.data.account import Account, ImportReport, TokenLimit
from pinxit.data.original import NO_CLASS, Found, Ignored, Original, Rejected, SourceRules, admit_captions, printable
from pinxit.data.picture import PILLOW_LIMIT, PictureRules, Refusal, decode, encode_png
from pinxit.data.record import Caption, Facts, Record
from pinxit.data.source import LOOKED_FOR
from pinxit.data.wording import WORDS_HELD, caption_column, open_wording, read_wording
from pinxit.errors import DataError

ROWS_HELD = 16  # pictures in memory between two writes
_FACTS: TypeAdapter[Facts] = TypeAdapter(Facts)
_ADMITTED = PictureRules(most_pixels=PILLOW_LIMIT, least_side=1)  # what was admitted once is not judged again


@dataclass(frozen=True)
class Row:
    """A record as it is stored: its picture encoded; height and width as they are after decoding."""

    key: str
    picture: bytes
    size: tuple[int, int]
    captions: tuple[Caption, ...]
    label: int | None = None
    facts: Facts | None = None
    licence: str | None = None


class Records(Sequence[Record]):
    """The records of a folder, decoded when asked for."""

    def __init__(self, folder: Path) -> None:
        from datasets import Dataset

        self.folder, self.report = folder, read_report(folder)
        try:
            self._rows = Dataset.from_file(str(folder / "records.arrow"))
        except (OSError, ValueError) as error:
            raise DataError(folder, f"records.arrow cannot be read ({error})", "import the pictures again") from error
        self._imported = self._rows.data.column("captions")
        self.wording = read_wording(folder)
        self._captions = self._imported if self.wording is None else open_wording(folder, self.wording)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> list[Record]: ...

    def __getitem__(self, place: int | slice) -> Record | list[Record]:
        """One record, or a list of them."""
        if isinstance(place, slice):
            return [self[i] for i in range(len(self))[place]]
        row = self._rows[place]
        picture = decode(row["picture"], _ADMITTED)
        if isinstance(picture, Refusal):
            problem = f"the picture {row['key']} is damaged ({picture.detail})"
            raise DataError(self.folder, problem, "import the pictures again")
        captions = self.captions(place)
        facts = None if row["facts"] is None else _FACTS.validate_json(row["facts"])
        return Record(row["key"], picture, captions, row["label"], facts)

    def captions(self, place: int) -> tuple[Caption, ...]:
        """The captions of one record; its picture is not decoded."""
        return tuple(Caption(**caption) for caption in self._captions[place].as_py())

    def imported(self, place: int) -> tuple[Caption, ...]:
        """The captions that one record was imported with."""
        return tuple(Caption(**caption) for caption in self._imported[place].as_py())

    def wordings(self, *, imported: bool = False) -> Iterator[tuple[Caption, ...]]:
        """The captions of all records in their order: those that hold, or those that were imported."""
        column = self._imported if imported else self._captions
        for first in range(0, len(column), WORDS_HELD):
            for captions in column.slice(first, WORDS_HELD).to_pylist():
                yield tuple(Caption(**caption) for caption in captions)

    def encoded(self, place: int) -> bytes:
        """The picture of one record as its owner has it."""
        data: bytes = self._rows.data.column("picture")[place].as_py()
        return data

    def licences(self) -> dict[str, int] | None:
        """How many pictures each licence has, the most frequent first; none where no picture says what it has."""
        if "licence" not in self._rows.column_names:  # an import of before
            return None
        column = self._rows.data.column("licence")
        counts = {str(one["values"] or "not said"): int(one["counts"]) for one in column.value_counts().to_pylist()}
        said = dict(sorted(counts.items(), key=lambda one: -one[1]))
        return None if column.null_count == len(column) else said

    @property
    def marks(self) -> UInt64[np.ndarray, "n"]:
        """What tells each picture from all others, without reading one: a hash of key, bytes, height and width."""
        from pyarrow import compute

        lengths = compute.binary_length(self._rows.data.column("picture")).to_pylist()
        said = (f"{key}\n{length} {size}" for key, length, size in zip(self.keys, lengths, self.sizes, strict=True))
        digests = b"".join(blake2b(text.encode(), digest_size=8).digest() for text in said)
        return np.frombuffer(digests, "<u8").astype(np.uint64)

    def key(self, place: int) -> str:
        """The key of one record; nothing is decoded."""
        key: str = self._rows.data.column("key")[place].as_py()
        return key

    @property
    def keys(self) -> list[str]:
        """The key of every record; nothing is decoded."""
        keys: list[str] = self._rows.data.column("key").to_pylist()
        return keys

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of every picture; nothing is decoded."""
        columns = (self._rows.data.column(name).to_pylist() for name in ("height", "width"))
        return list(zip(*columns, strict=True))


class RecordWriter:
    """Writes a RECORDS folder row by row; the folder is there once `finish` has returned, and not before."""

    def __init__(
        self, folder: Path, source: str, rules: SourceRules | None, tokens: TokenLimit | None, *, force: bool
    ) -> None:
        from datasets.arrow_writer import ArrowWriter

        self.folder, self.source, self.rules = folder.resolve(), printable(source), rules
        _refuse_another(self.folder, self.source, rules, force=force)
        self._temporary = self.folder.with_name(f".{self.folder.name}.{os.getpid()}")
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir(parents=True)
        self._arrow = ArrowWriter(
            path=str(self._temporary / "records.arrow"), features=_features(), writer_batch_size=ROWS_HELD
        )
        self._rejected = (self._temporary / "rejected.jsonl").open("w", encoding="utf-8")
        self._account, self._keys = Account(tokens), set[bytes]()

    def __enter__(self) -> "RecordWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rejected.close()
        self._arrow.close()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def add(self, row: Row) -> None:
        """One more record; a key that was there before gets a number."""
        height, width = row.size
        stored = {
            "key": self._unique(row.key), "height": height, "width": width,
            "captions": [asdict(caption) for caption in row.captions], "label": row.label,
            "facts": None if row.facts is None else _FACTS.dump_json(row.facts).decode(),
        }  # fmt: skip
        if row.licence is not None:  # without one, an import is called what it was before there were any
            stored["licence"] = row.licence
        self._arrow.write({"licence": None, "picture": row.picture, **stored})
        self._account.use(row.picture, row.captions, row.label, json.dumps(stored).encode())

    def reject(self, rejected: Rejected) -> None:
        """One more that is not used; its line is in `rejected.jsonl`."""
        line = {"key": rejected.key, "reason": rejected.reason.value, "detail": printable(rejected.detail)}
        self._rejected.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._account.reject(rejected)

    def ignore(self, ignored: Ignored) -> None:
        """One more file that is neither picture nor caption."""
        self._account.ignore(ignored)

    def note(self, item: Found, row: Row, *, named: bool) -> None:
        """What becomes of a picture's label: not understood, or, if folders are classes, the name of a number."""
        if isinstance(item, Original) and item.label == NO_CLASS:
            self._account.strange_labels += 1
        if named and row.label is not None:
            self._account.class_names[row.label] = PurePosixPath(item.key).parent.name

    def finish(self) -> ImportReport:
        """The folder is there, complete; raises DataError if it would be empty."""
        report = self._account.report(self.source, self.rules)
        if not report.used:
            raise DataError(self.source, f"no usable picture: {report.found_in_words()}", f"give it {LOOKED_FOR}")
        self._arrow.finalize()
        self._rejected.close()
        (self._temporary / "import.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
        _replace(self._temporary, self.folder)
        return report

    def _unique(self, key: str) -> str:
        name, number = key, 1
        while (digest := blake2b(name.encode(), digest_size=16).digest()) in self._keys:
            number += 1
            name = f"{key} ({number})"
        self._keys.add(digest)
        return name


def import_records(
    found: Iterable[Found],
    folder: Path,
    source: str,
    rules: SourceRules,
    *,
    tokens: TokenLimit | None = None,
    force: bool = False,
) -> ImportReport:
    """All that a source holds is in the folder, or accounted for there."""
    with RecordWriter(folder, source, rules, tokens, force=force) as writer:
        for item in found:
            row = admit(item, rules) if isinstance(item, Original) else item
            if isinstance(row, Ignored):
                writer.ignore(row)
            elif isinstance(row, Rejected):
                writer.reject(row)
            else:
                writer.add(row)
                writer.note(item, row, named=rules.class_from_folder)
        return writer.finish()


def admit(original: Original, rules: SourceRules) -> Row | Rejected:
    """A row, if its picture decodes and it has a caption."""
    picture = decode(original.data, rules)
    if isinstance(picture, Refusal):
        return Rejected(original.key, picture.reason, picture.detail)
    captions = admit_captions(original, rules)
    if isinstance(captions, Refusal):
        return Rejected(original.key, captions.reason, captions.detail)
    height, width, _ = picture.shape
    label = original.label if original.label != NO_CLASS else None
    return Row(original.key, original.data, (height, width), captions, label, licence=original.licence)


def write_records(records: Iterable[Record], folder: Path, source: str, *, force: bool = False) -> ImportReport:
    """The records are in the folder, their pictures as PNG; `source` says what they are and how they were made."""
    with RecordWriter(folder, source, None, None, force=force) as writer:
        for record in records:
            height, width, _ = record.picture.shape
            picture = encode_png(record.picture)
            writer.add(Row(record.key, picture, (height, width), record.captions, record.label, record.facts))
        return writer.finish()


def read_records(folder: Path) -> Records:
    """The records of a RECORDS folder, decoded when asked for."""
    return Records(folder)


def read_report(folder: Path) -> ImportReport:
    """The account of a RECORDS folder; raises DataError if the folder is none."""
    file = folder / "import.json"
    if not file.is_file():
        raise DataError(folder, "it is no RECORDS folder, for it holds no import.json", "name another")
    try:
        return ImportReport.model_validate_json(file.read_bytes())
    except ValueError as error:
        raise DataError(file, f"it cannot be read ({error})", "delete the folder and import again") from error


def content_of(folder: Path) -> str:
    """A name for all that a RECORDS folder holds: another import, and other captions, have another."""
    wording, imported = read_wording(folder), read_report(folder).sha256
    return imported if wording is None else f"{imported}/{wording.sha256}"


def _refuse_another(folder: Path, source: str, rules: SourceRules | None, *, force: bool) -> None:
    """Nothing is there, or the same import, or any import if forced: nothing but a RECORDS folder is ever replaced."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    there = read_report(folder)
    if not force and (there.source, there.rules) != (source, rules):
        problem = f"it holds another import, of {there.source} ({there.rules or 'made, not read'})"
        raise DataError(folder, problem, "name another folder, or give --force")


def _replace(temporary: Path, folder: Path) -> None:
    """`folder` is what `temporary` was; a power cut leaves it old, absent or new, never in part."""
    for file in temporary.iterdir():
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
    old = temporary.with_name(f"{temporary.name}.old")
    if folder.exists():
        folder.rename(old)
    temporary.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _features() -> object:
    """The columns of records.arrow."""
    from datasets import Features, Value

    return Features({
        "key": Value("string"), "picture": Value("large_binary"), "height": Value("int32"), "width": Value("int32"),
        **caption_column(), "label": Value("int64"), "facts": Value("string"),
        "licence": Value("string"),
    })  # fmt: skip
