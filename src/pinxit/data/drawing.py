"""Concepts of the word list, and the package of a style as a function that draws them."""

import io
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from pinxit.data.alias import ICON_NAMES
from pinxit.errors import MissingExtra

MASTER = 256  # side of the rendered art in pixels
LEFT_OUT = {2: "component", 8: "symbols", 9: "flags"}  # groups of emojibase: parts, lettered signs and keycaps, flags
LETTERED = {"hundred points", "ZZZ"}  # drawings of text in the other groups
TONES = ("light", "medium-light", "medium", "medium-dark", "dark")  # emojibase counts them from 1


@dataclass(frozen=True)
class Concept:
    """One entry of the word list; `label` is its own name, which for a skin tone is longer than the concept's."""

    name: str
    label: str
    hexcode: str
    group: str
    subgroup: str
    keywords: tuple[str, ...]
    tone: str | None = None


def slug(label: str) -> str:
    """A label as the icon sets write it in file names: ASCII, lower case, hyphens."""
    ascii_ = unicodedata.normalize("NFKD", re.sub("[’'“”.!,()]", "", label)).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_.replace("&", "and")).strip("-")


def read_concepts(package: Path, *, tones: bool = False) -> list[Concept]:
    """The concepts worth drawing: no parts, signs, keycaps or flags; or else their variants in each skin tone."""
    names = json.loads((package / "meta" / "groups.json").read_text(encoding="utf-8"))
    entries = json.loads((package / "en" / "data.json").read_text(encoding="utf-8"))
    return [
        Concept(
            unicodedata.normalize("NFC", entry["label"]),
            drawn["label"],
            _code(drawn["hexcode"]),
            names["groups"][str(entry["group"])],
            names["subgroups"][str(entry["subgroup"])],
            tuple(entry.get("tags", ())),
            _tone(drawn.get("tone")),
        )
        for entry in entries
        if entry.get("group") not in {None, *LEFT_OUT} and entry["label"] not in LETTERED
        for drawn in (entry.get("skins", ()) if tones else (entry,))
    ]


def _code(hexcode: str) -> str:
    """A hexcode without the variation selector, which the sets write or leave out as they please."""
    return hexcode.lower().replace("-fe0f", "")


def _tone(number: int | list[int] | None) -> str | None:
    if number is None:
        return None
    return " and ".join(TONES[n - 1] for n in ([number] if isinstance(number, int) else number))


Renderer = Callable[[Concept], Image.Image | None]


def renderer(package: Path, style: str) -> Renderer:
    """The drawings of a style's package: MASTER pixels square, None for a concept that it never drew."""
    if (package / "assets").is_dir():
        return _webp_renderer(package)
    return _svg_renderer(package, ICON_NAMES.get(style, {}))


def _webp_renderer(package: Path) -> Renderer:
    files = {_code(file.stem): file for file in sorted((package / "assets").glob("*.webp"))}

    def render(concept: Concept) -> Image.Image | None:
        file = files.get(concept.hexcode)
        if file is None:
            return None
        with Image.open(file) as image:
            return _square(image.convert("RGBA"))

    return render


def _svg_renderer(package: Path, corrected: Mapping[str, str]) -> Renderer:
    try:
        import resvg_py
    except ImportError as error:
        raise MissingExtra("rendering the emoji art", "resvg-py", "pip install 'resvg-py>=0.5,<0.6'") from error
    icons = json.loads((package / "icons.json").read_text(encoding="utf-8"))
    codes = json.loads((package / "chars.json").read_text(encoding="utf-8"))
    by_code = {_code(code): name for code, name in codes.items()}
    bodies, aliases = icons["icons"], icons.get("aliases", {})

    def find(concept: Concept) -> str | None:
        if concept.label in corrected:
            return corrected[concept.label] or None
        name = slug(concept.label)
        names = (by_code.get(concept.hexcode), name, name.replace("-", ""))
        return next((n for n in names if n in bodies or n in aliases), None)

    def render(concept: Concept) -> Image.Image | None:
        name, mirrored = find(concept), False
        while name in aliases:
            mirrored ^= bool(aliases[name].get("hFlip"))
            name = aliases[name]["parent"]
        if name is None:
            return None
        icon = bodies[name]
        width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
        )
        wide = width >= height
        data = resvg_py.svg_to_bytes(svg_string=svg, width=MASTER if wide else None, height=None if wide else MASTER)
        with Image.open(io.BytesIO(bytes(data))) as image:
            drawn = _square(image.convert("RGBA"))
        return ImageOps.mirror(drawn) if mirrored else drawn

    return render


def _square(image: Image.Image) -> Image.Image:
    """The art on a transparent square of the master's side."""
    if image.size == (MASTER, MASTER):
        return image
    scale = MASTER / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    smaller = image.convert("RGBa").resize((width, height), Image.Resampling.BILINEAR).convert("RGBA")
    canvas = Image.new("RGBA", (MASTER, MASTER))
    canvas.paste(smaller, ((MASTER - width) // 2, (MASTER - height) // 2))
    return canvas
