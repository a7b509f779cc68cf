"""The captions of a RECORDS folder that hold now: the imported ones, and beside them what captioners have written.

`captions.json` tells of them and names the Arrow file that holds them, a row a record. It is renamed into its place
last, so that the former captions hold until the new ones are whole. An import that takes the folder's place takes them
away; the captioners' journal lies beside the folder, and gives them back without labelling a picture again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from pinxit.config import Config
from pinxit.data.record import Caption
from pinxit.errors import DataError

WORDING = "captions.json"
WORDS_HELD = 1024  # records whose captions are in memory at once


class Wording(Config):
    """What the captions of a RECORDS folder are: `share` of the draws falls on those that captioners have written.

    `captioners` says of each of them how it was asked; `written` counts their captions in `pictures` records, and
    `bare` the records that have no caption at all. `sha256` is of all captions.
    """

    file: str
    sha256: str
    share: float
    captioners: Mapping[str, Mapping[str, object]]
    pictures: int
    written: int
    bare: int


def read_wording(folder: Path) -> Wording | None:
    """What captioners have written for a RECORDS folder; none if nothing."""
    file = folder / WORDING
    if not file.is_file():
        return None
    try:
        return Wording.model_validate_json(file.read_bytes())
    except ValueError as error:
        raise DataError(file, f"it cannot be read ({error})", "delete it and run: pinxit data caption again") from error


def open_wording(folder: Path, wording: Wording) -> Any:
    """The column of captions that took the place of the imported ones, as Arrow."""
    from datasets import Dataset

    try:
        return Dataset.from_file(str(folder / wording.file)).data.column("captions")
    except (OSError, ValueError) as error:
        remedy = f"delete {WORDING} and run: pinxit data caption again"
        raise DataError(folder, f"{wording.file} cannot be read ({error})", remedy) from error


def write_wording(
    folder: Path,
    imported: Iterable[tuple[Caption, ...]],
    written: Iterable[tuple[str, ...]],
    share: float,
    captioners: Mapping[str, Mapping[str, object]],
) -> Wording:
    """From now on the records have these captions, drawn so that `share` falls on what was written."""
    from datasets import Features
    from datasets.arrow_writer import ArrowWriter

    temporary, digest = folder / ".captions.part", sha256()
    arrow = ArrowWriter(path=str(temporary), features=Features(caption_column()), writer_batch_size=WORDS_HELD)
    pictures = count = bare = 0
    for old, new in zip(imported, written, strict=True):
        captions = weigh(old, new, share)
        arrow.write({"captions": [asdict(caption) for caption in captions]})
        digest.update(f"{captions}\n".encode())
        pictures, count, bare = pictures + 1, count + len(new), bare + (not captions)
    arrow.finalize()
    name = f"captions-{digest.hexdigest()[:12]}.arrow"
    temporary.rename(folder / name)
    wording = Wording(
        file=name, sha256=digest.hexdigest(), share=share, captioners=captioners,
        pictures=pictures, written=count, bare=bare,
    )  # fmt: skip
    part = folder / f".{WORDING}.part"
    part.write_text(wording.model_dump_json(indent=2) + "\n", encoding="utf-8")
    part.rename(folder / WORDING)
    for former in set(folder.glob("captions-*.arrow")) - {folder / name}:
        former.unlink()
    return wording


def weigh(old: tuple[Caption, ...], new: tuple[str, ...], share: float) -> tuple[Caption, ...]:
    """Old captions and new ones, drawn so that `share` falls on the new; where one kind is missing, all on the other.

    PixArt-Σ mixes so the captions of Share-Captioner with the raw ones, half and half.
    """
    total = sum(caption.weight for caption in old)
    if not new or not total:
        return (*old, *(Caption(text, "dense", 1 / len(new)) for text in new))
    kept = tuple(replace(caption, weight=(1 - share) * caption.weight / total) for caption in old)
    return (*kept, *(Caption(text, "dense", share / len(new)) for text in new))


def caption_column() -> dict[str, object]:
    """The column `captions` as `datasets` names it."""
    from datasets import List, Value

    return {"captions": List({"text": Value("string"), "kind": Value("string"), "weight": Value("float64")})}
