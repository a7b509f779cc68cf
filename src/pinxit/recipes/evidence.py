"""The page of evidence: each study has a place of its own there, which is written anew and leaves the rest alone."""

from os.path import relpath
from pathlib import Path

from pinxit.errors import DataError


def redraw(page: Path, study: str, text: str) -> None:
    """What stands between the study's marks on the page is `text`; DataError for a page without them."""
    begin, end = f"<!-- {study} -->", f"<!-- end of {study} -->"
    old = page.read_text(encoding="utf-8") if page.is_file() else ""
    before, first, rest = old.partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last:
        raise DataError(page, f"has not the lines {begin} and {end}", "name docs/evidence.md of a clone")
    page.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")


def show(picture: Path, page: Path, said: str) -> str:
    """The line that shows a picture on the page, wherever it lies."""
    return f"![{said}]({relpath(picture, page.parent)})\n"
