"""Who encoded: what a cache and a model file remember, so that nothing is joined that does not belong together."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from pinxit.config import Config


class AutoencoderIdentity(Config):
    """Which autoencoder made the latents: z = (encoded - shift) * scaling."""

    kind: str
    sha256: str
    factor: int
    channels: int
    scaling: float
    shift: float


class TextIdentity(Config):
    """Which text encoder made the caption features, after which cleaning, cut at which length."""

    kind: str
    sha256: str
    width: int
    length: int
    cleaning: str


def hash_files(files: Iterable[Path]) -> str:
    """One sha256 over the contents of files, in the order given."""
    digest = sha256()
    for file in files:
        with file.open("rb") as opened:
            while chunk := opened.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
