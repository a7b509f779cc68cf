"""Pictures side by side: laid into one sheet, cut out of one, and the grid of all stages."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from pinxit.errors import DataError

LABEL_SIZE = 15
MARGIN = 12
GAP = 4
PAPER, INK, FAINT = (252, 251, 248), (34, 32, 29), (122, 117, 108)


def lay(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    """Pictures of one size in rows of `columns`, without gaps; what `cut` takes apart."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (width * min(columns, len(pictures)), height * rows), PAPER)
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (place % columns * width, place // columns * height))
    return sheet


def cut(sheet: Image.Image, number: int, name: str) -> list[Image.Image]:
    """The first `number` squares of a sheet of `number`, whatever its columns; `name` is for the message."""
    width, height = sheet.size
    for columns in range(1, number + 1):
        rows = -(-number // columns)
        if width * rows == height * columns and width % columns == 0:
            side = width // columns
            corners = [(place % columns * side, place // columns * side) for place in range(number)]
            return [sheet.crop((left, top, left + side, top + side)) for left, top in corners]
    raise DataError(
        name,
        f"{width} x {height} pixels cannot be {number} equal squares without gaps",
        "write the sheet with `lay`, and as many seeds in index.json as it has pictures",
    )


def grid(
    rows: Sequence[tuple[str, str, Sequence[Image.Image]]], columns: int, heads: Sequence[str] = ()
) -> Image.Image:
    """One row of pictures under another, each with its label and note to the left; sizes are brought to the largest.

    `heads` says what each column is; it is written where it changes.
    """
    font, small = ImageFont.load_default(LABEL_SIZE), ImageFont.load_default(LABEL_SIZE - 3)
    side = max(picture.width for _, _, pictures in rows for picture in pictures)
    gutter = 2 * MARGIN + round(max(max(font.getlength(label), small.getlength(note)) for label, note, _ in rows))
    above = MARGIN + (LABEL_SIZE if heads else 0)
    width = gutter + columns * (side + GAP) - GAP + MARGIN
    canvas = Image.new("RGB", (width, above + len(rows) * (side + GAP) - GAP + MARGIN), PAPER)
    pen = ImageDraw.Draw(canvas)
    for column, (head, before) in enumerate(zip(heads[:columns], ("", *heads), strict=False)):
        if head != before:
            pen.text((gutter + column * (side + GAP), MARGIN), head, FAINT, small, "lt")
    for place, (label, note, pictures) in enumerate(rows):
        top = above + place * (side + GAP)
        middle = top + side // 2
        pen.text((MARGIN, middle), label, INK, font, "ls")
        pen.text((MARGIN, middle + LABEL_SIZE), note, FAINT, small, "ls")
        for column, picture in enumerate(pictures[:columns]):
            fitted = picture.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
            canvas.paste(fitted, (gutter + column * (side + GAP), top))
    return canvas
