"""Every command that help, docstrings and pages print is understood as it stands."""

import re
import shlex
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from pinxit.cli import distill_codi, improve_train, plan, reproduce, train
from pinxit.cli.data_import import next_command as after_import
from pinxit.cli.main import VERBS, find_verb
from pinxit.cli.parse import parse, settings
from pinxit.config import Config
from pinxit.generate.card import SHIPPED, read_card
from pinxit.recipes.codi import codi
from pinxit.recipes.pit import pit
from pinxit.recipes.table import RECIPES, dump_recipe
from tests.cli.conftest import Answer

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def docstring_commands() -> Iterator[str]:
    for module in dict.fromkeys(module for module, _ in VERBS.values()):
        found = import_module(f"pinxit.cli.{module}")
        kinds = [each for each in vars(found).values() if isinstance(each, type) and issubclass(each, Config)]
        for text in dict.fromkeys(each.__doc__ for each in (found, *kinds)):
            yield from re.findall(r"^(?:    Example: )?(pinxit .+)$", text, re.MULTILINE)


def page_commands() -> Iterator[str]:
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            yield from re.findall(r"^pinxit .+$", block, re.MULTILINE)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the recipe and the runs that the examples speak of."""
    monkeypatch.chdir(tmp_path)
    Path("runs/inpaint").mkdir(parents=True)
    task = codi("inpaint", read_card(SHIPPED), "shipped")
    Path("runs/inpaint/recipe.yaml").write_text(dump_recipe(task))
    recipe = "base: own\nstages: {own: {data: {folder: data/own}}}\n"
    Path("own.yaml").write_text(recipe)
    Path("runs/improver").mkdir()
    Path("runs/improver/recipe.yaml").write_text(dump_recipe(pit("preferences.jsonl")))
    Path("runs/own").mkdir(parents=True)
    Path("runs/own/model.safetensors").symlink_to(SHIPPED)
    Path("runs/own/recipe.yaml").write_text(dump_recipe(RECIPES["own"]()))


def understand(command: str) -> object:
    """The arguments that a command asks for; SystemExit for one that asks for help."""
    program, *words = shlex.split(command, comments=True)
    found = find_verb(words)
    assert program == "pinxit"
    assert found is not None
    verb, rest = found
    module = import_module(f"pinxit.cli.{VERBS[verb][0]}")
    if verb == "train":
        return train.read("pinxit train", rest)
    if verb == "plan":
        return plan.read("pinxit plan", rest)
    if verb == "distill codi":
        return distill_codi.read_all("pinxit distill codi", rest)
    if verb == "improve train":
        return improve_train.read_all("pinxit improve train", rest)
    if verb.startswith("reproduce"):
        return reproduce.read(f"pinxit {verb}", rest)
    return parse(module.Arguments, f"pinxit {verb}", rest)


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("command", [*docstring_commands(), *page_commands()])
def test_a_printed_command_is_understood(command: str) -> None:
    if "--help" in shlex.split(command):
        with pytest.raises(SystemExit, match="0"):
            understand(command)
    else:
        assert understand(command)


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_has_an_example(pinxit: Callable[..., Answer], verb: str) -> None:
    answer = pinxit(*verb.split(), "--help")
    assert answer.status == 0
    assert f"Example: pinxit {verb}" in answer.out


@pytest.mark.parametrize("recipe", ["demo", "pixart"])
def test_help_and_reader_know_the_same_flags_of_a_recipe(pinxit: Callable[..., Answer], recipe: str) -> None:
    known = {flag for one in settings(train.read("pinxit train", [recipe])) for flag in one.flags}
    lines = re.findall(r"^[│ ]+--[a-z].*$", pinxit("train", recipe, "--help").out, re.MULTILINE)
    shown = {flag for line in lines for flag in re.findall(r"(?<!\S)--[a-z][^\s,]*", line)}
    assert shown == known


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("folder", ["data/own", "my own pictures"])
def test_the_command_after_an_import_trains_on_what_was_imported(folder: str) -> None:
    arguments = understand(after_import(Path(folder)))
    stage = arguments.stages["own"]  # type: ignore[attr-defined]
    assert stage.data.folder == folder
    assert arguments.out == Path("runs") / Path(folder).name  # type: ignore[attr-defined]


@pytest.mark.usefixtures("workplace")
def test_the_command_after_the_autoencoder_uses_its_weights() -> None:
    from pinxit.cli.autoencoder import next_command

    arguments = understand(next_command(Path("a b/autoencoder.safetensors")))
    assert arguments.autoencoder.file == "a b/autoencoder.safetensors"  # type: ignore[attr-defined]
