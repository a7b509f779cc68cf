"""Users' own pictures and captions, in every usual form, one after another.

Whatever is met comes out as one of three: an Original (bytes and captions), a Rejected (with its reason) or an Ignored
(no picture, no caption). In a folder:

- A picture's captions are those of its row in `metadata.jsonl` or `metadata.csv`, else the whole `.txt` beside it.
- A row's `file_name` starts from the folder of its table and never leaves the folder that is read. Names are compared
  in Unicode's NFC. Rows of one file that follow one another are one picture with several captions.
- A picture's class is the `label` of its row, a whole number; or, if asked for, the number of its folder, in the order
  of their names, which then is its caption too where it has none.
- Hidden files and links to folders are ignored; links to files are followed.

`datasets` would pass over pictures that no row names and stop at a row that names none, so folders are read here.
"""

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path, PurePosixPath
from posixpath import normpath

from pinxit.data.archive import TAR_SUFFIXES, read_parquet, read_tar
from pinxit.data.original import (
    MOST_BYTES,
    Found,
    Ignored,
    Original,
    Rejected,
    captions_of,
    comparable,
    decode_text,
    in_words,
    label_of,
    licence_of,
    parse_object,
    printable,
    stem_of,
    suffix_of,
)
from pinxit.data.picture import SUFFIXES, Reason
from pinxit.errors import DataError

TABLES = ("metadata.jsonl", "metadata.csv")
LOOKED_FOR = "pictures with a .txt beside each or with a metadata.jsonl or metadata.csv, WebDataset tars, or parquet"


def read_source(path: Path, *, class_from_folder: bool = False) -> Iterator[Found]:
    """All that a folder, tar or parquet file holds, always in the same order, one at a time."""
    if path.is_dir():
        return _read_folder(path, class_from_folder=class_from_folder)
    if path.is_file():
        if path.name.lower().endswith(TAR_SUFFIXES):
            return read_tar(path, path.name)
        if suffix_of(path.name) == ".parquet":
            return read_parquet(path, path.name)
    problem = "it is no folder, tar or parquet file" if path.exists() else "there is nothing there"
    raise DataError(path, problem, f"name a folder that holds {LOOKED_FOR}")


@dataclass(frozen=True)
class _Folder:
    """The names of a folder's files, relative to it: as they are, as they are compared, and the texts by their stem;
    the numbers of the folders that are classes.
    """

    root: Path
    names: Mapping[str, None]  # a dictionary, for its order
    compared: Mapping[str, str]
    texts: Mapping[str, str]
    classes: Mapping[str, int]

    def find(self, name: str) -> str | None:
        """The file of that name, however its letters are composed."""
        name = normpath(name)
        return name if name in self.names else self.compared.get(comparable(name))

    def picture(
        self, name: str, captions: tuple[str, ...] = (), label: int | None = None, licence: str | None = None
    ) -> Found:
        """A file's bytes with what is given, or else with the captions in the text beside it and its folder's class."""
        key, file = printable(name), self.root / name
        try:
            if not file.is_file():
                return Rejected(key, Reason.BAD_FILE, "a broken link, or no regular file")
            if file.stat().st_size > MOST_BYTES:
                return Rejected(key, Reason.TOO_LARGE, f"{file.stat().st_size} bytes")
            text, place = self.texts.get(stem_of(name)), _class_of(name)
            if not captions and text is not None:
                captions = (decode_text((self.root / text).read_bytes()),)
            if self.classes:
                label, captions = self.classes.get(place), captions or (in_words(place),)
            return Original(key, file.read_bytes(), captions, PurePosixPath(name).stem, label, licence)
        except OSError as error:
            return Rejected(key, Reason.BAD_FILE, str(error.strerror))


def _class_of(name: str) -> str:
    """The name of the folder that a file stands in; empty at the top."""
    return PurePosixPath(comparable(name)).parent.name


def _read_folder(root: Path, *, class_from_folder: bool) -> Iterator[Found]:
    found: list[str] = []
    for name in _walk(root):
        if isinstance(name, str):
            found.append(name)
        else:
            yield name
    names = dict.fromkeys(sorted(found))
    texts = {stem_of(name): name for name in names if suffix_of(name) == ".txt"}
    pictures = [name for name in names if suffix_of(name) in SUFFIXES]
    classes = sorted({_class_of(name) for name in pictures} - {""}) if class_from_folder else []
    numbers = {name: number for number, name in enumerate(classes)}
    folder = _Folder(root, names, {comparable(name): name for name in names}, texts, numbers)
    taken: set[str] = set()
    for table in names:
        if PurePosixPath(table).name.lower() in TABLES:
            taken.add(table)
            yield from _read_table(folder, table, taken)
    for name in names:
        if name not in taken and suffix_of(name) != ".txt":
            yield from _read_file(folder, name)
    stems = {stem_of(name) for name in pictures}
    for stem, name in texts.items():
        if stem not in stems:
            yield Ignored(printable(name), ".txt without a picture")


def _walk(root: Path) -> Iterator[str | Rejected | Ignored]:
    """Every file that is not hidden, relative to the folder."""
    errors: list[OSError] = []
    for parent, folders, files in os.walk(root, onerror=errors.append):
        place = Path(parent).relative_to(root)
        for name in list(folders):
            if name.startswith(".") or (root / place / name).is_symlink():
                folders.remove(name)
                kind = "hidden" if name.startswith(".") else "link to a folder"
                yield Ignored(printable((place / name).as_posix()), kind)
        for name in files:
            relative = (place / name).as_posix()
            yield Ignored(printable(relative), "hidden") if name.startswith(".") else relative
    for error in errors:
        yield Rejected(printable(str(error.filename)), Reason.BAD_FILE, str(error.strerror))


def _read_file(folder: _Folder, name: str) -> Iterator[Found]:
    """What a file that no table names holds: a picture, many, or nothing of use."""
    if suffix_of(name) in SUFFIXES:
        yield folder.picture(name)
    elif name.lower().endswith(TAR_SUFFIXES):
        yield from read_tar(folder.root / name, name)
    elif suffix_of(name) == ".parquet":
        yield from read_parquet(folder.root / name, name)
    else:
        yield Ignored(printable(name), suffix_of(name) or "no suffix")


@dataclass(frozen=True)
class _Row:
    """A row of a table: where it stands, the file it names, its captions, its class and its licence."""

    place: str
    file: str
    captions: tuple[str, ...]
    label: int | None
    licence: str | None


def _read_table(folder: _Folder, table: str, taken: set[str]) -> Iterator[Found]:
    """The pictures that a table names; their names are added to `taken`."""
    for row in _merged(_rows(folder.root / table, printable(table))):
        if isinstance(row, Rejected):
            yield row
            continue
        wanted = str(PurePosixPath(table).parent / row.file)
        name = folder.find(wanted)
        if name is not None:
            taken.add(name)
            yield folder.picture(name, row.captions, row.label, row.licence)
        elif f"{normpath(comparable(wanted))}/".startswith(("/", "../")):
            yield Rejected(row.place, Reason.OUTSIDE, printable(row.file))
        else:
            yield Rejected(row.place, Reason.MISSING, printable(row.file))


def _rows(file: Path, name: str) -> Iterator[_Row | Rejected]:
    """The rows of a table; those that name no file are rejected."""
    try:
        for number, row in _csv_rows(file) if suffix_of(name) == ".csv" else _jsonl_rows(file):
            place, named = f"{name}:{number}", row.get("file_name") if row is not None else None
            if row is None:
                yield Rejected(place, Reason.BAD_ROW, f"not {suffix_of(name)[1:].upper()}")
            elif not isinstance(named, str) or not named:
                problem = f"no file_name; its columns: {', '.join(map(str, row))}"
                yield Rejected(place, Reason.BAD_ROW, printable(problem)[:200])
            else:
                yield _Row(place, named, captions_of(row), label_of(row), licence_of(row))
    except OSError as error:
        yield Rejected(name, Reason.BAD_FILE, str(error.strerror))


def _jsonl_rows(file: Path) -> Iterator[tuple[int, Mapping[str, object] | None]]:
    """Numbers of lines and their rows; None for a line that is no JSON object."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, parse_object(line)


def _csv_rows(file: Path) -> Iterator[tuple[int, Mapping[str, object] | None]]:
    """Numbers, as a spreadsheet has them, and rows; None for a row that cannot be parsed."""
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as opened:
        reader = csv.DictReader(opened, strict=True)
        for number in count(2):
            try:
                row: Mapping[str, object] | None = next(reader)
            except StopIteration:
                return
            except csv.Error:
                row = None
            yield number, row


def _merged(rows: Iterable[_Row | Rejected]) -> Iterator[_Row | Rejected]:
    """Rows of one file that follow one another are one row with all their captions."""
    last: _Row | None = None
    for row in rows:
        if isinstance(row, _Row) and last is not None and row.file == last.file:
            label = last.label if row.label is None else row.label
            licence = row.licence or last.licence
            last = replace(last, captions=last.captions + row.captions, label=label, licence=licence)
            continue
        if last is not None:
            yield last
        last = row if isinstance(row, _Row) else None
        if isinstance(row, Rejected):
            yield row
    if last is not None:
        yield last
