"""Captions that hold: old and new by their shares, whole or as before, in the way of no import."""

import json
from pathlib import Path

import pytest

from pinxit.data.record import Caption
from pinxit.data.records import read_records
from pinxit.data.wording import read_wording, weigh, write_wording
from pinxit.errors import DataError
from tests.data.vision import write

OLD = (Caption("a", weight=3.0), Caption("b"))


@pytest.mark.parametrize(
    ("old", "new", "share", "weights"),
    [
        (OLD, ("x",), 0.5, [0.375, 0.125, 0.5]),
        (OLD, ("x", "y"), 0.5, [0.375, 0.125, 0.25, 0.25]),
        (OLD, ("x",), 1.0, [0, 0, 1]),
        (OLD, ("x",), 0.0, [0.75, 0.25, 0]),
        (OLD, (), 0.5, [3.0, 1.0]),
        ((), ("x", "y"), 0.1, [0.5, 0.5]),
        ((), (), 0.5, []),
    ],
)
def test_the_share_of_the_draws_falls_on_the_new(
    old: tuple[Caption, ...], new: tuple[str, ...], share: float, weights: list[float]
) -> None:
    made = weigh(old, new, share)
    assert [one.text for one in made] == [*(one.text for one in old), *new]
    assert [one.weight for one in made] == pytest.approx(weights)


def test_it_holds_only_once_it_is_whole(tmp_path: Path) -> None:
    folder = write(tmp_path / "own", [["a"], ["b"]])

    def broken():  # type: ignore[no-untyped-def]
        yield ("x",)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_wording(folder, read_records(folder).wordings(), broken(), 0.5, {})
    assert read_wording(folder) is None
    first = write_wording(folder, read_records(folder).wordings(), [("x",), ()], 0.5, {})
    with pytest.raises(KeyboardInterrupt):
        write_wording(folder, read_records(folder).wordings(), broken(), 0.5, {})
    assert read_wording(folder) == first
    assert [len(captions) for captions in read_records(folder).wordings()] == [2, 1]


def test_what_is_damaged_says_what_to_do(tmp_path: Path) -> None:
    folder = write(tmp_path / "own", [["a"]])
    wording = write_wording(folder, read_records(folder).wordings(), [("x",)], 0.5, {})
    (folder / wording.file).unlink()
    with pytest.raises(DataError, match=r"captions-.*delete captions.json and run: pinxit data caption again"):
        read_records(folder)
    (folder / "captions.json").write_text(json.dumps({"file": "x"}))
    with pytest.raises(DataError, match=r"captions.json: it cannot be read"):
        read_records(folder)
