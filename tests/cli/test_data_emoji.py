"""`pinxit data emoji` brings what was asked for, once, and says what there is, where, and on which terms."""

import sys
from pathlib import Path

import pytest

from pinxit.cli import data_emoji
from pinxit.cli.main import main
from pinxit.data import emoji
from pinxit.data.emoji import DEFAULT_STYLES
from pinxit.data.npm import Package
from pinxit.errors import DataError
from tests.data.test_emoji import write_icons, write_words

pytest.importorskip("resvg_py", reason="SVG art is rendered by resvg-py, which comes with the extra `emoji`")


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was fetched: tiny packages in place of the registry's."""
    packages: list[str] = []

    def fetch(package: Package, folder: Path) -> Path:
        packages.append(package.name)
        final = folder / package.name.replace("/", "+")
        if not final.is_dir():
            (write_words if package == emoji.WORDS else write_icons)(final)
        return final

    monkeypatch.setattr(emoji, "fetch", fetch)
    monkeypatch.setenv("PINXIT_HOME", str(tmp_path))
    return packages


def bring(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """The lines that the verb prints, without those of progress."""
    data_emoji.main("pinxit data emoji", list(words))
    lines = (" ".join(line.split()) for line in capsys.readouterr().out.splitlines())
    return [line for line in lines if not line.startswith("rendering")]


def test_styles_are_brought_counted_and_shown_where_they_lie(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pinxit.log.console.width", 400)
    assert bring(capsys, "--styles", "Fluent flat", "Noto v1") == [
        "Fluent flat 3 pieces of art, MIT",
        f"Noto v1 {len(emoji.load_art(('Noto v1',)))} pieces of art, Apache-2.0",
        f"the art {tmp_path / 'emoji'}",
        f"its terms {tmp_path / 'emoji' / 'LICENSES.md'}",
    ]
    assert (tmp_path / "emoji" / "LICENSES.md").is_file()


def test_a_second_run_fetches_nothing_and_says_the_same(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    first = bring(capsys, "--styles", "Fluent flat")
    assert asked == ["emojibase-data", "@iconify-json/fluent-emoji-flat"]
    asked.clear()
    assert bring(capsys, "--styles", "Fluent flat") == first
    assert asked == []


def test_all_styles_without_a_wish_for_credit_are_the_default() -> None:
    assert data_emoji.Arguments().styles == DEFAULT_STYLES
    assert not data_emoji.Arguments().with_attribution


def test_the_styles_that_ask_for_credit_come_by_a_flag_and_their_credit_is_printed(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = " ".join(bring(capsys, "--styles", "Twemoji", "--with-attribution"))
    assert said.count("Twemoji emoji art by Twitter, CC-BY-4.0") == 1
    assert "Emojione emoji art by Emoji One, CC-BY-4.0" in said
    for name in ("Twemoji", "Emojione"):
        assert f"{name} {len(emoji.load_art((name,)))} pieces of art, CC-BY-4.0" in said


def test_skin_tones_are_counted_with_their_style(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert bring(capsys, "--styles", "Fluent flat", "--tones")[0] == "Fluent flat 4 pieces of art, MIT"


def test_the_command_that_an_error_names_brings_what_was_missing(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match=r"run: pinxit data emoji --styles 'Fluent flat'$"):
        emoji.load_art(("Fluent flat",))
    bring(capsys, "--styles", "Fluent flat")
    with pytest.raises(DataError, match=r"run: pinxit data emoji --styles 'Fluent flat' --tones$"):
        emoji.load_art(("Fluent flat",), tones=True)


def test_a_style_that_is_not_known_is_one_line_and_status_one(
    asked: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["pinxit", "data", "emoji", "--styles", "Fluent 4D"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    assert capsys.readouterr().err.startswith("pinxit data emoji: Fluent 4D: there is no such style; choose of ")
    assert asked == []
