"""The RECORDS folder: everything accounted for, whole or absent, read back as it was."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from pinxit.data.account import ImportReport, TokenLimit
from pinxit.data.kind import Caption, Facts, Placed, Record
from pinxit.data.original import Found, Original, SourceRules
from pinxit.data.picture import Reason, encode_png
from pinxit.data.records import Records, import_records, read_records, read_report, write_records
from pinxit.data.source import read_source
from pinxit.errors import DataError
from tests.data.test_archive import tar
from tests.data.test_picture import stored
from tests.data.test_source import write

RULES = SourceRules()


def drawn(seed: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def picture(seed: int = 0) -> bytes:
    return encode_png(drawn(seed))


def bring(path: Path, out: Path, rules: SourceRules = RULES, force: bool = False) -> ImportReport:
    return import_records(read_source(path), out, str(path), rules, force=force)


def mixed(folder: Path) -> Path:
    """Three good pictures, one of them twice, five bad ones, three other files."""
    photo, large = (stored(Image.fromarray(drawn(2, side, side)), "JPEG") for side in (20, 64))
    good = {"a.png": picture(), "a.txt": "a", "b/a.png": picture(), "b/a.txt": "b", "c.jpg": photo, "c.txt": "c"}
    thin = {"thin.png": encode_png(drawn(1, 1, 50)), "thin.txt": "thin"}
    bad = {"empty.png": b"", "text.png": "a fox", "cut.jpg": large[:900], "silent.png": picture(4), **thin}
    write(folder, {**good, **bad, "notes.md": "", ".hidden.png": picture(), "x.psd": ""})
    return folder


def test_every_picture_is_used_or_rejected_by_name(tmp_path: Path) -> None:
    report = bring(mixed(tmp_path / "in"), tmp_path / "out")
    assert (report.found, report.used, report.rejected, report.duplicates) == (8, 3, 5, 1)
    lines = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert {line["key"]: line["reason"] for line in lines} == {
        "empty.png": Reason.EMPTY, "text.png": Reason.NOT_A_PICTURE, "cut.jpg": Reason.BROKEN,
        "thin.png": Reason.TOO_SMALL, "silent.png": Reason.NO_CAPTION,
    }  # fmt: skip
    assert report.reasons == {line["reason"]: 1 for line in lines}
    assert report.ignored == {".md": 1, "hidden": 1, ".psd": 1}
    assert report == read_report(tmp_path / "out")


def test_classes_are_kept_and_counted_and_strange_labels_too(tmp_path: Path) -> None:
    given = [{}, {"label": 1}, {"label": 2}, {"label": "cat"}]
    rows = [json.dumps({"file_name": f"{i}.png", "text": "x", **more}) for i, more in enumerate(given)]
    write(tmp_path / "in", {f"{i}.png": picture(i) for i in range(4)} | {"metadata.jsonl": "\n".join(rows)})
    report = bring(tmp_path / "in", tmp_path / "out")
    assert (report.classed, report.strange_labels) == (2, 1)
    assert [record.label for record in read_records(tmp_path / "out")] == [None, 1, 2, None]


def test_folders_that_are_classes_are_named(tmp_path: Path) -> None:
    write(tmp_path / "in", {"train/owl/0.png": picture(0), "fox/1.png": picture(1)})
    rules = SourceRules(class_from_folder=True)
    found = read_source(tmp_path / "in", class_from_folder=True)
    report = import_records(found, tmp_path / "out", "in", rules)
    assert report.class_names == ("fox", "owl")
    assert {record.captions[0].text: record.label for record in read_records(tmp_path / "out")} == {"fox": 0, "owl": 1}


def test_records_come_back_in_their_original_encoding(tmp_path: Path) -> None:
    bring(mixed(tmp_path / "in"), tmp_path / "out")
    records = read_records(tmp_path / "out")
    assert [record.key for record in records] == ["a.png", "b/a.png", "c.jpg"]
    assert [record.captions for record in records] == [(Caption("a"),), (Caption("b"),), (Caption("c"),)]
    assert_array_equal(records[0].picture, drawn(0))
    assert records.sizes == [(20, 30), (20, 30), (20, 20)]
    assert_array_equal(records[-1].picture, np.asarray(Image.open(tmp_path / "in" / "c.jpg")))


def test_records_are_a_sequence(tmp_path: Path) -> None:
    made = [Record(f"{i}", drawn(i), (Caption(str(i)),)) for i in range(40)]
    write_records(iter(made), tmp_path / "out", "forty drawn")
    records = read_records(tmp_path / "out")
    assert len(records) == 40
    assert [record.key for record in records[38:1:-12]] == ["38", "26", "14", "2"]
    with pytest.raises(IndexError):
        records[40]


def test_raw_records_come_back_whole(tmp_path: Path) -> None:
    facts = Facts("white", (Placed("狐", "flat", (1, 2, 3, 4), 0), Placed("house", "3d", (0, 0, 9, 9), 1)))
    captions = (Caption("a fox", "sparse", 0.25), Caption("a fox before a house", "dense"))
    made = [Record("scene", drawn(0), captions, 7, facts), Record("plain", drawn(1, 1, 1), ())]
    write_records(made, tmp_path / "out", "two scenes")
    for record, before in zip(read_records(tmp_path / "out"), made, strict=True):
        assert_array_equal(record.picture, before.picture)
        assert (record.key, record.captions, record.label, record.facts) == (
            before.key, before.captions, before.label, before.facts,
        )  # fmt: skip


def test_size_is_of_the_upright_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    write(tmp_path / "in", {"a.jpg": stored(Image.fromarray(drawn(0)), "JPEG", exif=exif), "a.txt": "a"})
    bring(tmp_path / "in", tmp_path / "out")
    records = read_records(tmp_path / "out")
    assert records.sizes == [(30, 20)]
    assert records[0].picture.shape == (30, 20, 3)


def test_keys_are_made_unique(tmp_path: Path) -> None:
    found = [Original(key, picture(), ("a",)) for key in ("a", "a", "a (2)", "a")]
    import_records(found, tmp_path / "out", "here", RULES)
    assert [record.key for record in read_records(tmp_path / "out")] == ["a", "a (2)", "a (2) (2)", "a (3)"]


def test_captions_over_the_limit_are_counted_with_what_is_lost(tmp_path: Path) -> None:
    found = [
        Original("a", picture(0), ("one two three", "one two three four five")),
        Original("b", picture(1), ("one",)),
    ]
    words = TokenLimit(lambda text: len(text.split()), 3)
    report = import_records(found, tmp_path / "out", "here", RULES, tokens=words)
    assert (report.captions, report.captions_over_limit, report.tokens_over_limit) == (3, 1, 2)
    assert report.share_over_limit == pytest.approx(1 / 3)
    assert report.caption_limit == 3


def test_nothing_usable_says_what_was_looked_for_and_found(tmp_path: Path) -> None:
    write(tmp_path / "in", {"a.png": b"", "b.png": b"", "c.psd": "", "d.png": picture()})
    with pytest.raises(DataError, match=r"2 empty file, 1 no caption, 1 ignored \(\.psd\).*\.txt beside each"):
        bring(tmp_path / "in", tmp_path / "out")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="nothing at all"):
        bring(tmp_path / "nothing", tmp_path / "out")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in", "nothing"]


def test_the_sum_is_of_the_content(tmp_path: Path) -> None:
    def summed(name: str, *found: Original) -> str:
        return import_records(found, tmp_path / name, name, RULES).sha256

    one, two = Original("a", picture(0), ("a",)), Original("b", picture(1), ("b",))
    whole = summed("0", one, two)
    assert summed("1", one, two) == whole
    others = [(two, one), (one,), (one, Original("b", picture(1), ("c",))), (one, Original("b", picture(2), ("b",)))]
    assert len({whole, *(summed(f"other {i}", *found) for i, found in enumerate(others))}) == 5


def test_the_same_import_may_be_repeated_and_another_may_not(tmp_path: Path) -> None:
    source, out = write(tmp_path / "in", {"a.png": picture(0), "a.txt": "a"}), tmp_path / "out"
    bring(source, out)
    write(source, {"b.png": picture(1), "b.txt": "b"})
    assert bring(source, out).used == 2
    with pytest.raises(DataError, match=r"another import.*--force"):
        bring(write(tmp_path / "in 2", {"a.png": picture(3), "a.txt": "a"}), out)
    with pytest.raises(DataError, match="another import"):
        bring(source, out, SourceRules(least_side=2))
    assert len(read_records(out)) == 2
    assert bring(tmp_path / "in 2", out, force=True).used == 1
    assert len(read_records(out)) == 1


@pytest.mark.parametrize("force", [False, True])
def test_only_records_are_ever_replaced(tmp_path: Path, force: bool) -> None:
    source = write(tmp_path / "in", {"a.png": picture(), "a.txt": "a"})
    write(tmp_path, {"mine/thesis.txt": "years", "file": "x"})
    for taken in ("mine", "file"):
        with pytest.raises(DataError, match="no RECORDS folder"):
            bring(source, tmp_path / taken, force=force)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"
    (tmp_path / "empty").mkdir()
    assert bring(source, tmp_path / "empty").used == 1


def test_a_broken_off_import_leaves_what_was_there(tmp_path: Path) -> None:
    def breaking() -> Iterator[Found]:
        yield Original("a", picture(5), ("a",))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_records(breaking(), tmp_path / "out", "here", RULES)
    assert list(tmp_path.iterdir()) == []
    import_records([Original("b", picture(6), ("b",))], tmp_path / "out", "here", RULES)
    with pytest.raises(KeyboardInterrupt):
        import_records(breaking(), tmp_path / "out", "here", RULES)
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
    assert [record.key for record in read_records(tmp_path / "out")] == ["b"]


def test_a_folder_that_is_none_or_is_damaged_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no RECORDS folder"):
        read_records(tmp_path)
    write_records([Record("a", drawn(0), ())], tmp_path / "out", "one")
    arrow = tmp_path / "out" / "records.arrow"
    whole = arrow.read_bytes()
    arrow.write_bytes(whole[:100])
    with pytest.raises(DataError, match=r"records\.arrow cannot be read"):
        read_records(tmp_path / "out")
    arrow.write_bytes(whole.replace(b"IDAT", b"ITAD"))
    with pytest.raises(DataError, match="picture a is damaged"):
        Records(tmp_path / "out")[0]  # not by read_records: the type checker of the tests would read one, too
    (tmp_path / "out" / "import.json").write_text("{")
    with pytest.raises(DataError, match=r"import\.json.*cannot be read"):
        read_records(tmp_path / "out")


def test_pictures_are_not_held(tmp_path: Path) -> None:
    """Peak traced memory of an import of 200 pictures is that of 100."""
    import tracemalloc

    peaks = []
    for count in (100, 200):
        noise = [np.random.default_rng(i).integers(0, 256, (128, 128, 3), dtype=np.uint8) for i in range(count)]
        members = [member for i in range(count) for member in ((f"{i}.png", encode_png(noise[i])), (f"{i}.txt", "a"))]
        source = tar(tmp_path / f"{count}.tar", members)
        del noise, members
        tracemalloc.start()
        assert bring(source, tmp_path / str(count)).used == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 500_000  # a hundred pictures more are 5 MB


def test_licences_are_counted_and_their_absence_changes_no_name(tmp_path: Path) -> None:
    table = [
        {"file_name": f"{n}.png", "text": "a", "licence": name} for n, name in enumerate(["MIT", "CC0", "MIT", ""])
    ]
    pictures = {f"{n}.png": picture(n) for n in range(4)}
    write(tmp_path / "in", {**pictures, "metadata.jsonl": "\n".join(map(json.dumps, table))})
    first = bring(tmp_path / "in", tmp_path / "out")
    assert read_records(tmp_path / "out").licences() == {"MIT": 2, "CC0": 1, "not said": 1}
    bare = [{"file_name": row["file_name"], "text": "a"} for row in table]
    write(tmp_path / "in", {"metadata.jsonl": "\n".join(map(json.dumps, bare))})
    assert bring(tmp_path / "in", tmp_path / "out").sha256 != first.sha256
    assert read_records(tmp_path / "out").licences() is None
