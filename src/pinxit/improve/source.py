"""Where rows of preferences come from: lines of JSON, tables that `datasets` opens here, a data set that it fetches."""

import glob
import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinxit.data.original import parse_object, suffix_of
from pinxit.errors import DataError

LINES = (".jsonl", ".jsonl.gz", ".ndjson")
KNOWN = "JSON lines, parquet, arrow, csv or json, or a folder of them or of a saved data set"

Row = tuple[str, Mapping[str, object] | None]  # its place, and what stands there


@dataclass(frozen=True)
class Hub:
    """A data set of a hub by its name, such as OWNER/NAME; with a folder of it, and another revision."""

    name: str
    folder: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        """As it is named in settings and messages."""
        return f"hub:{self.name}"


def read_rows(source: Path | Hub) -> Iterator[Row]:
    """Every row and its place; None for a line that is no JSON object. DataError where nothing can be read."""
    if isinstance(source, Hub):
        yield from _read_hub(source)
        return
    if not source.exists():
        raise DataError(source, "there is nothing there", f"name {KNOWN}")
    if source.is_file() and source.name.lower().endswith(LINES):
        yield from _read_lines(source)
    else:
        yield from _read_tables(source)


def _read_lines(file: Path) -> Iterator[Row]:
    """A damaged line costs itself alone, where `datasets` would refuse the file."""
    try:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"{file.name}:{number}", parse_object(line)
    except (OSError, EOFError) as error:
        raise DataError(file, f"it cannot be read ({error})", "fetch or copy it again") from error


def _read_tables(source: Path) -> Iterator[Row]:
    """The rows of all splits of a data set that `datasets` can open here, without a network or a copy."""
    from datasets import load_dataset, load_from_disk

    def open_tables() -> Any:
        if (source / "dataset_info.json").is_file() or (source / "dataset_dict.json").is_file():
            return load_from_disk(str(source))
        if source.is_dir():
            return load_dataset(str(source), streaming=True)
        suffix = suffix_of(source.name)
        form = {".pq": "parquet", ".feather": "arrow"}.get(suffix, suffix[1:])
        return load_dataset(form, data_files=[glob.escape(str(source.absolute()))], streaming=True)

    return _read_splits(source, source.name, open_tables, f"name {KNOWN}")


def _read_hub(hub: Hub) -> Iterator[Row]:
    """The rows of all splits of a data set that `datasets` fetches."""
    from datasets import load_dataset

    def open_hub() -> Any:
        return load_dataset(hub.name, data_dir=hub.folder, revision=hub.revision, streaming=True)

    return _read_splits(hub, hub.name, open_hub, "it wants a network; or name files that you have")


def _read_splits(source: object, name: str, open_tables: Callable[[], Any], remedy: str) -> Iterator[Row]:
    """Every row of every split; DataError for whatever `datasets` says."""
    import pyarrow
    from datasets.exceptions import DatasetGenerationError

    try:
        found = open_tables()
        for split, table in found.items() if isinstance(found, dict) else [("", found)]:
            for number, row in enumerate(table):
                yield f"{name}{split and '/'}{split}#{number}", row
    except (OSError, ValueError, RuntimeError, pyarrow.ArrowException, DatasetGenerationError) as error:
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        raise DataError(source, f"`datasets` cannot read it ({reason})", remedy) from error
