"""What captioners have said, a line of JSON each as it comes: whatever is killed when, no picture is labelled twice.

Only the last line can be torn, and is passed over. A line is found again by its byte in the file: of each caption there
are 16 bytes in memory.
"""

import json
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt64

from pinxit.config import Config
from pinxit.log import append_line, stream_lines

NONE = -1  # where a picture has no line


class CaptionerIdentity(Config):
    """Who writes captions, and how it is asked: whatever changes here writes captions of its own.

    `model` is a folder's name or a server's model, `source` the sha256 of its weights or the server's address. Where
    `request` is empty, pictures without a caption are passed over.
    """

    model: str
    source: str
    request: str
    request_with_caption: str
    temperature: float
    tokens: int

    @property
    def name(self) -> str:
        """A short name that changes with every field."""
        return blake2b(self.model_dump_json().encode(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class Journal:
    """The lines of all captioners of one RECORDS folder."""

    file: Path

    def introduce(self, identity: CaptionerIdentity) -> None:
        """The captioner's name is explained in the journal."""
        if identity.name not in self.captioners():
            append_line(self.file, {"captioner": identity.name, **identity.model_dump()})

    def captioners(self) -> dict[str, Mapping[str, object]]:
        """Every captioner that was introduced, by its name."""
        if not self.file.is_file():
            return {}
        return {str(row.pop("captioner")): row for _, row in stream_lines(self.file) if "captioner" in row}

    def add(self, mark: int, key: str, by: str, text: str, *, is_cut: bool) -> None:
        """One more caption of a picture; `is_cut` says that the captioner was stopped at its most tokens."""
        line = {"mark": f"{mark:016x}", "key": key, "by": by, "text": text}
        append_line(self.file, line | ({"cut": True} if is_cut else {}))

    def find(self, marks: UInt64[np.ndarray, "n"], by: str) -> Int64[np.ndarray, "n"]:
        """The byte where the last line of each picture by that captioner begins; `NONE` where there is none."""
        said, places = array("Q"), array("q")
        if self.file.is_file():
            for place, row in stream_lines(self.file):
                if row.get("by") == by:
                    said.append(int(str(row["mark"]), 16))
                    places.append(place)
        found = np.full(len(marks), NONE, np.int64)
        if said:
            known, first = np.unique(np.array(said, np.uint64)[::-1], return_index=True)  # of twins the last
            at = np.minimum(np.searchsorted(known, marks), len(known) - 1)
            found = np.where(known[at] == marks, np.array(places, np.int64)[::-1][first[at]], NONE)
        return found

    def read(self, place: int) -> str:
        """The caption in the line that begins at that byte."""
        with self.file.open("rb") as opened:
            opened.seek(place)
            text: str = json.loads(opened.readline())["text"]
        return text
