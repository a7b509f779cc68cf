"""What is missing or changed in a package is named with the command that puts it right."""

from pathlib import Path

import pytest

from pinxit.errors import CheckpointError, MissingExtra
from pinxit.models.identity import hash_files
from pinxit.models.package import check_sum, find_package, require


def test_an_absent_library_is_named_with_a_command_for_this_very_python() -> None:
    with pytest.raises(
        MissingExtra, match=r"reading needs nothing_such, .*; run: \S+ -m pip install 'nothing_such>=1'"
    ):
        require("nothing_such", "reading", "nothing_such>=1")
    require("numpy", "reading", "numpy")


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(MissingExtra, match=r"judging needs no-such-package, .*; run: pip install it"):
        find_package("no_such_package", "judging", "pip install it")


def test_a_module_without_a_folder_holds_no_files() -> None:
    with pytest.raises(MissingExtra):
        find_package("bisect", "judging", "pip install it")
    assert (find_package("numpy", "judging", "pip install it") / "__init__.py").is_file()


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"as published")
    known = hash_files([file])
    check_sum(file, known, "pip install it")
    file.write_bytes(b"something else")
    with pytest.raises(CheckpointError, match=f"weights: its sha256 is .*, not {known}; .*pip install it --force"):
        check_sum(file, known, "pip install it")
