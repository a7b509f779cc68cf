"""The few pieces of HTML that a page is made of; every text that comes in is escaped here."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO
from pathlib import Path

from PIL import Image

Cell = str | tuple[str, str]  # what it says, and a smaller note under it

KINDS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}


def section(title: str, *parts: str) -> str:
    """A titled part of the page."""
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def note(text: str) -> str:
    """A quiet paragraph: a remark, or what is missing and why."""
    return f'<p class="note">{escape(text)}</p>'


def table(headings: Sequence[str], rows: Sequence[Sequence[Cell]], strong: Sequence[int] = ()) -> str:
    """A table that scrolls sideways where it must; its first column names the rows, those in `strong` stand out."""
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    body = "".join(
        f"<tr{' class=strong' if place in strong else ''}>"
        f'<th scope="row">{_cell(row[0])}</th>{"".join(f"<td>{_cell(cell)}</td>" for cell in row[1:])}</tr>'
        for place, row in enumerate(rows)
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def figure(content: str, title: str, text: str = "") -> str:
    """Markup with a caption: a title, and a text under it."""
    under = f"<span>{escape(text)}</span>" if text else ""
    strong = f"<strong>{escape(title)}</strong>" if title else ""
    return f"<figure>{content}<figcaption>{strong}{under}</figcaption></figure>"


def picture_file(file: Path, text: str) -> str:
    """A picture file as it is, within the page."""
    with Image.open(file) as opened:
        size = opened.size
    return _image(file.read_bytes(), KINDS[file.suffix.lower()], text, size)


def picture(content: Image.Image, text: str) -> str:
    """A picture in memory, within the page."""
    written = BytesIO()
    content.save(written, "PNG", optimize=True)
    return _image(written.getvalue(), "png", text, content.size)


def _image(data: bytes, kind: str, text: str, size: tuple[int, int]) -> str:
    inline = b64encode(data).decode("ascii")
    return f'<img src="data:image/{kind};base64,{inline}" width="{size[0]}" height="{size[1]}" alt="{escape(text)}">'


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return escape(cell)
    return f"{escape(cell[0])}<small>{escape(cell[1])}</small>"
