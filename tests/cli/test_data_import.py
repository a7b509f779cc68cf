"""`pinxit data import` prints the account and the next command."""

from pathlib import Path

import pytest

from pinxit.cli import data_import
from pinxit.data.records import read_records
from pinxit.errors import MissingExtra
from tests.data.test_records import mixed


@pytest.fixture
def _no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(config: object) -> None:
        raise MissingExtra("the encoder", "it", "pip install it")

    monkeypatch.setattr("pinxit.models.text.load_text", missing)


@pytest.mark.usefixtures("_no_encoder")
def test_the_account_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "my records"
    data_import.main("pinxit data import", [str(mixed(tmp_path / "in")), "--out", str(out), "--rules.least-side", "20"])
    lines = {line.split("  ")[0].strip(): line.split()[-1] for line in capsys.readouterr().out.splitlines()}
    assert (lines["in"], lines["used"], lines["rejected"], lines["captions"]) == ("8", "3", "5", "3")
    assert "tokens of captions are not counted" in " ".join(lines)
    assert any(line.startswith("next: pinxit train own --stages.own.data.folder '") for line in lines)
    assert len(read_records(out)) == 3


def test_captions_are_counted_as_the_default_encoder_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Encoder:
        def count(self, text: str) -> int:
            return 100 * len(text.split())

    monkeypatch.setattr("pinxit.models.text.load_text", lambda config: Encoder())
    data_import.main("pinxit data import", [str(mixed(tmp_path / "in")), "--out", str(tmp_path / "out")])
    assert "3 (100.0%)" in capsys.readouterr().out
    report = read_records(tmp_path / "out").report
    assert (report.caption_limit, report.captions_over_limit, report.tokens_over_limit) == (64, 3, 3 * 36)
