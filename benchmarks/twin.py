"""How often an audit knows a picture again that was changed a little, and takes different pictures for the same.

    python benchmarks/twin.py [SCENES] [CHANGED]

SCENES different scenes of the emoji art at 64 pixels, on plain backgrounds, half of them of one piece; the first
CHANGED of them once more after each change. One JSON line: `taken` of the scenes were taken for repetitions of earlier
ones; of each change the share that was known again.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pinxit.data.emoji import load_art
from pinxit.data.picture import encode_png
from pinxit.data.record import Caption, Pixels
from pinxit.data.records import RecordWriter, Row, read_records
from pinxit.data.scene import plain_scene, scene
from pinxit.data.split import split
from pinxit.data.twin import Signatures, first_alike, sign
from pinxit.recipes.recipe import DEFAULT_STYLES

SIDE = 64
OF_TWO = np.array([True, False])  # the original is looked for, not the changed one


def jpeg(quality: int, side: int = SIDE) -> Callable[[Image.Image], bytes]:
    """What stores a picture as JPEG, at a side in pixels."""

    def store(image: Image.Image) -> bytes:
        data = BytesIO()
        image.resize((side, side)).save(data, "JPEG", quality=quality)
        return data.getvalue()

    return store


def png(change: Callable[[Image.Image], Image.Image]) -> Callable[[Image.Image], bytes]:
    """What stores a changed picture as PNG."""
    return lambda image: encode_png(np.asarray(change(image)))


CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "jpeg, quality 50": jpeg(50),
    "jpeg, quality 20": jpeg(20),
    "half the size": jpeg(85, SIDE // 2),
    "2 % brighter": png(lambda image: image.point(lambda level: min(255, level + 5))),
    "6 % brighter": png(lambda image: image.point(lambda level: min(255, level + 15))),
    "2 pixels off each side": png(lambda image: image.crop((2, 2, SIDE - 2, SIDE - 2)).resize((SIDE, SIDE))),
    "mirrored": png(ImageOps.mirror),
}


def scenes(count: int) -> Iterator[Pixels]:
    """Different scenes."""
    art = split(load_art(DEFAULT_STYLES)).training
    for place in range(count):
        if place % 2:
            yield plain_scene(art, place, (SIDE, SIDE), 0.9).picture
        else:
            yield scene(art, 0, place, (SIDE, SIDE), (2, 2)).picture


def signed(pictures: list[bytes]) -> Signatures:
    """The signatures of pictures, by way of a RECORDS folder."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "records"
        with RecordWriter(folder, "scenes", None, None, force=True) as writer:
            for number, data in enumerate(pictures):
                writer.add(Row(str(number), data, (SIDE, SIDE), (Caption("a scene"),)))
            writer.finish()
        return sign(read_records(folder))


def each(signatures: Signatures) -> Iterator[Signatures]:
    """One after another."""
    for place in range(len(signatures.bits)):
        yield Signatures(*(part[place : place + 1] for part in vars(signatures).values()))


def main(count: int = 3000, changed: int = 500) -> None:
    pictures = list(scenes(count))
    plain = signed([encode_png(picture) for picture in pictures])
    (earlier,) = first_alike(plain, [np.ones(count, bool)])
    known = {}
    for name, store in CHANGES.items():
        again = signed([store(Image.fromarray(picture)) for picture in pictures[:changed]])
        pairs = (first_alike(one + other, [OF_TWO])[0] for one, other in zip(each(plain), each(again), strict=False))
        known[name] = round(float(np.mean([pair[1] == 0 for pair in pairs])), 3)
    print(json.dumps({"scenes": count, "taken": int((earlier < np.arange(count)).sum()), "changed": changed, **known}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
