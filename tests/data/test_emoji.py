"""The art is joined to the right words, rendered once, whole or not at all, with its licences beside it."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pinxit.data import emoji
from pinxit.data.alias import ICON_NAMES
from pinxit.data.drawing import read_concepts, renderer, slug
from pinxit.data.emoji import DEFAULT_STYLES, STYLES, Art, Piece, home, load_art, prepare
from pinxit.data.npm import Package
from pinxit.errors import DataError, MissingExtra

pytest.importorskip("resvg_py", reason="SVG art is rendered by resvg-py, which comes with the extra `emoji`")


def entry(label: str, hexcode: str, group: int | None = 3, **more: object) -> dict[str, object]:
    return {"label": label, "hexcode": hexcode, "group": group, "subgroup": 1, "tags": ["word"], **more}


ENTRIES = [
    entry("owl", "1F989"),
    entry("index pointing right", "1F449", 1, skins=[
        entry("index pointing right: dark skin tone", "1F449-1F3FF", 1, tone=5),
        entry("index pointing right: light and dark skin tone", "1F449-1F3FB", 1, tone=[1, 5]),
    ]),
    entry("compass’s rose", "1F9ED-FE0F", 5),
    entry("cricket", "1F997"),
    entry("hundred points", "1F4AF", 0),
    entry("keycap: 1", "0031-FE0F-20E3", 8),
    entry("flag: Chile", "1F1E8", 9),
    entry("regional indicator", "1F1E6", None),
]  # fmt: skip
RED_LEFT = '<rect x="0" y="5" width="5" height="10" fill="#f00"/>'


def write_words(folder: Path) -> Path:
    (folder / "meta").mkdir(parents=True)
    (folder / "en").mkdir()
    groups = {"groups": {str(n): f"group {n}" for n in range(10)}, "subgroups": {"1": "animal-bird"}}
    (folder / "meta" / "groups.json").write_text(json.dumps(groups))
    (folder / "en" / "data.json").write_text(json.dumps(ENTRIES))
    (folder / "LICENSE").write_text("the terms")
    return folder


def write_icons(folder: Path) -> Path:
    folder.mkdir(parents=True)
    icons = {
        "width": 20,
        "height": 20,
        "icons": {"left": {"body": RED_LEFT}, "cricket": {"body": RED_LEFT}, "empty": {"body": "", "height": 40}},
        "aliases": {
            "owl": {"parent": "left"},
            "again": {"parent": "right"},
            "right": {"parent": "left", "hFlip": True},
            "compasss-rose": {"parent": "empty"},
        },
    }
    (folder / "icons.json").write_text(json.dumps(icons))
    (folder / "chars.json").write_text(json.dumps({"1f449": "again", "1f449-1f3ff": "right"}))
    return folder


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tiny packages in place of the registry's; the list says what was fetched."""
    asked: list[str] = []

    def fetch(package: Package, folder: Path) -> Path:
        asked.append(package.name)
        final = folder / package.name.replace("/", "+")
        if not final.is_dir():
            (write_words if package == emoji.WORDS else write_icons)(final)
        return final

    monkeypatch.setattr(emoji, "fetch", fetch)
    monkeypatch.setenv("PINXIT_HOME", str(tmp_path))
    return asked


def test_signs_flags_keycaps_and_lettered_art_are_left_out(tmp_path: Path) -> None:
    found = read_concepts(write_words(tmp_path / "words"))
    assert [c.name for c in found] == ["owl", "index pointing right", "compass’s rose", "cricket"]
    assert (found[0].group, found[0].subgroup, found[0].keywords) == ("group 3", "animal-bird", ("word",))
    assert found[2].hexcode == "1f9ed"


def test_skin_tones_keep_the_name_of_their_concept(tmp_path: Path) -> None:
    found = read_concepts(write_words(tmp_path / "words"), tones=True)
    assert [(c.name, c.tone) for c in found] == [
        ("index pointing right", "dark"), ("index pointing right", "light and dark"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("label", "name"),
    [("piñata", "pinata"), ("man’s shoe", "mans-shoe"), ("kiss: man, man", "kiss-man-man"), ("T-Rex", "t-rex")],
)
def test_labels_become_file_names(label: str, name: str) -> None:
    assert slug(label) == name


def test_a_mirrored_alias_is_drawn_mirrored(packages: list[str]) -> None:
    prepare(("Fluent flat",))
    art = load_art(("Fluent flat",), side=20)
    pointing, owl = art.find("index pointing right", "Fluent flat"), art.find("owl", "Fluent flat")
    assert owl.rgba[10, :4, 3].min() == 255
    assert owl.rgba[10, 6:, 3].max() == 0
    np.testing.assert_array_equal(pointing.rgba, owl.rgba[:, ::-1])


def test_what_was_never_drawn_or_is_blank_is_left_out(packages: list[str]) -> None:
    prepare(("Fluent flat",))
    assert load_art(("Fluent flat",)).concepts == ("owl", "index pointing right", "cricket")


def test_a_name_that_means_another_thing_in_a_set_is_corrected(packages: list[str]) -> None:
    assert ICON_NAMES["Noto v1"]["cricket"] == ""
    prepare(("Noto v1",))
    assert "cricket" not in load_art(("Noto v1",)).concepts


def test_the_table_of_names_is_of_known_styles() -> None:
    assert set(ICON_NAMES) <= set(STYLES)


def test_tones_are_kept_only_where_asked_and_found_apart(packages: list[str]) -> None:
    prepare(("Fluent flat",))
    with pytest.raises(DataError, match="is not there; run: pinxit data emoji"):
        load_art(("Fluent flat",), tones=True)
    prepare(("Fluent flat",), tones=True)
    art = load_art(("Fluent flat",), tones=True)
    assert [(p.concept, p.tone) for p in art if p.tone] == [("index pointing right", "dark")]
    assert art.find("index pointing right", "Fluent flat").tone is None
    assert all(p.tone is None for p in load_art(("Fluent flat",)))


def test_the_second_time_nothing_is_fetched_or_rendered(packages: list[str]) -> None:
    root = prepare(("Fluent flat",))
    made = (root / "art" / "fluent-flat" / "made.txt").stat().st_mtime_ns
    packages.clear()
    prepare(("Fluent flat",))
    assert packages == []
    assert (root / "art" / "fluent-flat" / "made.txt").stat().st_mtime_ns == made


def test_a_table_of_another_version_is_made_anew(packages: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    root = prepare(("Fluent flat",))
    (root / "art" / "fluent-flat" / "left over").touch()
    monkeypatch.setattr(emoji, "RENDERING", -1)
    with pytest.raises(DataError, match="was made by another version; run: pinxit data emoji --styles 'Fluent flat'"):
        load_art(("Fluent flat",))
    prepare(("Fluent flat",))
    assert not (root / "art" / "fluent-flat" / "left over").exists()
    assert len(load_art(("Fluent flat",))) == 3


def test_an_interrupted_rendering_leaves_no_table(packages: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("datasets.Dataset.save_to_disk", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare(("Fluent flat",))
    assert list((home() / "emoji" / "art").iterdir()) == []
    prepare(("Fluent flat",))
    assert len(load_art(("Fluent flat",))) == 3


def test_licences_lie_beside_the_art_and_credit_is_shown_where_it_is_asked(
    packages: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    root = prepare(("Fluent flat", "Twemoji"))
    text = (root / "LICENSES.md").read_text()
    for told in ("emojibase-data@17.0.0, MIT", "Fluent flat emoji art by Microsoft Corporation, MIT",
                 "@iconify-json/fluent-emoji-flat@1.2.6", "Twemoji emoji art by Twitter, CC-BY-4.0"):  # fmt: skip
        assert told in text
    assert "Noto" not in text
    assert (root / "licenses" / "emojibase-data.txt").read_text() == "the terms"
    said = " ".join(capsys.readouterr().out.split())
    assert "Twemoji emoji art by Twitter, CC-BY-4.0, https://creativecommons.org/licenses/by/4.0/" in said
    assert "Fluent flat emoji art by" not in said


def test_styles_that_ask_for_credit_are_not_among_the_defaults() -> None:
    assert DEFAULT_STYLES == ("Fluent 3D", "Fluent flat", "Noto", "Noto v1", "Fxemoji")
    assert {STYLES[name].spdx for name in DEFAULT_STYLES} == {"MIT", "Apache-2.0"}


@pytest.mark.parametrize("call", [prepare, load_art])
def test_an_unknown_style_is_named_with_those_that_there_are(call: object, packages: list[str]) -> None:
    with pytest.raises(DataError, match=r"Fluent 4D: there is no such style; choose of Fluent 3D, .*Emojione"):
        call(("Noto", "Fluent 4D"))  # type: ignore[operator]
    assert packages == []


def test_without_the_renderer_the_command_that_brings_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(MissingExtra, match="pip install 'resvg-py"):
        renderer(write_icons(tmp_path / "icons"), "Noto")


def test_webp_art_is_found_with_and_without_the_variation_selector(tmp_path: Path) -> None:
    words = read_concepts(write_words(tmp_path / "words"))
    (tmp_path / "package" / "assets").mkdir(parents=True)
    for name, size in (("1f989-fe0f", (256, 256)), ("1f9ed", (100, 50))):
        data = io.BytesIO()
        Image.new("RGBA", size, (255, 0, 0, 255)).save(data, "WEBP", lossless=True)
        (tmp_path / "package" / "assets" / f"{name}.webp").write_bytes(data.getvalue())
    owl, pointing, compass, _ = (renderer(tmp_path / "package", "Fluent 3D")(concept) for concept in words)
    assert pointing is None
    assert owl is not None and owl.getchannel("A").getbbox() == (0, 0, 256, 256)
    assert compass is not None and compass.getchannel("A").getbbox() == (0, 64, 256, 192)


def test_art_is_found_by_pair_filtered_and_counted() -> None:
    dot = np.zeros((1, 1, 4), np.uint8)
    art = Art(Piece(c, s, "g", "s", (), dot) for s in ("Noto", "Fxemoji") for c in ("owl", "cow"))
    assert art.find("cow", "Noto") is art[1]
    assert (art.concepts, art.styles, len(art)) == (("owl", "cow"), ("Noto", "Fxemoji"), 4)
    assert art.where(lambda p: p.style == "Noto").styles == ("Noto",)
    assert list(art.by_style["Fxemoji"]) == [art[2], art[3]]
    with pytest.raises(KeyError):
        art.find("fox", "Noto")


@pytest.mark.skipif(not (home() / "emoji" / "art" / "fxemoji").is_dir(), reason="the emoji art is not prepared here")
def test_the_real_art_is_there_in_full_and_visible() -> None:
    art = load_art(("Fxemoji",), side=32)
    assert len(art) >= 700
    assert all(piece.rgba.shape == (32, 32, 4) and piece.rgba[..., 3].max() > 100 for piece in art)
    assert all(piece.keywords for piece in art)
    tiger, face = art.find("tiger", "Fxemoji").rgba, art.find("tiger face", "Fxemoji").rgba
    assert np.abs(tiger.astype(int) - face).mean() > 10


def test_a_table_that_another_process_made_meanwhile_stays(
    packages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = prepare(("Fluent flat",))
    (root / "art" / "fluent-flat" / "theirs").touch()
    answers = iter((False, True))  # not there when it is asked for, there when ours is ready
    monkeypatch.setattr(emoji, "_is_made", lambda *_: next(answers))
    prepare(("Fluent flat",))
    assert (root / "art" / "fluent-flat" / "theirs").exists()
    assert len(list((root / "art").iterdir())) == 1
