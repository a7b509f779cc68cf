"""From a name or a file to one recipe: laid over its base, validated once, each mistake named where it stands."""

from pathlib import Path

import pytest

from pinxit.errors import ConfigError
from pinxit.recipes.recipe import Recipe
from pinxit.recipes.table import RECIPES, load_recipe
from pinxit.recipes.tree import merge


def load(tmp_path: Path, text: str) -> Recipe:
    file = tmp_path / "a.yaml"
    file.write_text(text, encoding="utf-8")
    return load_recipe(str(file))


def complaint(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    return str(error.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "base: own\nstages: {own: {images: 12e3}}",
            "stages.own.images = '12e3': it should be a valid integer, unable to parse string as an integer",
        ),
        ("base: own\nstages: {own: 5}", "stages.own = 5: it should be a branch, with settings below it"),
        ("base: own\nstages: {own: {optimizer: {betas: [0.9]}}}", "stages.own.optimizer.betas: it has too few values"),
        (
            "base: own\nstages: {own: {optimizer: {betas: [0.9, x]}}}",
            "stages.own.optimizer.betas = 'x': it should be a valid number, unable to parse string as a number",
        ),
        ("base: own\nnetwork: {widht: 4}", "network.widht: there is no such setting; did you mean network.width?"),
        ("base: own\nnetwrk: {width: 4}", "netwrk.width: there is no such setting; did you mean network.width?"),
        ("base: own\ntext: {kind: t6}", "text.kind = 't6': it should be one of 'minilm', 't5'"),
        ("base: own\ntext: {kind: t5}", "text.folder: it is missing"),
        ("base: own\ntext: {length: 1}", "text.length = 1: it should be greater than 2"),
        ("base: own\nnull: learnt", "null = 'learnt': it should be 'empty', 'learned' or 'fixed'"),
        ("base: own\nnetwork: {width: 193}", "network: width 193 is not a multiple of heads 5; change either one"),
        (
            "base: own\nstages: {own: {teaches: class}}",
            "start names text-to-image weights, but the first stage teaches classes; drop either",
        ),
        ("base: own\n1: 2", "1: there is no such setting"),
    ],
)
def test_a_mistake_is_one_line_with_file_path_value_and_what_is_allowed(tmp_path: Path, text: str, line: str) -> None:
    assert complaint(tmp_path, text) == f"a.yaml: {line}"


def test_every_mistake_has_its_own_line(tmp_path: Path) -> None:
    lines = complaint(tmp_path, "text: {length: 3}").splitlines()
    missing = ["name", "network", "text.kind", "stages"]
    assert lines == [f"a.yaml: {path}: it is missing" for path in missing]


@pytest.mark.parametrize("text", ["a: [", "\t", "a: b: c"])
def test_what_is_not_yaml_is_one_line(tmp_path: Path, text: str) -> None:
    said = complaint(tmp_path, text)
    assert "it is not YAML" in said
    assert "\n" not in said


def test_a_file_that_is_no_text_is_not_yaml(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xe9\xff")
    with pytest.raises(ConfigError, match="it is not YAML"):
        load_recipe(str(tmp_path / "a.yaml"))


@pytest.mark.parametrize("base", ["nowhere", "[own]", "5"])
def test_a_base_that_is_not_in_the_table_is_refused(tmp_path: Path, base: str) -> None:
    assert complaint(tmp_path, f"base: {base}").startswith("a.yaml: base = ")


def test_the_setting_named_null_needs_no_quotes(tmp_path: Path) -> None:
    assert load(tmp_path, "base: own\nnull: learned") == RECIPES["own"]().model_copy(update={"null": "learned"})


def test_a_stage_may_be_called_by_a_number(tmp_path: Path) -> None:
    stage = "{teaches: text, data: {kind: records, folder: a}, images: 8, resolution: 64}"
    assert list(load(tmp_path, f"base: own\nstages: {{own: null, 2: {stage}}}").stages) == ["2"]


def test_a_branch_of_another_kind_replaces_the_old_one_whole() -> None:
    base = {"text": {"kind": "a", "length": 3}, "seed": 0}
    assert merge(base, {"text": {"kind": "b"}}) == {"text": {"kind": "b"}, "seed": 0}
    assert merge(base, {"text": {"kind": "a"}}) == base
    assert merge(base, {"text": {"length": 5}}) == {"text": {"kind": "a", "length": 5}, "seed": 0}


def test_a_branch_set_to_nothing_is_left_out_and_a_value_is_set_to_nothing() -> None:
    assert merge({"stages": {"a": {}, "b": {}}, "start": "x"}, {"stages": {"a": None}, "start": None}) == {
        "stages": {"b": {}},
        "start": None,
    }
