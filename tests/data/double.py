"""Stand-ins for both encoders that count their calls, and records of plain pictures."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pinxit.data.config import Fingerprint
from pinxit.data.kind import Caption, Record
from pinxit.models.identity import AutoencoderIdentity, TextIdentity


class Codec:
    """Latents are the picture's means over 8x8 pixels; it fails before it takes more than `most` pictures."""

    identity = AutoencoderIdentity(kind="double", sha256="a" * 64, factor=8, channels=3, scaling=1.0, shift=0.0)
    device = "cpu"

    def __init__(self, most: int = 10**9) -> None:
        self.most, self.pictures = most, 0

    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        if self.pictures + len(pixels) > self.most:
            raise RuntimeError("the power went")
        self.pictures += len(pixels)
        mean = F.avg_pool2d(pixels, 8)
        return mean, torch.full_like(mean, 0.5)

    def decode(self, latent: Tensor) -> Tensor:
        return F.interpolate(latent, scale_factor=8.0)

    def decode_tiled(self, latent: Tensor, side: int) -> Tensor:
        return self.decode(latent)


class Words:
    """One token a word and one at the end; a state is the word's length. Cleaning drops all but letters."""

    identity = TextIdentity(kind="double", sha256="t" * 64, width=4, length=6, cleaning="letters")

    def __init__(self) -> None:
        self.texts: list[str] = []

    def clean(self, text: str) -> str:
        return " ".join(word for word in text.lower().split() if word.isalpha())

    def count(self, text: str) -> int:
        return len(self.clean(text).split()) + 1

    def cut(self, text: str) -> str:
        return " ".join(self.clean(text).split()[self.identity.length - 1 :])

    def encode(self, texts: Sequence[str]) -> list[Tensor]:
        self.texts += texts
        words = [self.clean(text).split()[: self.identity.length - 1] for text in texts]
        lengths = [[*map(len, each), 0] for each in words]
        return [torch.tensor(length, dtype=torch.float32)[:, None].expand(-1, 4) for length in lengths]


FINGERPRINT = Fingerprint(autoencoder=Codec.identity, text=Words.identity, resolution=64, buckets=True, multiple=16)


def record(
    index: int, size: tuple[int, int] = (64, 64), captions: Sequence[str] = (), label: int | None = None
) -> Record:
    """A picture of one colour; its key and its caption follow from its index."""
    picture = np.full((*size, 3), index % 256, np.uint8)
    texts = captions or (f"picture {'x' * (index + 1)}",)
    return Record(f"key {index}", picture, tuple(Caption(text) for text in texts), label)


def mixed(count: int) -> list[Record]:
    """Pictures of many ratios, every fifth of them too long."""
    return [record(i, (64, 400) if i % 5 == 4 else (64, 20 * (i % 5) + 40)) for i in range(count)]


def account(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "encode.json").read_text())
    return found


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
