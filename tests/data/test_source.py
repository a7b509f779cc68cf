"""Folders of every usual form: all is accounted for, by the stated rules, in a stable order."""

import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from pinxit.data.original import NO_CLASS, Found, Ignored, Original, Rejected, SourceRules, admit_captions
from pinxit.data.picture import Reason, Refusal, encode_png
from pinxit.data.record import Caption
from pinxit.data.source import read_source
from pinxit.errors import DataError

PNG = encode_png(np.full((16, 16, 3), 200, np.uint8))


def write(folder: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def read(path: Path) -> list[Found]:
    return list(read_source(path))


def captions(found: list[Found]) -> dict[str, tuple[str, ...]]:
    return {item.key: item.captions for item in found if isinstance(item, Original)}


def rejected(found: list[Found]) -> dict[str, Reason]:
    return {item.key: item.reason for item in found if isinstance(item, Rejected)}


def ignored(found: list[Found]) -> dict[str, str]:
    return {item.key: item.kind for item in found if isinstance(item, Ignored)}


def labels(found: list[Found]) -> dict[str, int | None]:
    return {item.key: item.label for item in found if isinstance(item, Original)}


def jsonl(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_a_text_beside_a_picture_is_its_caption(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"fox.png": PNG, "fox.txt": "\ufeffa fox", "b/FOX.PNG": PNG, "b/FOX.TXT": "another\nfox", "no.jpg": PNG},
    )
    assert captions(read(tmp_path)) == {"fox.png": ("a fox",), "b/FOX.PNG": ("another\nfox",), "no.jpg": ()}


def test_bytes_come_as_they_are(tmp_path: Path) -> None:
    found = read(write(tmp_path, {"fox.png": PNG, "broken.png": b"\x89PNG"}))
    assert [item.data for item in found if isinstance(item, Original)] == [b"\x89PNG", PNG]


@pytest.mark.parametrize("name", ["metadata.jsonl", "Metadata.JSONL"])
def test_a_jsonl_table_names_pictures_and_captions(tmp_path: Path, name: str) -> None:
    rows = jsonl(
        {"file_name": "a.png", "text": "a"},
        {"file_name": "sub/b.png", "caption": "b", "prompt": "b again"},
        {"file_name": "c.png", "captions": ["c", "c two", 7], "text": None},
    )
    found = read(write(tmp_path, {"a.png": PNG, "sub/b.png": PNG, "c.png": PNG, name: rows}))
    assert captions(found) == {"a.png": ("a",), "sub/b.png": ("b", "b again"), "c.png": ("c", "c two")}
    assert len(found) == 3


def test_a_csv_table_names_pictures_and_captions(tmp_path: Path) -> None:
    table = '\ufefffile_name,text\na.png,"one, and\ntwo"\nb.png,NA\nc.png,\n'
    found = read(write(tmp_path, {"a.png": PNG, "b.png": PNG, "c.png": PNG, "metadata.csv": table}))
    assert captions(found) == {"a.png": ("one, and\ntwo",), "b.png": ("NA",), "c.png": ("",)}


def test_a_table_starts_from_its_own_folder_and_beats_the_text(tmp_path: Path) -> None:
    table = jsonl({"file_name": "a.png", "text": "from the table"}, {"file_name": "../top.png", "text": "up"})
    files = {"sub/a.png": PNG, "sub/a.txt": "from the text", "sub/metadata.jsonl": table, "top.png": PNG}
    assert captions(read(write(tmp_path, files))) == {"sub/a.png": ("from the table",), "top.png": ("up",)}


def test_a_row_without_caption_takes_the_text_beside(tmp_path: Path) -> None:
    files = {"a.png": PNG, "a.txt": "beside", "metadata.jsonl": jsonl({"file_name": "a.png"})}
    assert captions(read(write(tmp_path, files))) == {"a.png": ("beside",)}


def test_neighbouring_rows_of_a_file_are_one_picture(tmp_path: Path) -> None:
    rows = [{"file_name": name, "text": text} for name, text in (("a.png", "1"), ("a.png", "2"), ("b.png", "3"))]
    found = read(write(tmp_path, {"a.png": PNG, "b.png": PNG, "metadata.jsonl": jsonl(*rows)}))
    assert captions(found) == {"a.png": ("1", "2"), "b.png": ("3",)}
    assert len(found) == 2


def test_a_picture_that_no_row_names_is_still_found(tmp_path: Path) -> None:
    files = {"a.png": PNG, "left.png": PNG, "metadata.jsonl": jsonl({"file_name": "a.png", "text": "a"})}
    assert captions(read(write(tmp_path, files))) == {"a.png": ("a",), "left.png": ()}


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "sub/../../secret.png", "..\\secret.png", ".."])
def test_a_row_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"secret.png": PNG})
    folder = write(tmp_path / "mine", {"metadata.jsonl": jsonl({"file_name": name, "text": "secret"})})
    assert rejected(read(folder)) == {"metadata.jsonl:1": Reason.OUTSIDE}


def test_bad_rows_are_rejected_one_by_one(tmp_path: Path) -> None:
    lines = (
        '{"file_name": "a.png", "text": "a"}\n{"file_name": \n\n["a.png"]\n{"text": "b"}\n{"file_name": "gone.png"}\n'
    )
    found = read(write(tmp_path, {"a.png": PNG, "metadata.jsonl": lines}))
    assert captions(found) == {"a.png": ("a",)}
    assert rejected(found) == {
        "metadata.jsonl:2": Reason.BAD_ROW, "metadata.jsonl:4": Reason.BAD_ROW, "metadata.jsonl:5": Reason.BAD_ROW,
        "metadata.jsonl:6": Reason.MISSING,
    }  # fmt: skip


def test_a_nested_or_empty_row_does_no_harm(tmp_path: Path) -> None:
    rows = "[" * 100_000 + "\n" + jsonl({"file_name": "."}, {"file_name": ""}, {"file_name": 3})
    assert set(rejected(read(write(tmp_path, {"metadata.jsonl": rows}))).values()) == {Reason.BAD_ROW, Reason.MISSING}


def test_bad_csv_rows_are_rejected_one_by_one(tmp_path: Path) -> None:
    table = 'file_name,text\na.png,a\n"b"x.png,b\nc.png\ngone.png,gone\nd.png,"never closed\n'
    found = read(write(tmp_path, {"a.png": PNG, "c.png": PNG, "d.png": PNG, "metadata.csv": table}))
    assert captions(found) == {"a.png": ("a",), "c.png": (), "d.png": ()}
    assert rejected(found) == {
        "metadata.csv:3": Reason.BAD_ROW, "metadata.csv:5": Reason.MISSING, "metadata.csv:6": Reason.BAD_ROW,
    }  # fmt: skip


def test_a_csv_of_another_separator_says_its_columns(tmp_path: Path) -> None:
    found = read(write(tmp_path, {"metadata.csv": "file_name;text\na.png;a\n"}))
    assert [item.detail for item in found if isinstance(item, Rejected)] == [
        "no file_name; its columns: file_name;text"
    ]


def test_names_in_any_script_are_matched_however_composed(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "été 狐 لوحة.png") for form in ("NFC", "NFD"))
    assert composed != apart
    rows = jsonl({"file_name": composed, "text": "a"})
    assert captions(read(write(tmp_path / "1", {apart: PNG, "metadata.jsonl": rows}))) == {apart: ("a",)}
    files = {apart: PNG, composed.replace(".png", ".txt"): "b"}
    assert captions(read(write(tmp_path / "2", files))) == {apart: ("b",)}


def test_a_name_that_is_not_unicode_is_spelt_out(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(PNG)
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("coffee")
    assert captions(read(tmp_path)) == {"caf\\udce9.png": ("coffee",)}


def test_hidden_and_other_files_are_ignored_and_told(tmp_path: Path) -> None:
    files = {
        ".a.png": PNG,
        ".git/b.png": PNG,
        "notes.md": "x",
        "README": "x",
        "alone.txt": "x",
        "c.png": PNG,
        "p.psd": "x",
    }
    found = read(write(tmp_path, files))
    assert ignored(found) == {
        ".a.png": "hidden", ".git": "hidden", "notes.md": ".md", "README": "no suffix", "p.psd": ".psd",
        "alone.txt": ".txt without a picture",
    }  # fmt: skip
    assert captions(found) == {"c.png": ()}


def test_links_and_special_files_do_no_harm(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", {"a.png": PNG})
    folder = write(tmp_path / "mine", {"b.png": PNG})
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "linked.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    (folder / "broken.png").symlink_to(folder / "gone.png")
    os.mkfifo(folder / "pipe.png")
    found = read(folder)
    assert captions(found) == {"b.png": (), "linked.png": ()}
    assert rejected(found) == {"broken.png": Reason.BAD_FILE, "pipe.png": Reason.BAD_FILE}
    assert ignored(found) == {"loop": "link to a folder"}


def test_a_file_too_large_to_be_a_picture_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "vast.png").open("wb") as file:
        file.truncate((1 << 30) + 1)  # sparse: takes no room
    assert rejected(read(tmp_path)) == {"vast.png": Reason.TOO_LARGE}


def test_the_order_is_stable(tmp_path: Path) -> None:
    names = [f"{i % 3}/{i}.png" for i in range(20)]
    write(tmp_path, dict.fromkeys(names, PNG))
    assert list(captions(read(tmp_path))) == sorted(names)


@pytest.mark.parametrize(("name", "problem"), [("gone", "nothing there"), ("a.zip", "no folder, tar or parquet")])
def test_what_cannot_be_a_source_says_what_can(tmp_path: Path, name: str, problem: str) -> None:
    write(tmp_path, {"a.zip": "PK"})
    with pytest.raises(DataError, match=rf"{problem}.*metadata\.jsonl"):
        read_source(tmp_path / name)


def test_captions_are_tidied_and_said_once() -> None:
    admitted = admit_captions(Original("k", PNG, ("  a\n fox ", "", "a fox", "red")), SourceRules())
    assert not isinstance(admitted, Refusal)
    assert [caption.text for caption in admitted] == ["a fox", "red"]


@pytest.mark.parametrize("empty", [(), ("",), ("  \n", "")])
def test_no_caption_is_refused_unless_the_name_serves(empty: tuple[str, ...]) -> None:
    original = Original("b/red_fox-2.png", PNG, empty, "red_fox-2")
    refused = admit_captions(original, SourceRules())
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.NO_CAPTION
    named = admit_captions(original, SourceRules(caption_from_name=True))
    assert not isinstance(named, Refusal)
    assert named[0].text == "red fox 2"
    assert isinstance(admit_captions(Original("k", PNG, empty), SourceRules(caption_from_name=True)), Refusal)


def test_a_caption_that_is_not_unicode_is_refused(tmp_path: Path) -> None:
    files = {
        "a.png": PNG,
        "a.txt": "café".encode("latin-1"),
        "b.png": PNG,
        "metadata.jsonl": '{"file_name": "b.png", "text": "\\ud800"}',
    }
    found = [item for item in read(write(tmp_path, files)) if isinstance(item, Original)]
    refused = [admit_captions(item, SourceRules()) for item in found]
    assert [item.reason for item in refused if isinstance(item, Refusal)] == [Reason.BAD_CAPTION] * 2


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (7, 7), (7.0, 7), ("3", 3), ("3.0", 3), (0, 0), ("cat", NO_CLASS), (-1, NO_CLASS), (1.5, NO_CLASS),
        (True, NO_CLASS), (2**63, NO_CLASS), ("9" * 5000, NO_CLASS), ([1], NO_CLASS), (None, None), ("", None),
    ],
)  # fmt: skip
def test_a_class_is_the_label_of_a_row_if_it_is_a_whole_number(
    value: object, label: int | None, tmp_path: Path
) -> None:
    row = {"file_name": "a.png", "label": value}
    assert labels(read(write(tmp_path, {"a.png": PNG, "metadata.jsonl": jsonl(row)}))) == {"a.png": label}


def test_rows_of_one_picture_share_their_class(tmp_path: Path) -> None:
    rows = [{"file_name": "a.png", "text": "a"}, {"file_name": "a.png", "text": "b", "label": 4}]
    assert labels(read(write(tmp_path, {"a.png": PNG, "metadata.jsonl": jsonl(*rows)}))) == {"a.png": 4}


def test_folders_are_classes_in_the_order_of_their_names_if_asked_for(tmp_path: Path) -> None:
    row = jsonl({"file_name": "train/cat/told.png", "label": 9})
    files = dict.fromkeys(("top.png", "train/dog/a.png", "train/cat/b.png", "val/dog/c.png", "train/cat/told.png"), PNG)
    write(tmp_path, {**files, "metadata.jsonl": row})
    assert set(labels(read(tmp_path)).values()) == {9, None}
    assert labels(list(read_source(tmp_path, class_from_folder=True))) == {
        "train/cat/told.png": 0, "top.png": None, "train/cat/b.png": 0, "train/dog/a.png": 1, "val/dog/c.png": 1,
    }  # fmt: skip


def test_a_class_gives_its_name_to_pictures_without_a_caption(tmp_path: Path) -> None:
    write(tmp_path, {"tabby_cat/0.png": PNG, "tabby_cat/1.png": PNG, "tabby_cat/1.txt": "mine", "2.png": PNG})
    found = list(read_source(tmp_path, class_from_folder=True))
    assert captions(found) == {"2.png": ("",), "tabby_cat/0.png": ("tabby cat",), "tabby_cat/1.png": ("mine",)}
    assert isinstance(admit_captions(next(f for f in found if isinstance(f, Original)), SourceRules()), Refusal)


def test_a_picture_that_is_still_to_be_captioned_needs_no_caption() -> None:
    rules = SourceRules(without_caption=True)
    assert admit_captions(Original("k", PNG, ()), rules) == ()
    assert admit_captions(Original("k", PNG, ("", " ")), rules) == ()
    assert admit_captions(Original("k", PNG, ("a fox",)), rules) == (Caption("a fox"),)
    assert isinstance(admit_captions(Original("k", PNG, ("\udcff",)), rules), Refusal)


def test_a_rows_licence_goes_with_its_picture(tmp_path: Path) -> None:
    table = '{"file_name": "a.png", "text": "a", "license": " CC BY\\n4.0 "}\n{"file_name": "b.png", "text": "b"}\n'
    write(tmp_path, {"a.png": PNG, "b.png": PNG, "metadata.jsonl": table})
    found = [item for item in read(tmp_path) if isinstance(item, Original)]
    assert {item.key: item.licence for item in found} == {"a.png": "CC BY 4.0", "b.png": None}
