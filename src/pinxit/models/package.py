"""Packages that are optional or wanted only for the files inside them: found, or named with what installs them."""

import sys
from importlib.util import find_spec
from pathlib import Path

from pinxit.errors import CheckpointError, MissingExtra
from pinxit.models.identity import hash_files


def require(package: str, purpose: str, requirement: str) -> None:
    """Raises MissingExtra where a package is not installed; `requirement` is what pip is to be given."""
    if find_spec(package) is None:
        raise MissingExtra(purpose, package, f"{sys.executable} -m pip install '{requirement}'")


def find_package(package: str, purpose: str, command: str) -> Path:
    """Where a package keeps its files; MissingExtra with `command` where it is not installed.

    It is not imported, since it may ask for libraries that are not needed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra(purpose, package.replace("_", "-"), command)
    return Path(spec.submodule_search_locations[0])


def check_sum(file: Path, sha256: str, command: str) -> None:
    """Raises CheckpointError where a packaged file is not the one that is known; `command` installs its package."""
    found = hash_files([file])
    if found != sha256:
        raise CheckpointError(
            file, f"its sha256 is {found}, not {sha256}", f"install it anew: {command} --force-reinstall"
        )
