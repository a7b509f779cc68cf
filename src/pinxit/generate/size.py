"""Which size a picture is drawn at: of the buckets of the network's resolution, the nearest to what is asked for."""

from pinxit.data.bucket import buckets, nearest
from pinxit.errors import ConfigError

TABLED = 256  # from this resolution on there is the printed table of buckets; smaller networks draw any size

Size = tuple[int, int]  # height and width in pixels


def parse_size(said: str) -> Size:
    """Height and width of a side, or of WIDTHxHEIGHT."""
    sides = said.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) for side in sides):
        raise ConfigError("--size", said, "it is neither a side nor WIDTHxHEIGHT", "say 64 or 96x64")
    return int(sides[-1]), int(sides[0])


def parse_aspect(said: str) -> Size:
    """Height and width of WIDTH:HEIGHT."""
    sides = said.split(":")
    if len(sides) != 2 or not all(side.isdecimal() and int(side) for side in sides):
        raise ConfigError("--aspect", said, "it is no WIDTH:HEIGHT", "say 3:2")
    return int(sides[1]), int(sides[0])


def bucket_size(shape: Size, resolution: int, multiple: int) -> Size:
    """The bucket of a resolution whose ratio is nearest; ConfigError for shapes longer than any."""
    bucket = nearest(shape, buckets(resolution, multiple))
    if bucket is None:
        height, width = shape
        raise ConfigError("size", f"{width}x{height}", "it is longer than 4:1, as no bucket is", "say a shorter one")
    return bucket.height, bucket.width
