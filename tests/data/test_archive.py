"""Tars and parquet files: pictures find their captions, and damage costs only what it touches."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from pinxit.data.original import NO_CLASS
from pinxit.data.picture import Reason
from tests.data.test_source import PNG, captions, ignored, labels, read, rejected, write


def tar(file: Path, members: list[tuple[str, bytes | str]], mode: str = "w") -> Path:
    with tarfile.open(file, mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            data = content.encode() if isinstance(content, str) else content
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return file


def parquet(file: Path, **columns: object) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(columns), file, row_group_size=2)
    return file


@pytest.mark.parametrize(("suffix", "mode"), [(".tar", "w"), (".TAR", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz")])
def test_a_tar_pairs_neighbours(tmp_path: Path, suffix: str, mode: str) -> None:
    members = [
        ("0.json", json.dumps({"caption": "json", "width": 3})), ("0.JPG", PNG), ("0.txt", "text"),
        ("dir/1.png", PNG), ("dir/1.txt", "été 狐"), ("2.txt", "first the text"), ("2.webp", PNG),
    ]  # fmt: skip
    name = f"shard{suffix}"
    assert captions(read(tar(tmp_path / name, members, mode))) == {
        f"{name}/0.JPG": ("text", "json"), f"{name}/dir/1.png": ("été 狐",), f"{name}/2.webp": ("first the text",),
    }  # fmt: skip


def test_classes_stand_beside_a_tars_pictures(tmp_path: Path) -> None:
    members = [
        ("0.cls", "5\n"), ("0.png", PNG), ("1.png", PNG), ("1.json", json.dumps({"label": 4})),
        ("2.json", "no json"), ("2.cls", "none"), ("2.txt", "two"), ("2.png", PNG), ("3.cls", "1"),
    ]  # fmt: skip
    found = read(tar(tmp_path / "a.tar", members))
    assert labels(found) == {"a.tar/0.png": 5, "a.tar/1.png": 4, "a.tar/2.png": NO_CLASS}
    assert ignored(found) == {"a.tar/3.cls": ".cls without a picture"}


def test_classes_stand_in_a_parquets_rows(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", image=[PNG, PNG, PNG], label=[2.0, None, 0.0])
    assert labels(read(tmp_path)) == {"a.parquet#0": 2, "a.parquet#1": None, "a.parquet#2": 0}


def test_a_folder_of_tars_is_read_in_order(tmp_path: Path) -> None:
    for shard in ("b", "a"):
        tar(tmp_path / f"{shard}.tar", [("0.png", PNG), ("0.txt", shard)])
    assert list(captions(read(tmp_path)).items()) == [("a.tar/0.png", ("a",)), ("b.tar/0.png", ("b",))]


def test_other_pictures_of_an_example_do_not_take_its_caption(tmp_path: Path) -> None:
    members = [
        ("0.jpg", PNG),
        ("0.mask.png", PNG),
        ("0.txt", "fox"),
        ("v1.0.jpg", PNG),
        ("v1.0.txt", "a"),
        ("v1.1.jpg", PNG),
    ]
    assert captions(read(tar(tmp_path / "s.tar", members))) == {
        "s.tar/0.jpg": ("fox",), "s.tar/0.mask.png": (), "s.tar/v1.0.jpg": ("a",), "s.tar/v1.1.jpg": (),
    }  # fmt: skip


def test_one_name_twice_is_two_pictures(tmp_path: Path) -> None:
    found = read(tar(tmp_path / "s.tar", [("0.png", PNG), ("0.png", PNG), ("0.txt", "fox")]))
    assert [item.captions for item in found] == [("fox",), ("fox",)]


def test_what_is_no_picture_in_a_tar_is_told(tmp_path: Path) -> None:
    members = [
        ("._0.png", PNG),
        ("0.png", PNG),
        ("0.npy", "x"),
        ("0.json", "{broken"),
        ("alone.txt", "x"),
        ("Makefile", "x"),
    ]
    file = tar(tmp_path / "s.tar", members)
    with tarfile.open(file, "a") as archive:
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    found = read(file)
    assert rejected(found) == {"s.tar/0.png": Reason.BAD_ROW}
    assert ignored(found) == {
        "s.tar/._0.png": "hidden", "s.tar/0.npy": ".npy", "s.tar/alone.txt": ".txt without a picture",
        "s.tar/Makefile": "no suffix", "s.tar/link.png": "link or device",
    }  # fmt: skip


@pytest.mark.parametrize("junk", [b"", b"not a tar at all" * 100, gzip.compress(b"x")[:-3]])
def test_a_file_that_is_no_tar_counts_as_one_rejected(tmp_path: Path, junk: bytes) -> None:
    assert rejected(read(write(tmp_path, {"s.tar": junk}))) == {"s.tar": Reason.BAD_FILE}


def test_an_empty_tar_holds_nothing(tmp_path: Path) -> None:
    assert read(tar(tmp_path / "s.tar", [])) == []


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_is_used_up_to_its_damage_wherever_it_is_cut(tmp_path: Path, mode: str) -> None:
    noise = np.random.default_rng(0).bytes(2000)  # or gzip would end it all in one block
    file = tar(tmp_path / "s.tar", [(f"{i}.{kind}", noise) for i in range(4) for kind in ("png", "txt")], mode)
    whole = file.read_bytes()
    assert len(captions(read(file))) == 4
    for cut in range(len(whole) // 3, len(whole) - 10240 if mode == "w" else len(whole) - 1, 497):
        file.write_bytes(whole[:cut])
        found = read(file)
        assert rejected(found) == {"s.tar": Reason.BAD_FILE}
        assert len(captions(found)) < 5


def test_a_broken_header_inside_a_tar_is_not_taken_for_its_end(tmp_path: Path) -> None:
    file = tar(tmp_path / "s.tar", [("0.png", b"x"), ("0.txt", "a"), ("1.png", b"x"), ("1.txt", "b")])
    data = bytearray(file.read_bytes())
    data[2048:2058] = b"\xff" * 10  # the third header
    file.write_bytes(data)
    found = read(file)
    assert captions(found) == {"s.tar/0.png": ("a",)}
    assert rejected(found) == {"s.tar": Reason.BAD_FILE}


def test_no_mutation_of_a_tar_makes_reading_raise(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    whole = tar(tmp_path / "s.tar", [("0.png", b"x"), ("0.txt", "a"), ("é" * 80 + ".png", b"x")]).read_bytes()
    failed = 0
    for _ in range(200):
        data = bytearray(whole)
        for place in random.integers(0, 5120, random.integers(1, 8)):
            data[place] = random.integers(0, 256)
        failed += bool(rejected(read(write(tmp_path, {"s.tar": bytes(data)}))))
    assert 20 < failed < 200


@pytest.mark.parametrize("form", ["struct", "bytes", "large"])
def test_parquet_rows_are_pictures(tmp_path: Path, form: str) -> None:
    pictures = {
        "struct": pyarrow.array([{"bytes": PNG, "path": "x.png"}] * 5),
        "bytes": pyarrow.array([PNG] * 5, pyarrow.binary()),
        "large": pyarrow.array([PNG] * 5, pyarrow.large_binary()),
    }[form]
    texts = [["a", "b"], ["c"], [], None, ["d"]]
    found = read(
        parquet(tmp_path / "é [1]*.parquet", picture=pictures, caption=texts, prompt=["p", None, "", "NA", "q"])
    )
    assert [item.data for item in found] == [PNG] * 5
    assert list(captions(found).values()) == [("a", "b", "p"), ("c",), ("",), ("NA",), ("d", "q")]
    assert list(captions(found)) == [f"é [1]*.parquet#{i}" for i in range(5)]


def test_a_parquet_row_without_picture_is_rejected(tmp_path: Path) -> None:
    pictures = pyarrow.array([{"bytes": None, "path": "/etc/passwd"}, None, {"bytes": b"", "path": None}])
    found = read(parquet(tmp_path / "p.parquet", image=pictures, mask=pyarrow.array([PNG] * 3), text=["a", "b", "c"]))
    assert rejected(found) == {"p.parquet#0": Reason.MISSING, "p.parquet#1": Reason.MISSING}
    assert captions(found) == {"p.parquet#2": ("c",)}


def test_parquet_without_a_picture_column_says_its_columns(tmp_path: Path) -> None:
    found = read(parquet(tmp_path / "p.parquet", one=[PNG], two=[PNG], text=["a"]))
    assert rejected(found) == {"p.parquet": Reason.BAD_FILE}
    assert "columns: one, two, text" in found[0].detail


def test_damage_to_a_parquet_file_costs_its_row_group(tmp_path: Path) -> None:
    pictures = [np.random.default_rng(i).bytes(500) for i in range(6)]
    whole = parquet(tmp_path / "p.parquet", image=pictures, text=list("abcdef")).read_bytes()
    header = whole.index(pictures[2]) - 24
    found = read(write(tmp_path, {"p.parquet": whole[:header] + b"\xff" * 24 + whole[header + 24 :]}))
    assert list(captions(found).values()) == [("a",), ("b",), ("e",), ("f",)]
    assert rejected(found) == {"p.parquet, row group 1": Reason.BAD_FILE}


def test_a_file_that_is_no_parquet_counts_as_one_rejected(tmp_path: Path) -> None:
    found = read(write(tmp_path, {"a.parquet": b"", "b.parquet": b"PAR1", "c.PARQUET": b"a fox" * 100}))
    assert rejected(found) == dict.fromkeys(("a.parquet", "b.parquet", "c.PARQUET"), Reason.BAD_FILE)


def test_an_empty_parquet_file_holds_nothing(tmp_path: Path) -> None:
    assert read(parquet(tmp_path / "p.parquet", image=pyarrow.array([], pyarrow.binary()), text=[])) == []


def test_parquet_in_a_hidden_place_is_read(tmp_path: Path) -> None:
    (tmp_path / ".hidden [x]").mkdir()
    file = parquet(tmp_path / ".hidden [x]" / "p.parquet", image=[PNG], text=["a"])
    assert captions(read(file)) == {"p.parquet#0": ("a",)}
