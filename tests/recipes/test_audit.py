"""The audit's figures against obvious counts; the page complete, closed and escaped; nothing dropped without a name."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from pinxit.data.bucket import buckets, nearest
from pinxit.data.config import AuditConfig
from pinxit.data.original import SourceRules
from pinxit.data.phrasing import Reader
from pinxit.data.picture import encode_png
from pinxit.data.records import Records, import_records, read_records
from pinxit.data.source import read_source
from pinxit.data.wording import write_wording
from pinxit.errors import DataError
from pinxit.recipes.audit import Audit, Findings, audit
from pinxit.recipes.audit_page import write_audit
from tests.data.test_source import write
from tests.data.test_twin import painting

NASTY = 'a <script>alert("1")</script> & a fox'


class Words:
    """Every word of four letters is a noun."""

    def nouns(self, texts: Sequence[str]) -> Iterator[list[str]]:
        for text in texts:
            yield [word for word in text.split() if len(word) == 4]


def count(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


@pytest.fixture(autouse=True)
def _tagger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.recipes.audit.load_tagger", Words)


def bring(folder: Path, out: Path, rules: SourceRules | None = None) -> Records:
    rules = rules or SourceRules()
    import_records(read_source(folder), out, str(folder), rules)
    return read_records(out)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """Twenty paintings of several shapes, one of them twice, two too long, one broken."""
    pictures = {f"{n}.png": encode_png(np.asarray(painting(n).resize((64 + 8 * (n % 4), 64)))) for n in range(20)}
    pictures["twin.png"] = encode_png(np.asarray(painting(3).resize((80, 58))))
    pictures |= {f"long{n}.png": encode_png(np.full((20, 100 + 20 * n, 3), 90 * n, np.uint8)) for n in range(2)}
    pictures["broken.png"] = b"no"
    texts = {name.replace(".png", ".txt"): f"a tree {n} by the lake" for n, name in enumerate(pictures)}
    texts |= {"0.txt": NASTY, "1.txt": "a tree 2 by the lake"}
    write(tmp_path / "in", {**pictures, **texts})
    return bring(tmp_path / "in", tmp_path / "own")


def look(records: Records, how: AuditConfig | None = None, test: Path | None = None) -> Findings:
    return audit(records.folder, how or AuditConfig(batch=4), Reader(count, 5), test)


def test_every_picture_is_used_dropped_or_rejected_by_name(records: Records) -> None:
    said = look(records, AuditConfig(resolution=256, buckets=True, batch=4)).audit
    assert (said.found, said.used, len(said.dropped)) == (24, 23, 2)
    assert said.dropped == ("long0.png", "long1.png")
    assert [row["key"] for row in said.rejected] == ["broken.png"]
    assert sum(use.pictures for use in said.buckets) == said.used - len(said.dropped)
    choice = buckets(256, 16)
    for use in said.buckets:
        inside = [size for size in records.sizes if (one := nearest(size, choice)) and one.height == use.height]
        assert use.pictures == len(inside)
        assert use.repeat == pytest.approx(-(-len(inside) // 4) * 4 / len(inside), abs=0.01)


def test_captions_are_counted_as_they_were_imported(records: Records) -> None:
    (imported,) = look(records).audit.captions
    assert (imported.phrasing.pictures, imported.phrasing.captions, imported.phrasing.repeated) == (23, 23, 1)
    assert (imported.phrasing.limit, imported.phrasing.over) == (5, 22)
    assert imported.nouns is not None
    assert imported.nouns.density.total == 2 * 22
    assert imported.nouns.low == imported.nouns.density.mean == imported.nouns.high
    assert (imported.nouns.density.distinct, imported.nouns.density.valid) == (2, 2)


def test_before_and_after_stand_side_by_side(records: Records) -> None:
    written = [("a very tall tree near some deep lake",)] * 22 + [()]
    write_wording(records.folder, records.wordings(imported=True), written, 0.5, {})
    before, after = look(records).audit.captions
    assert (before.name, after.name) == ("as imported", "as written by the captioner")
    assert before == look(records).audit.captions[0]
    assert (after.phrasing.captions, after.phrasing.bare, after.phrasing.repeated) == (22, 1, 21)
    assert after.nouns is not None
    assert after.nouns.density.mean == pytest.approx(22 * 7 / 23)


def test_a_sample_is_the_same_each_time_and_its_interval_holds_the_whole(records: Records) -> None:
    write_wording(records.folder, records.wordings(imported=True), [("tree " * n,) for n in range(23)], 0.5, {})
    how = AuditConfig(batch=4, sample=12, seed=1)
    (_, first), (_, again) = (look(records, how).audit.captions for _ in range(2))
    assert first == again
    assert first.nouns is not None
    assert (first.nouns.drawn, first.nouns.of) == (12, 23)
    assert first.nouns.low < sum(range(23)) / 23 < first.nouns.high
    assert look(records, AuditConfig(batch=4, sample=99)).audit.captions == look(records).audit.captions


def test_repetitions_and_leaks_are_named(records: Records, tmp_path: Path) -> None:
    copies = {"x.png": encode_png(np.asarray(painting(5).resize((48, 48)))), "x.txt": "x"}
    test = bring(
        write(tmp_path / "t", {**copies, "y.png": encode_png(np.asarray(painting(99))), "y.txt": "y"}),
        tmp_path / "test",
    )
    said = look(records, test=test.folder).audit
    assert [(pair.key, pair.like) for pair in said.repeated] == [("twin.png", "3.png")]
    assert {(pair.key, pair.like) for pair in said.held_out_leaks} <= {("twin.png", "3.png"), ("3.png", "twin.png")}
    assert [(pair.key, pair.like) for pair in said.test_leaks] == [("x.png", "5.png")]
    leaks = [look(records, AuditConfig(batch=4, seed=seed, held_out=0.4)).audit.held_out_leaks for seed in range(8)]
    assert any(leaks)
    assert look(records, AuditConfig(batch=4, held_out=0)).audit.held_out_leaks == ()


def test_without_nouns_or_encoder_nothing_is_tagged_or_loaded(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinxit.recipes.audit.load_tagger", lambda: pytest.fail("it was loaded"))
    found = audit(records.folder, AuditConfig(batch=4, nouns=False), None)
    assert found.audit.captions[0].nouns is None
    assert found.audit.captions[0].phrasing.tokens is None
    page = write_audit(found, records.folder.with_name("page")).read_text()
    assert "tokens a caption" not in page
    assert "nouns a picture" not in page


def test_the_page_is_whole_and_the_json_reads_back(records: Records, tmp_path: Path) -> None:
    write_wording(records.folder, records.wordings(imported=True), [(NASTY,)] * 23, 0.5, {})
    found = look(records, test=records.folder)
    page = write_audit(found, tmp_path / "page").read_text()
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert page.count("<section") == page.count("</section>") == 7
    for said in (
        "broken.png",
        "long1.png",
        "twin.png is like 3.png",
        "SAM-LLaVA",
        "29.3",
        "No picture says under which",
    ):
        assert said in page
    assert len(re.findall(r'<img src="data:image/png;base64,', page)) > 20
    assert Audit.model_validate_json((tmp_path / "page" / "audit.json").read_text()) == found.audit
    assert set(json.loads((tmp_path / "page" / "audit.json").read_text())) == set(Audit.model_fields)


def test_one_picture_without_a_caption_has_its_page_too(tmp_path: Path) -> None:
    write(tmp_path / "in", {"a.png": encode_png(np.asarray(painting(1)))})
    records = bring(tmp_path / "in", tmp_path / "own", SourceRules(without_caption=True))
    found = look(records)
    assert found.audit.bare == found.audit.captions[0].phrasing.bare == 1
    assert "without any caption" in write_audit(found, tmp_path / "page").read_text()


def test_no_step_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "in", {"a.png": encode_png(np.full((20, 200, 3), 90, np.uint8)), "a.txt": "a"})
    with pytest.raises(DataError, match="no step"):
        look(bring(tmp_path / "in", tmp_path / "own"))


def test_licences_are_a_table(tmp_path: Path) -> None:
    row = '{"file_name": "a.png", "text": "a", "license": "CC <0>"}'
    write(tmp_path / "in", {"a.png": encode_png(np.asarray(painting(1))), "metadata.jsonl": row})
    found = look(bring(tmp_path / "in", tmp_path / "own"))
    assert found.audit.licences == {"CC <0>": 1}
    assert "CC &lt;0&gt;" in write_audit(found, tmp_path / "page").read_text()
