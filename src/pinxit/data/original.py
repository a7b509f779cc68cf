"""What a source of pictures holds, before anything is decoded, and the rules by which captions are admitted."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from pydantic import Field

from pinxit.data.picture import PictureRules, Reason, Refusal
from pinxit.data.record import Caption

CAPTION_COLUMNS = ("text", "caption", "prompt", "captions")
LICENCE_COLUMNS = ("licence", "license")
MOST_CLASSES, NO_CLASS = 1_000_000, -1  # a label that is no class is counted, and its picture has none
MOST_BYTES = 1 << 30  # a larger picture is refused unread


@dataclass(frozen=True)
class Original:
    """A picture as its owner has it; `name` is its file's, without the suffix, where it has one, `label` its class,
    `licence` what its row says of that.
    """

    key: str
    data: bytes
    captions: tuple[str, ...]
    name: str = ""
    label: int | None = None
    licence: str | None = None


@dataclass(frozen=True)
class Rejected:
    """Something that should have been a picture, and why it is not used."""

    key: str
    reason: Reason
    detail: str


@dataclass(frozen=True)
class Ignored:
    """Something that is neither picture nor caption; `kind` is what is counted."""

    key: str
    kind: str


Found = Original | Rejected | Ignored


class SourceRules(PictureRules):
    """Which pictures and captions are admitted."""

    caption_from_name: bool = Field(False, description="a picture without a caption is captioned by its file's name")
    class_from_folder: bool = Field(
        False, description="a picture's folder is its class, and its caption where it has none"
    )
    without_caption: bool = Field(False, description="a picture needs no caption: `pinxit data caption` will write one")


def admit_captions(original: Original, rules: SourceRules) -> tuple[Caption, ...] | Refusal:
    """Each caption once, white space as single blanks; a refusal if there is none or if one is not Unicode."""
    texts = [" ".join(text.split()) for text in original.captions]
    if rules.caption_from_name and not any(texts):
        texts = [in_words(original.name)]
    texts = [text for text in dict.fromkeys(texts) if text]
    if not texts and not rules.without_caption:
        return Refusal(Reason.NO_CAPTION, f"neither a .txt nor any of {', '.join(CAPTION_COLUMNS)} has a text")
    for text in texts:
        if printable(text) != text:
            return Refusal(Reason.BAD_CAPTION, printable(text)[:200])
    return tuple(Caption(text) for text in texts)


def in_words(name: str) -> str:
    """A file's or folder's name as a caption."""
    return " ".join(name.replace("_", " ").replace("-", " ").split())


def captions_of(row: Mapping[str, object]) -> tuple[str, ...]:
    """The texts, and the lists of texts, in the caption columns of a row."""
    values = (row.get(column) for column in CAPTION_COLUMNS)
    listed = (value if isinstance(value, list) else [value] for value in values)
    return tuple(text for texts in listed for text in texts if isinstance(text, str))


def label_of(row: Mapping[str, object]) -> int | None:
    """The class in a row's column `label`: a whole number, as number or text; `NO_CLASS` for anything else there."""
    value = row.get("label")
    if value is None or value == "":
        return None
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        return NO_CLASS
    return int(number) if number.is_integer() and 0 <= number < MOST_CLASSES else NO_CLASS


def licence_of(row: Mapping[str, object]) -> str | None:
    """The licence that a row names, white space as single blanks; none where it names none."""
    texts = (" ".join(str(row[column]).split()) for column in LICENCE_COLUMNS if row.get(column) is not None)
    return next((printable(text) for text in texts if text), None)


def parse_object(line: bytes) -> Mapping[str, object] | None:
    """A JSON object, or None where the bytes are none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def decode_text(text: bytes) -> str:
    """UTF-8 without its mark; bytes of another encoding become surrogates, which `admit_captions` refuses."""
    return text.decode("utf-8-sig", "surrogateescape")


def printable(text: str) -> str:
    """The text, with what is not Unicode (names and captions in another encoding) spelt out."""
    return text.encode("utf-8", "backslashreplace").decode()


def suffix_of(name: str) -> str:
    """The last suffix, in small letters."""
    return PurePosixPath(name).suffix.lower()


def comparable(name: str) -> str:
    """The name as names are compared: Unicode's NFC, forward slashes."""
    return unicodedata.normalize("NFC", name.replace("\\", "/"))


def stem_of(name: str) -> str:
    """The name without its last suffix, its folders kept, as names are compared."""
    return str(PurePosixPath(comparable(name)).with_suffix(""))
