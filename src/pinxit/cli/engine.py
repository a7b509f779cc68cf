"""Where a long verb of data works: on this machine, or on all machines of a cluster."""

from typing import Literal

from pydantic import Field

from pinxit.config import Config


class Working(Config):
    """By whom the work is done."""

    engine: Literal["here", "ray"] = Field(
        "here", description="ray: on the Ray cluster of RAY_ADDRESS, or where there is none on this machine's cores"
    )
