"""Pictures and captions out of WebDataset tars and parquet files, one at a time.

A tar's picture takes the `.txt`, `.json` or `.cls`, a class's number, of its own stem, which must stand next to it, as
WebDataset writes them.
What stands before a damage is used; the rest counts as one rejected. In parquet the picture is the column `image`, or
else the only column of bytes; a damaged row group counts as one rejected.

Parquet is read through `datasets`; its reader of tars stops at the first odd example, so tars are read here.
"""

import glob
import lzma
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pinxit.data.original import (
    MOST_BYTES,
    Found,
    Ignored,
    Original,
    Rejected,
    captions_of,
    decode_text,
    label_of,
    licence_of,
    parse_object,
    printable,
    stem_of,
    suffix_of,
)
from pinxit.data.picture import SUFFIXES, Reason

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")
PARQUET_ROWS = 16  # held at a time
_BESIDE = frozenset({".txt", ".json", ".cls"})
_TAR_ERRORS = (
    tarfile.TarError, OSError, EOFError, ValueError, IndexError, MemoryError, OverflowError, zlib.error, lzma.LZMAError,
)  # fmt: skip


def read_tar(file: Path, name: str) -> Iterator[Found]:
    """The pictures of a tar, each with the captions and the class that stand next to it."""
    parts: list[tuple[str, bytes]] = []  # neighbours of one stem
    failure: Rejected | None = None
    try:
        for member, data in _members(file, name):
            if isinstance(member, Rejected | Ignored):
                yield member
                continue
            if parts and not f"{stem_of(member)}.".startswith(f"{stem_of(parts[0][0])}."):
                yield from _joined(parts, name)
                parts.clear()
            parts.append((member, data))
    except _TAR_ERRORS as error:
        failure = Rejected(printable(name), Reason.BAD_FILE, printable(f"{error}; nothing after that was read"))
    yield from _joined(parts, name)
    if failure is not None:
        yield failure


def _members(file: Path, name: str) -> Iterator[tuple[str | Rejected | Ignored, bytes]]:
    """Names and bytes of a tar's pictures and captions; raises where it breaks off, though tarfile itself may not."""
    with tarfile.open(file) as archive:
        assert archive.fileobj is not None
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # or every header would be kept
            key = printable(f"{name}/{member.name}")
            if member.isdir():
                continue
            if any(part.startswith(".") for part in PurePosixPath(member.name).parts):
                yield Ignored(key, "hidden"), b""
            elif not member.isreg():
                yield Ignored(key, "link or device"), b""
            elif suffix_of(member.name) not in SUFFIXES | _BESIDE:
                yield Ignored(key, suffix_of(member.name) or "no suffix"), b""
            elif member.size > MOST_BYTES:
                yield Rejected(key, Reason.TOO_LARGE, f"{member.size} bytes"), b""
            else:
                content = archive.extractfile(member)
                assert content is not None
                yield member.name, content.read()
        archive.fileobj.seek(archive.offset)
        if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError(f"neither a header nor the end mark at byte {archive.offset}")


def _joined(parts: list[tuple[str, bytes]], tar: str) -> Iterator[Found]:
    """The pictures among neighbours, with the captions and the class of their own stem."""
    pictures = {stem_of(member) for member, _ in parts if suffix_of(member) in SUFFIXES}
    for member, data in parts:
        key, suffix = printable(f"{tar}/{member}"), suffix_of(member)
        if suffix in SUFFIXES:
            beside = [(other, text) for other, text in parts if stem_of(other) == stem_of(member)]
            captions = _captions(beside)
            if captions is None:
                yield Rejected(key, Reason.BAD_ROW, "its .json holds no JSON object")
            else:
                yield Original(key, data, captions, PurePosixPath(member).stem, _label(beside), _licence(beside))
        elif stem_of(member) not in pictures:
            yield Ignored(key, f"{suffix} without a picture")


def _captions(parts: list[tuple[str, bytes]]) -> tuple[str, ...] | None:
    """The captions among the parts of one stem; None if a damaged `.json` is all there is."""
    texts = [decode_text(text) for member, text in parts if suffix_of(member) == ".txt"]
    rows = [parse_object(text) for member, text in parts if suffix_of(member) == ".json"]
    texts += [text for row in rows if row is not None for text in captions_of(row)]
    return None if None in rows and not texts else tuple(texts)


def _label(parts: list[tuple[str, bytes]]) -> int | None:
    """The class among the parts of one stem: what the `.cls` says, else the `.json`."""
    rows: list[Mapping[str, object]] = [
        {"label": decode_text(text)} for member, text in parts if suffix_of(member) == ".cls"
    ]
    rows += [parse_object(text) or {} for member, text in parts if suffix_of(member) == ".json"]
    return next((label for row in rows if (label := label_of(row)) is not None), None)


def _licence(parts: list[tuple[str, bytes]]) -> str | None:
    """The licence that the `.json` among the parts of one stem names."""
    rows = (parse_object(text) or {} for member, text in parts if suffix_of(member) == ".json")
    return next((licence for row in rows if (licence := licence_of(row)) is not None), None)


def read_parquet(file: Path, name: str) -> Iterator[Found]:
    """The pictures of a parquet file, a row each."""
    import pyarrow
    from datasets import load_dataset

    count, key, errors = 0, printable(name), (OSError, ValueError, pyarrow.ArrowException)
    try:
        pattern = glob.escape(str(file.absolute()))
        table = load_dataset("parquet", data_files=[pattern], split="train", streaming=True, batch_size=PARQUET_ROWS)
        table = table.decode(False).reshard()  # a row group is a shard
    except errors as error:
        yield Rejected(key, Reason.BAD_FILE, printable(str(error)))
        return
    column = _picture_column(table.features)
    if column is None:
        problem = f"no column 'image', and not one column of bytes; columns: {', '.join(table.features)}"
        yield Rejected(key, Reason.BAD_FILE, printable(problem))
        return
    for group in range(table.num_shards):
        try:
            for row in table.shard(num_shards=table.num_shards, index=group):
                yield _picture_of(f"{key}#{count}", row[column], row)
                count += 1
        except errors as error:
            yield Rejected(f"{key}, row group {group}", Reason.BAD_FILE, printable(str(error)))


def _picture_of(key: str, value: object, row: Mapping[str, object]) -> Found:
    data = value.get("bytes") if isinstance(value, dict) else value
    if isinstance(data, bytes):
        return Original(key, data, captions_of(row), label=label_of(row), licence=licence_of(row))
    return Rejected(key, Reason.MISSING, printable(f"the row holds no picture: {value}")[:200])


def _picture_column(features: Mapping[str, object]) -> str | None:
    """`image` if it holds bytes, else the only column that does."""
    from datasets import Image, Value

    holding = [
        name
        for name, feature in features.items()
        if isinstance(feature, Image)
        or (isinstance(feature, dict) and "bytes" in feature)
        or (isinstance(feature, Value) and feature.dtype in {"binary", "large_binary"})
    ]
    if "image" in holding:
        return "image"
    return holding[0] if len(holding) == 1 else None
