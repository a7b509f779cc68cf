"""The shipped autoencoder on emoji art it never saw: mean PSNR a style and size, beside a linear patch code.

Every concept that it never saw in a style, of each default style, on four backgrounds, filling 90 % of the side; one
JSON line, and the pictures in autoencoder.png.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from PIL import Image

from pinxit.data.emoji import DEFAULT_STYLES, Art, load_art
from pinxit.data.kind import Pixels
from pinxit.data.pixel import through
from pinxit.data.scene import Scene, single
from pinxit.data.split import split
from pinxit.ledger.meter import find_hardware
from pinxit.models.autoencoder import load_small
from pinxit.models.identity import SHIPPED
from pinxit.recipes.autoencoder import psnr

BACKGROUNDS = ("white", "light blue", "yellow", "dark grey")
PATCH, CHANNELS = 8, 16


def scenes(art: Art, style: str, side: int) -> list[Scene]:
    pieces = art.where(lambda piece: piece.style == style)
    return [single(piece, background, (side, side)) for piece in pieces for background in BACKGROUNDS]


def patches(pictures: list[Pixels]) -> np.ndarray:
    return rearrange(np.stack(pictures).astype(np.float64), "b (h p) (w q) c -> b h w (p q c)", p=PATCH, q=PATCH)


class Linear:
    """The best linear code of 8x8 patches with as many channels: principal components of the training art."""

    def __init__(self, pictures: list[Pixels]) -> None:
        rows = patches(pictures).reshape(-1, PATCH * PATCH * 3)
        self.mean = rows.mean(0)
        _, vectors = np.linalg.eigh(np.cov(rows.T))
        self.basis = vectors[:, -CHANNELS:]

    def __call__(self, pictures: list[Pixels]) -> list[Pixels]:
        rows = patches(pictures) - self.mean
        rebuilt = rows @ self.basis @ self.basis.T + self.mean
        folded = rearrange(rebuilt, "b h w (p q c) -> b (h p) (w q) c", p=PATCH, q=PATCH, c=3)
        return list(folded.round().clip(0, 255).astype(np.uint8))


def main(sheet: Path = Path("autoencoder.png")) -> None:
    parts = split(load_art())
    unseen = Art([*parts.unseen_concept, *parts.unseen_style])
    codec = load_small(SHIPPED)
    backgrounds = len(BACKGROUNDS)
    linear = Linear([single(p, BACKGROUNDS[i % backgrounds], (64, 64)).picture for i, p in enumerate(parts.training)])
    rows, shown = [], []
    for side in (64, 128):
        for style in DEFAULT_STYLES:
            all_scenes = scenes(unseen, style, side)
            pictures = [scene.picture for scene in all_scenes]
            rebuilt = through(codec, pictures)
            rows.append({
                "side": side, "style": style, "pictures": len(pictures),
                "psnr": mean(map(psnr, pictures, rebuilt)),
                "inside": mean(psnr(a, b, s.masks[0]) for a, b, s in zip(pictures, rebuilt, all_scenes, strict=True)),
                "linear": mean(map(psnr, pictures, linear(pictures))),
            })  # fmt: skip
            if side == 64:
                shown += [np.concatenate(pictures[:48:3], 1), np.concatenate(rebuilt[:48:3], 1)]
    Image.fromarray(np.concatenate(shown)).save(sheet)
    print(
        json.dumps(
            {"benchmark": "autoencoder", "torch": torch.__version__, "hardware": find_hardware().say(), "rows": rows}
        )
    )


def mean(values: Iterable[float]) -> float:
    return round(float(np.mean(list(values))), 2)


if __name__ == "__main__":
    main()
