"""One picture's bytes -> RGB pixels, by stated rules; what they do not admit is refused with a reason.

Only the first frame is read. EXIF rotation is applied, an ICC profile is converted to sRGB (a damaged profile counts as
none), CMYK becomes RGB, transparency is laid on white, and 16-bit grey is scaled to 8. Size is judged by the header,
before anything is decoded.
"""

import warnings
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from pydantic import Field

from pinxit.config import Config
from pinxit.data.record import Pixels

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
SUFFIXES = frozenset({
    ".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp",
    ".heic", ".heif", ".jp2", ".jxl",  # pictures that cannot be read: refused by name, never passed over
})  # fmt: skip
PILLOW_LIMIT = 178_956_970  # Pillow opens nothing with more pixels


class Reason(StrEnum):
    """Why something was not used."""

    EMPTY = "empty file"
    NOT_A_PICTURE = "not a picture in a known format"
    BROKEN = "broken or cut off"
    UNKNOWN_RANGE = "samples whose range is not stated"
    TOO_LARGE = "too large"
    TOO_SMALL = "side too small"
    NO_CAPTION = "no caption"
    BAD_CAPTION = "caption is not Unicode text"
    MISSING = "named, but not there"
    OUTSIDE = "named, but outside the folder"
    BAD_ROW = "row cannot be read"
    BAD_FILE = "file cannot be read"


@dataclass(frozen=True)
class Refusal:
    """Why a picture is not used: the reason that is counted, and what was found."""

    reason: Reason
    detail: str


class PictureRules(Config):
    """Which pictures are admitted."""

    most_pixels: int = Field(100_000_000, gt=0, le=PILLOW_LIMIT, description="larger pictures are refused undecoded")
    least_side: int = Field(16, gt=0, description="pictures with a shorter side are refused")


def decode(data: bytes, rules: PictureRules, about: int | None = None) -> Pixels | Refusal:
    """The picture upright, in 8-bit sRGB, on white; or why it is refused. Never raises, whatever the bytes are.

    A JPEG may be decoded smaller, and faster, with sides still over `about`.
    """
    if not data:
        return Refusal(Reason.EMPTY, "0 bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on damaged files; what it cannot decode it raises
            with Image.open(BytesIO(data), formats=FORMATS) as image:
                if refusal := _refusal_of_size(image.size, rules):
                    return refusal
                if about is not None:
                    image.draft(None, (about, about))
                return _pixels(image)
    except UnidentifiedImageError:
        return Refusal(Reason.NOT_A_PICTURE, f"{len(data)} bytes, none of {', '.join(FORMATS)}")
    except Image.DecompressionBombError:
        return Refusal(Reason.TOO_LARGE, f"more than {PILLOW_LIMIT} pixels")
    except Exception as error:  # a damaged file makes the decoders raise whatever it likes
        return Refusal(Reason.BROKEN, f"{type(error).__name__}: {error}")


def encode_png(picture: Pixels) -> bytes:
    """The picture as a PNG, which loses nothing."""
    stored = BytesIO()
    Image.fromarray(picture).save(stored, "PNG")
    return stored.getvalue()


def _refusal_of_size(size: tuple[int, int], rules: PictureRules) -> Refusal | None:
    width, height = size
    if width * height > rules.most_pixels:
        return Refusal(Reason.TOO_LARGE, f"{width} x {height}, over {rules.most_pixels} pixels")
    if min(size) < rules.least_side:
        return Refusal(Reason.TOO_SMALL, f"{width} x {height}, under {rules.least_side} pixels")
    return None


def _pixels(image: Image.Image) -> Pixels | Refusal:
    """What the header promised, decoded."""
    image.load()
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = _scale_to_8_bits(image)
    if image.mode in {"I", "F"}:
        return Refusal(Reason.UNKNOWN_RANGE, f"32-bit samples, mode {image.mode}")
    image = _to_srgb(image, profile)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def _scale_to_8_bits(image: Image.Image) -> Image.Image:
    """0..65535 to 0..255, rounded: Pillow itself would clip."""
    wide = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((wide * 255 + 32767) // 65535).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture in sRGB, transparency kept; as it is, where its profile is missing, damaged or of another kind."""
    if not profile:
        return image
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode not in {"L", "RGB", "CMYK"}:
        image = image.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, source, _srgb(), outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
