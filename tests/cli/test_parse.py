"""Words become arguments: every way of writing a setting, and a line for each that cannot be."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field
from tyro.conf import Positional

from pinxit.cli.parse import parse
from pinxit.config import Config
from pinxit.errors import ConfigError
from pinxit.models.config import MiniLMConfig, T5Config, TextConfig


class Branch(Config):
    """A branch."""

    rate: float = Field(0.5, gt=0)
    betas: tuple[float, float] = (0.9, 0.99)
    is_fast: bool = False


class Arguments(Config):
    """Everything that a setting can be."""

    words: Positional[tuple[str, ...]] = ()
    out: Path
    count: int = 1
    limit: int | None = 3
    kind: Literal["a", "b"] = "a"
    styles: tuple[str, ...] = ("x",)
    source: Path | None = Field(None, alias="from")
    branch: Branch = Branch()
    branches: dict[str, Branch] = Field({"step_1": Branch()})
    text: TextConfig = MiniLMConfig()


def read(*words: str) -> Arguments:
    return parse(Arguments, "pinxit verb", ["--out", "o", *words])


def complaint(*words: str) -> str:
    with pytest.raises(ConfigError) as error:
        read(*words)
    return str(error.value)


def test_what_is_not_said_has_its_default() -> None:
    assert read() == Arguments(out=Path("o"))


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--count", "12"], "count", 12),
        (["--count=12"], "count", 12),
        (["--count", "1", "--count", "2"], "count", 2),
        (["--count", "-12"], "count", -12),
        (["--limit", "none"], "limit", None),
        (["--kind", "b"], "kind", "b"),
        (["--from", "a b"], "source", Path("a b")),
        (["--styles", "x y", "z", "--count", "3"], "styles", ("x y", "z")),
        (["an owl", "--count", "3", "a fox"], "words", ("an owl", "a fox")),
        (["--", "--an owl"], "words", ("--an owl",)),
        (["--branch.is-fast"], "branch", Branch(is_fast=True)),
        (["--branch.is_fast"], "branch", Branch(is_fast=True)),
        (["--branch.no-is-fast"], "branch", Branch()),
        (["--branch.is-fast=true"], "branch", Branch(is_fast=True)),
        (["--branch.betas", "0.5", "0.6"], "branch", Branch(betas=(0.5, 0.6))),
        (["--branch.rate=1e-3"], "branch", Branch(rate=1e-3)),
        (["--branches.step-1.rate", "2"], "branches", {"step_1": Branch(rate=2)}),
        (["--text.length", "9"], "text", MiniLMConfig(length=9)),
        (["--text.kind", "t5", "--text.folder", "f"], "text", T5Config(folder="f")),
    ],
)
def test_a_setting_may_be_written_in_every_usual_way(words: list[str], name: str, value: object) -> None:
    assert getattr(read(*words), name) == value


def test_flags_win_over_the_default_they_are_laid_on() -> None:
    default = Arguments(out=Path("o"), count=7, branch=Branch(rate=3))
    changed = parse(Arguments, "pinxit verb", ["--branch.betas", "0", "1"], default)
    assert changed == default.model_copy(update={"branch": Branch(rate=3, betas=(0, 1))})


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["--count", "many"],
            "--count = 'many': it should be a valid integer, unable to parse string as an integer",
        ),
        (["--branch.rate", "0"], "--branch.rate = '0': it should be greater than 0"),
        (["--branches.step-1.rate", "0"], "--branches.step-1.rate = '0': it should be greater than 0"),
        (["--kind", "c"], "--kind = 'c': it should be 'a' or 'b'"),
        (["--text.length", "2"], "--text.length = '2': it should be greater than 2"),
        (["--text.kind", "t6"], "--text.kind = 't6': it should be one of 'minilm', 't5'"),
        (["--text.kind", "t5"], "--text.folder: it is missing"),
        (["--branch.betas", "1"], "--branch.betas: it has too few values"),
        (["--branch", "1"], "--branch = '1': it should be a branch, with settings below it"),
        (["--cuont", "1"], "--cuont: there is no such setting; did you mean --count?"),
        (["--rate", "1"], "--rate: there is no such setting; did you mean --branch.rate?"),
        (["--recipe.branch.rate", "1"], "--recipe.branch.rate: there is no such setting; did you mean --branch.rate?"),
        (["--nothing-like-it"], "--nothing-like-it: there is no such setting"),
        (["--count"], "--count: no value follows it; write one, after = if it begins with a dash"),
        (["--count", "--limit", "3"], "--count: no value follows it; write one, after = if it begins with a dash"),
    ],
)
def test_what_cannot_be_is_one_line_with_path_value_and_what_is_allowed(words: list[str], line: str) -> None:
    assert complaint(*words) == line


def test_every_complaint_has_its_own_line() -> None:
    lines = complaint("--kind", "c", "--branch.rate", "-1", "--branches.step-1.rate", "x").splitlines()
    assert [line.split(" = ")[0] for line in lines] == ["--kind", "--branch.rate", "--branches.step-1.rate"]


class One(Config):
    """One thing in its place."""

    path: Positional[Path]
    out: Path


def test_what_must_be_given_is_named_as_it_is_written() -> None:
    with pytest.raises(ConfigError, match=r"^PATH: it is missing\n--out: it is missing$"):
        parse(One, "pinxit verb", [])


def test_a_word_too_many_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^'b': nothing is expected here"):
        parse(One, "pinxit verb", ["a", "b", "--out", "o"])
