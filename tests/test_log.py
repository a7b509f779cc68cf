"""Lines of JSON: one a line whatever stands in them, and a torn one costs itself alone."""

from pathlib import Path

import pytest

from pinxit.log import append_line, drop_lines_after, read_lines


@pytest.mark.parametrize("text", ["plain", "line\nbreak", "paragraph\u2028separator", "next\x85line", "字 😀"])
def test_any_text_comes_back(tmp_path: Path, text: str) -> None:
    file = tmp_path / "new" / "lines.jsonl"
    for number in range(3):
        append_line(file, {"seen": number, "text": text})
    assert read_lines(file) == [{"seen": number, "text": text} for number in range(3)]


def test_after_a_torn_line_the_next_one_stands_alone(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    append_line(file, {"seen": 1})
    with file.open("a") as opened:
        opened.write('{"seen": 2, "lo')
    append_line(file, {"seen": 3})
    assert read_lines(file) == [{"seen": 1}, {"seen": 3}]


def test_lines_that_will_be_written_again_go(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    for seen in (8, 16, 24):
        append_line(file, {"seen": seen})
    drop_lines_after(file, 16)
    assert [row["seen"] for row in read_lines(file)] == [8, 16]


def test_no_file_has_no_lines(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "none") == []
