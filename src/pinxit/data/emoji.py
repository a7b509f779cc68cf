"""The embedded data: real emoji art in several styles and the words for it; fetched once, checked, rendered."""

import io
import os
import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import overload

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from pinxit.data.drawing import Concept, Renderer, read_concepts, renderer, slug
from pinxit.data.npm import Package, fetch
from pinxit.errors import DataError
from pinxit.log import Bar, console

RENDERING = 2  # changes when the same packages would give other art; older tables are then made anew
THREADS = os.cpu_count() or 1
LICENCES = "LICENSES.md"  # beside the art, as others spell it

_SUMS = {  # of the packages, as their registry states them: sha512 in base64
    "@lobehub/fluent-emoji-3d@1.1.0":
        "Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g==",
    "@iconify-json/fluent-emoji-flat@1.2.6":
        "RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw==",
    "@iconify-json/noto@1.2.9":
        "DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw==",
    "@iconify-json/noto-v1@1.2.5":
        "/DsVMius69Q0fRS53z7QK1TROSuar606jiIx+laXtdsYGMXpf6LtHBx6CGfoo3UHHb/XpBsw+1L1x3eyPqMuVA==",
    "@iconify-json/fxemoji@1.2.2":
        "UAasRaxzFUKfIGSmLwnoarsssA4LX0VLLuEmplIqM6ZNQqIQRtav8tZ4H1neTlBreXuMQyAifr5jP4kn78DpiQ==",
    "@iconify-json/twemoji@1.2.5":
        "uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw==",
    "@iconify-json/emojione@1.2.3":
        "T9+T3HIbJNLKKsmxYKlaYhvnHYkz/HNYTV7SHCXVZPfeUi4FqskY70YeN8yYAZT8cCv7w5vJxS4Q1m8zb9CMMg==",
}  # fmt: skip


def _pinned(package: str) -> Package:
    name, _, version = package.rpartition("@")
    return Package(name, version, _SUMS[package])


WORDS = Package(
    "emojibase-data",
    "17.0.0",
    "Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA==",
)


TERMS = {
    "MIT": "https://spdx.org/licenses/MIT.html",
    "Apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
}


@dataclass(frozen=True)
class Style:
    """One hand that drew the emoji: its package, its terms, and the family of designs it shares."""

    name: str
    family: str
    package: Package
    spdx: str
    author: str
    attribution: bool = False  # its licence asks for credit wherever the art is shown

    @property
    def credit(self) -> str:
        """The line that names the author and the terms."""
        return f"{self.name} emoji art by {self.author}, {self.spdx}, {TERMS[self.spdx]}"


STYLES: Mapping[str, Style] = {
    style.name: style
    for style in (
        Style("Fluent 3D", "Fluent", _pinned("@lobehub/fluent-emoji-3d@1.1.0"), "MIT", "Microsoft Corporation"),
        Style(
            "Fluent flat", "Fluent", _pinned("@iconify-json/fluent-emoji-flat@1.2.6"), "MIT", "Microsoft Corporation"
        ),
        Style("Noto", "Noto", _pinned("@iconify-json/noto@1.2.9"), "Apache-2.0", "Google Inc"),
        Style("Noto v1", "Noto", _pinned("@iconify-json/noto-v1@1.2.5"), "Apache-2.0", "Google Inc"),
        Style("Fxemoji", "Fxemoji", _pinned("@iconify-json/fxemoji@1.2.2"), "Apache-2.0", "Mozilla"),
        Style("Twemoji", "Twemoji", _pinned("@iconify-json/twemoji@1.2.5"), "CC-BY-4.0", "Twitter", attribution=True),
        Style(
            "Emojione", "Emojione", _pinned("@iconify-json/emojione@1.2.3"), "CC-BY-4.0", "Emoji One", attribution=True
        ),
    )
}
DEFAULT_STYLES = tuple(style.name for style in STYLES.values() if not style.attribution)


@dataclass(frozen=True, eq=False)  # one piece of art is one object
class Piece:
    """One piece of art: a concept in a style, in straight alpha; `tone` of skin where it is not the default."""

    concept: str
    style: str
    group: str
    subgroup: str
    keywords: tuple[str, ...]
    rgba: UInt8[np.ndarray, "side side 4"]
    tone: str | None = None


class Art(Sequence[Piece]):
    """Pieces of art in a fixed order; those of the default skin tone are also found by concept and style."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self.pieces = tuple(pieces)
        self._places = {(piece.concept, piece.style): piece for piece in self.pieces if piece.tone is None}

    def __len__(self) -> int:
        return len(self.pieces)

    @overload
    def __getitem__(self, index: int) -> Piece: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Piece, ...]: ...
    def __getitem__(self, index: int | slice) -> Piece | tuple[Piece, ...]:
        return self.pieces[index]

    def __iter__(self) -> Iterator[Piece]:
        return iter(self.pieces)

    def find(self, concept: str, style: str) -> Piece:
        """The piece of a concept in a style; KeyError if that style never drew it."""
        return self._places[concept, style]

    def where(self, keep: Callable[[Piece], bool]) -> "Art":
        """The pieces for which `keep` is true."""
        return Art(piece for piece in self.pieces if keep(piece))

    @cached_property
    def concepts(self) -> tuple[str, ...]:
        """All concepts, each once, in order."""
        return tuple(dict.fromkeys(piece.concept for piece in self.pieces))

    @cached_property
    def by_style(self) -> Mapping[str, Sequence[Piece]]:
        """The pieces of each style."""
        return {s: [p for p in self.pieces if p.style == s] for s in dict.fromkeys(p.style for p in self.pieces)}

    @property
    def styles(self) -> tuple[str, ...]:
        """All styles, each once, in order."""
        return tuple(self.by_style)


def home() -> Path:
    """Where fetched data is kept: PINXIT_HOME, or a folder in the user's cache."""
    return Path(os.environ.get("PINXIT_HOME") or Path.home() / ".cache" / "pinxit")


def _row(style: str, render: Renderer, concept: Concept) -> dict[str, object] | None:
    image = render(concept)
    if image is None or image.getchannel("A").getbbox() is None:
        return None
    data = io.BytesIO()
    image.save(data, "PNG", compress_level=3)
    return {
        "concept": concept.name, "style": style, "group": concept.group, "subgroup": concept.subgroup,
        "keywords": list(concept.keywords), "tone": concept.tone, "png": data.getvalue(),
    }  # fmt: skip


def prepare(style_names: Sequence[str] = DEFAULT_STYLES, folder: Path | None = None, *, tones: bool = False) -> Path:
    """The folder that holds the art of every named style, rendered; fetches and renders only what is missing.

    With `tones` the variants of each skin tone are kept too. Prints the credit of each style that asks for it.
    """
    root = (folder or home()) / "emoji"
    for style in _known(style_names):
        for toned in (False, True) if tones else (False,):
            if not _is_made(style, root, toned):
                _render_style(style, root, toned)
        if style.attribution:
            console.print(style.credit, highlight=False)
    _write_licences(root)
    return root


def _known(names: Sequence[str]) -> list[Style]:
    for name in names:
        if name not in STYLES:
            raise DataError(name, "there is no such style", f"choose of {', '.join(STYLES)}")
    return [STYLES[name] for name in names]


def _table(name: str, root: Path, toned: bool) -> Path:
    return root / "art" / (slug(name) + ("-tones" if toned else ""))


def _stamp(style: Style) -> str:
    return f"{style.package} {WORDS} rendering {RENDERING}"


def _is_made(style: Style, root: Path, toned: bool) -> bool:
    stamp = _table(style.name, root, toned) / "made.txt"
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == _stamp(style)


def _render_style(style: Style, root: Path, toned: bool) -> None:
    """The style's table is made, whole or not at all; one made by another version is replaced."""
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    concepts = read_concepts(fetch(WORDS, root / "package"), tones=toned)
    package = fetch(style.package, root / "package")
    render = renderer(package, style.name)
    rows: list[dict[str, object]] = []
    with ThreadPoolExecutor(THREADS) as pool, Bar(f"rendering {style.name}", len(concepts)) as bar:
        for done, row in enumerate(pool.map(partial(_row, style.name, render), concepts), 1):
            rows += [row] if row else []
            bar.move(done)
    final = _table(style.name, root, toned)
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=".render-") as temporary:
        Dataset.from_list(rows).save_to_disk(Path(temporary) / "new")
        (Path(temporary) / "new" / "made.txt").write_text(_stamp(style), encoding="utf-8")
        if _is_made(style, root, toned):
            return  # another process was faster, and may be reading its table by now
        if final.is_dir():
            final.rename(Path(temporary) / "old")
        (Path(temporary) / "new").rename(final)


def _write_licences(root: Path) -> None:
    """LICENSES.md names author, terms and source of all that is here; texts that came with a package lie beside it."""
    lines = ["# Licences of the art and words in this folder", ""]
    lines.append(f"- words: {WORDS}, MIT, {TERMS['MIT']}, copyright Miles Johnson")
    for style in STYLES.values():
        if _table(style.name, root, toned=False).is_dir():
            asks = "; credit the author wherever it is shown" if style.attribution else ""
            lines.append(f"- {style.credit}; from {style.package}{asks}")
    for text in sorted((root / "package").glob("*/LICENSE*")):
        copy = root / "licenses" / f"{text.parent.name}.txt"
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(text.read_text(encoding="utf-8"), encoding="utf-8")
    (root / LICENCES).write_text("\n".join(lines) + "\n", encoding="utf-8")


def load_art(
    style_names: Sequence[str] = DEFAULT_STYLES, side: int = 128, folder: Path | None = None, *, tones: bool = False
) -> Art:
    """The art of the named styles at `side` pixels, in memory; DataError where it was not prepared."""
    from datasets import load_from_disk

    pieces: list[Piece] = []
    for _, table in _prepared(style_names, folder, tones):
        with ThreadPoolExecutor(THREADS) as pool:
            pieces += pool.map(partial(_piece, side), load_from_disk(table).to_list())
    return Art(pieces)


def count_pieces(
    style_names: Sequence[str] = DEFAULT_STYLES, folder: Path | None = None, *, tones: bool = False
) -> dict[str, int]:
    """How many pieces of art there are of each named style; DataError where it was not prepared."""
    from datasets import load_from_disk

    counts = dict.fromkeys(style_names, 0)
    for name, table in _prepared(style_names, folder, tones):
        counts[name] += len(load_from_disk(table))
    return counts


def read_words(
    style_names: Sequence[str] = DEFAULT_STYLES, folder: Path | None = None
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Concept, style and keywords of every piece, without its picture; DataError where it was not prepared."""
    from datasets import load_from_disk

    for name, table in _prepared(style_names, folder, tones=False):
        for row in load_from_disk(table).select_columns(["concept", "keywords"]):
            yield row["concept"], name, tuple(row["keywords"])


def _prepared(names: Sequence[str], folder: Path | None, tones: bool) -> Iterator[tuple[str, Path]]:
    """Each style with the folders of its tables."""
    for style in _known(names):
        for toned in (False, True) if tones else (False,):
            root = (folder or home()) / "emoji"
            table = _table(style.name, root, toned)
            if not _is_made(style, root, toned):
                found = "was made by another version" if table.is_dir() else "is not there"
                command = f"pinxit data emoji --styles {shlex.quote(style.name)}{' --tones' if toned else ''}"
                raise DataError(table, f"the art of {style.name!r} {found}", f"run: {command}")
            yield style.name, table


def _piece(side: int, row: Mapping[str, object]) -> Piece:
    data = row["png"]
    assert isinstance(data, bytes)
    with Image.open(io.BytesIO(data)) as image:
        small = image.convert("RGBa").resize((side, side), Image.Resampling.BILINEAR).convert("RGBA")
    return Piece(
        str(row["concept"]), str(row["style"]), str(row["group"]), str(row["subgroup"]),
        tuple(row["keywords"]),  # type: ignore[arg-type]
        np.asarray(small), row["tone"],  # type: ignore[arg-type]
    )  # fmt: skip
