"""The embedded data: real emoji art in several styles and the words for it; fetched once, checked, rendered."""

import io
import json
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from pinxit.data.npm import Package, fetch
from pinxit.errors import DataError, MissingExtra
from pinxit.log import Bar

MASTER = 256  # side of the rendered art in pixels
LEFT_OUT = {2: "component", 8: "symbols", 9: "flags"}  # groups of emojibase: parts, lettered signs and keycaps, flags
LETTERED = re.compile(r"\b(button|keycap|input)\b")  # signs that are text, in any group

WORDS = Package(
    "emojibase-data",
    "17.0.0",
    "Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA==",
)


@dataclass(frozen=True)
class Style:
    """One hand that drew the emoji: its package, its terms, and the family of designs it shares."""

    name: str
    family: str
    package: Package
    spdx: str
    author: str
    attribution: bool = False  # its licence asks for credit wherever the art is shown


STYLES: Mapping[str, Style] = {
    style.name: style
    for style in (
        Style("Fluent 3D", "Fluent", Package("@lobehub/fluent-emoji-3d", "1.1.0", "Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g=="), "MIT", "Microsoft"),
        Style("Fluent flat", "Fluent", Package("@iconify-json/fluent-emoji-flat", "1.2.6", "RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw=="), "MIT", "Microsoft"),
        Style("Noto", "Noto", Package("@iconify-json/noto", "1.2.9", "DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw=="), "Apache-2.0", "Google"),
        Style("Noto v1", "Noto", Package("@iconify-json/noto-v1", "1.2.5", "/DsVMius69Q0fRS53z7QK1TROSuar606jiIx+laXtdsYGMXpf6LtHBx6CGfoo3UHHb/XpBsw+1L1x3eyPqMuVA=="), "Apache-2.0", "Google"),
        Style("Fxemoji", "Fxemoji", Package("@iconify-json/fxemoji", "1.2.2", "UAasRaxzFUKfIGSmLwnoarsssA4LX0VLLuEmplIqM6ZNQqIQRtav8tZ4H1neTlBreXuMQyAifr5jP4kn78DpiQ=="), "Apache-2.0", "Mozilla"),
        Style("Twemoji", "Twemoji", Package("@iconify-json/twemoji", "1.2.5", "uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw=="), "CC-BY-4.0", "Twitter", attribution=True),
        Style("Emojione", "Emojione", Package("@iconify-json/emojione", "1.2.3", "T9+T3HIbJNLKKsmxYKlaYhvnHYkz/HNYTV7SHCXVZPfeUi4FqskY70YeN8yYAZT8cCv7w5vJxS4Q1m8zb9CMMg=="), "CC-BY-4.0", "Emoji One", attribution=True),
    )
}  # fmt: skip
DEFAULT_STYLES = tuple(style.name for style in STYLES.values() if not style.attribution)


@dataclass(frozen=True)
class Piece:
    """One piece of art: a concept in a style; straight alpha, `side` pixels square."""

    concept: str
    style: str
    group: str
    subgroup: str
    keywords: tuple[str, ...]
    rgba: UInt8[np.ndarray, "side side 4"]


class Art(Sequence[Piece]):
    """Pieces of art in a fixed order; also found by concept and style."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self.pieces = tuple(pieces)
        self._places = {(piece.concept, piece.style): piece for piece in self.pieces}

    def __len__(self) -> int:
        return len(self.pieces)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        return self.pieces[index]

    def find(self, concept: str, style: str) -> Piece:
        """The piece of a concept in a style; KeyError if that style never drew it."""
        return self._places[concept, style]

    def where(self, keep: Callable[[Piece], bool]) -> "Art":
        """The pieces for which `keep` is true."""
        return Art(piece for piece in self.pieces if keep(piece))

    @property
    def concepts(self) -> tuple[str, ...]:
        """All concepts, each once, in order."""
        return tuple(dict.fromkeys(piece.concept for piece in self.pieces))


@dataclass(frozen=True)
class Concept:
    """One entry of the word list."""

    name: str
    hexcode: str
    group: str
    subgroup: str
    keywords: tuple[str, ...]


def home() -> Path:
    """Where fetched data is kept: PINXIT_HOME, or a folder in the user's cache."""
    return Path(os.environ.get("PINXIT_HOME") or Path.home() / ".cache" / "pinxit")


def slug(label: str) -> str:
    """A label as the icon sets write it in file names: ASCII, lower case, hyphens."""
    ascii_ = unicodedata.normalize("NFKD", re.sub("[’'“”.!,()]", "", label)).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_.replace("&", "and")).strip("-")


def read_concepts(package: Path) -> list[Concept]:
    """The concepts worth drawing: no parts, signs, keycaps or flags; skin tones count as their concept."""
    groups = json.loads((package / "meta" / "groups.json").read_text(encoding="utf-8"))
    found = []
    for entry in json.loads((package / "en" / "data.json").read_text(encoding="utf-8")):
        group = entry.get("group")
        if group is None or group in LEFT_OUT or LETTERED.search(entry["label"]):
            continue
        name = unicodedata.normalize("NFC", entry["label"])
        found.append(
            Concept(
                name,
                entry["hexcode"].lower().replace("-fe0f", ""),
                groups["groups"][str(group)],
                groups["subgroups"][str(entry["subgroup"])],
                tuple(entry.get("tags", ())),
            )
        )
    return found


def _webp_renderer(package: Path) -> Callable[[Concept], Image.Image | None]:
    files = {file.stem.replace("-fe0f", ""): file for file in sorted((package / "assets").glob("*.webp"))}

    def render(concept: Concept) -> Image.Image | None:
        file = files.get(concept.hexcode)
        if file is None:
            return None
        with Image.open(file) as image:
            return _square(image.convert("RGBA"))

    return render


def _svg_renderer(package: Path) -> Callable[[Concept], Image.Image | None]:
    try:
        import resvg_py
    except ImportError as error:
        raise MissingExtra("rendering the emoji art", "resvg-py", "pip install resvg-py") from error
    icons = json.loads((package / "icons.json").read_text(encoding="utf-8"))
    codes = json.loads((package / "chars.json").read_text(encoding="utf-8"))
    by_code = {code.replace("-fe0f", ""): name for code, name in codes.items()}
    bodies, aliases = icons["icons"], icons.get("aliases", {})

    def render(concept: Concept) -> Image.Image | None:
        names = (by_code.get(concept.hexcode), slug(concept.name), slug(concept.name).replace("-", ""))
        name = next((n for n in names if n in bodies or n in aliases), None)
        while name in aliases:
            name = aliases[name]["parent"]
        if name is None:
            return None
        icon = bodies[name]
        width, height = icon.get("width", icons.get("width", 16)), icon.get("height", icons.get("height", 16))
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
        )
        longer = "width" if width >= height else "height"
        data = bytes(resvg_py.svg_to_bytes(svg_string=svg, **{longer: MASTER}))
        with Image.open(io.BytesIO(data)) as image:
            return _square(image.convert("RGBA"))

    return render


def _square(image: Image.Image) -> Image.Image:
    """The art on a transparent square of the master's side."""
    if image.size == (MASTER, MASTER):
        return image
    scale = MASTER / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    smaller = image.convert("RGBa").resize((width, height), Image.Resampling.LANCZOS).convert("RGBA")
    canvas = Image.new("RGBA", (MASTER, MASTER))
    canvas.paste(smaller, ((MASTER - width) // 2, (MASTER - height) // 2))
    return canvas


def _row(
    renderers: Mapping[str, Callable[[Concept], Image.Image | None]], job: tuple[str, Concept]
) -> dict[str, object] | None:
    style, concept = job
    image = renderers[style](concept)
    if image is None or image.getbbox() is None:
        return None
    data = io.BytesIO()
    image.save(data, "PNG", compress_level=3)
    return {
        "concept": concept.name, "style": style, "group": concept.group, "subgroup": concept.subgroup,
        "keywords": list(concept.keywords), "png": data.getvalue(),
    }  # fmt: skip


def prepare(style_names: Sequence[str] = DEFAULT_STYLES, folder: Path | None = None) -> Path:
    """The folder that holds the art of every named style, rendered; fetches and renders only what is missing."""
    root = (folder or home()) / "emoji"
    for name in style_names:
        if name not in STYLES:
            raise DataError(name, "there is no such style", f"choose of {', '.join(STYLES)}")
    missing = [name for name in style_names if not (root / "art" / slug(name)).is_dir()]
    if missing:
        concepts = read_concepts(fetch(WORDS, root / "package"))
        for name in missing:
            _render_style(STYLES[name], concepts, root)
    _write_licences(root)
    return root


T = TypeVar("T")


def _render_style(style: Style, concepts: Sequence[Concept], root: Path) -> None:
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    package = fetch(style.package, root / "package")
    renderer = _webp_renderer(package) if (package / "assets").is_dir() else _svg_renderer(package)
    jobs = [(style.name, concept) for concept in concepts]
    rows: list[dict[str, object]] = []
    with ThreadPoolExecutor() as pool, Bar(f"rendering {style.name}", len(jobs)) as bar:
        for done, row in enumerate(pool.map(partial(_row, {style.name: renderer}), jobs), 1):
            rows += [row] if row else []
            bar.move(done)
    (root / "art").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root / "art", prefix=".render-") as temporary:
        Dataset.from_list(rows).save_to_disk(Path(temporary) / "art")
        shutil.move(Path(temporary) / "art", root / "art" / slug(style.name))


def _write_licences(root: Path) -> None:
    lines = ["# Licences of the art and words in this folder", ""]
    lines += [f"- words: {WORDS}, MIT, by Emojibase"]
    for style in STYLES.values():
        if (root / "art" / slug(style.name)).is_dir():
            asks = "; credit the author wherever it is shown" if style.attribution else ""
            lines.append(f"- {style.name}: {style.package}, {style.spdx}, by {style.author}{asks}")
    (root / "LICENCES.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def load_art(
    style_names: Sequence[str] = DEFAULT_STYLES, side: int = 128, folder: Path | None = None
) -> Art:
    """The art of the named styles at `side` pixels, in memory; DataError where it was not prepared."""
    from datasets import load_from_disk

    root = (folder or home()) / "emoji" / "art"
    pieces: list[Piece] = []
    for name in style_names:
        if not (root / slug(name)).is_dir():
            raise DataError(root / slug(name), f"the art of {name!r} is not there", "run: pinxit data emoji")
        table = load_from_disk(root / slug(name)).to_list()
        with ThreadPoolExecutor() as pool:
            pieces += pool.map(partial(_piece, side), table)
    return Art(pieces)


def _piece(side: int, row: Mapping[str, object]) -> Piece:
    data = row["png"]
    assert isinstance(data, bytes)
    with Image.open(io.BytesIO(data)) as image:
        small = image.convert("RGBa").resize((side, side), Image.Resampling.BILINEAR).convert("RGBA")
    return Piece(
        str(row["concept"]), str(row["style"]), str(row["group"]), str(row["subgroup"]),
        tuple(row["keywords"]),  # type: ignore[arg-type]
        np.asarray(small),
    )  # fmt: skip
