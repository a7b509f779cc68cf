"""The end of a run: no licence is lost on the way, and the commands that are printed work."""

import shlex
from pathlib import Path

import pytest

from pinxit.cli.generate import Arguments
from pinxit.cli.parse import parse
from pinxit.cli.train import read
from pinxit.data.emoji import STYLES, load_art
from pinxit.data.split import UNSEEN, design, held_out_family, place, split
from pinxit.diffusion.config import FlowConfig
from pinxit.errors import DataError
from pinxit.generate.card import Encoders, Licence, ModelCard
from pinxit.models.config import MiniLMConfig, SmallCodecConfig
from pinxit.models.identity import AutoencoderIdentity, TextIdentity
from pinxit.recipes.emoji import demo, smallest
from pinxit.recipes.finish import KNOWN, OWN, WORDS, known_prompt, licences, next_commands
from pinxit.recipes.recipe import EmojiDataConfig, RecordsDataConfig
from pinxit.recipes.table import dump_recipe

BEGUN = Licence(name="paintings", spdx="CC-BY-4.0", note="somebody")


def start() -> ModelCard:
    return ModelCard(
        name="first", network=smallest().network, process=FlowConfig(), null="empty", resolution=32,
        autoencoder=AutoencoderIdentity(kind="small", sha256="0", factor=8, channels=16, scaling=1, shift=0),
        text=TextIdentity(kind="minilm", sha256="0", width=384, length=64, cleaning="nfc"),
        encoders=Encoders(autoencoder=SmallCodecConfig(), text=MiniLMConfig()), licences=(BEGUN, WORDS),
    )  # fmt: skip


def test_licences_of_the_start_go_before_those_of_all_stages_each_once() -> None:
    base = demo()
    own = base.stages["alignment"].model_copy(update={"data": RecordsDataConfig(folder="data/own")})
    recipe = base.model_copy(update={"start": "shipped", "stages": {**base.stages, "own": own}})
    found = licences(recipe, start())
    assert [licence.name for licence in found] == ["paintings", WORDS.name, "Noto emoji art by Google Inc", OWN.name]
    assert found[2].spdx == "Apache-2.0"
    assert "user's own pictures" in found[3].name


def test_own_pictures_from_scratch_are_the_users_alone() -> None:
    base = demo()
    stage = base.stages["alignment"].model_copy(update={"data": RecordsDataConfig(folder="data/own")})
    assert licences(base.model_copy(update={"stages": {"own": stage}}), None) == (OWN,)


@pytest.mark.parametrize("folder", ["runs/own", "my runs/it's (1)"])
@pytest.mark.parametrize("prompt", ["an owl", 'it\'s "$HOME" `ls` \\ ü', "-v is a flag", "--help", "two\nlines", "- a"])
def test_the_commands_say_prompt_and_folder_whatever_is_in_them(prompt: str, folder: str) -> None:
    generate, cost, train = (shlex.split(command) for command in next_commands(smallest(), Path(folder), prompt))
    assert generate[:2] == ["pinxit", "generate"]
    arguments = parse(Arguments, "generate", generate[2:])
    assert [words.strip() for words in arguments.words] == [prompt]
    assert arguments.source == Path(folder)
    assert cost == ["pinxit", "cost", folder]
    assert train[:3] == ["pinxit", "train", f"{folder}/recipe.yaml"]


@pytest.mark.parametrize(("name", "folder"), [("own", "own"), ("my stage", "it's"), ("a.b", "two words")])
def test_the_command_for_a_longer_run_is_understood_whatever_the_stage_is_called(
    name: str, folder: str, tmp_path: Path
) -> None:
    base = smallest()
    recipe = base.model_copy(update={"stages": {**base.stages, name: base.stages["alignment"]}})
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "recipe.yaml").write_text(dump_recipe(recipe))
    *_, command = next_commands(recipe, tmp_path / folder, "an owl")
    longer = read("train", shlex.split(command)[2:])
    assert longer.out == tmp_path / f"{folder}-longer"
    images = {stage: longer.stages[stage].images / recipe.stages[stage].images for stage in recipe.stages}
    assert images == dict.fromkeys(base.stages, 1) | {name: 2}


def test_the_prompt_of_emoji_data_names_what_no_style_holds_out() -> None:
    assert held_out_family(design(KNOWN)) is None
    assert place(f"concept/{design(KNOWN)}") >= UNSEEN
    try:
        art = load_art(("Fxemoji",), 16)  # the style with the fewest concepts
    except DataError:
        pytest.skip("the emoji art is not there: pinxit data emoji")
    assert KNOWN in split(art).training.concepts


def test_prompts_of_different_styles_differ() -> None:
    prompts = {known_prompt(EmojiDataConfig(styles=(style,))) for style in STYLES}
    assert len(prompts) == len(STYLES)
    assert "a 3D rocket on a pink background" in prompts
