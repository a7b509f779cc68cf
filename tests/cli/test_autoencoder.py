"""`pinxit autoencoder` trains what was asked for, and goes on where it was stopped."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pinxit.errors import Stopped
from pinxit.recipes.recipe import AutoencoderRecipe
from tests.cli.conftest import Answer

Run = Callable[..., Answer]


@pytest.fixture(autouse=True)
def _no_art(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.data.emoji.prepare", lambda styles: None)


def test_the_settings_reach_the_recipe(pinxit: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[AutoencoderRecipe, Path, Path]] = []
    monkeypatch.setattr("pinxit.recipes.autoencoder.train_autoencoder", lambda *all_of_it: asked.append(all_of_it))
    answer = pinxit("autoencoder", "--out", "runs/small", "--images", "640", "--styles", "Noto", "Noto v1")
    wanted = AutoencoderRecipe(images=640, styles=("Noto", "Noto v1"))
    assert asked == [(wanted, Path("runs/small"), Path("runs/small/autoencoder.safetensors"))]
    assert "--autoencoder.file runs/small/autoencoder.safetensors" in answer.out


def test_a_stop_prints_the_command_that_goes_on(pinxit: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise Stopped(15, 320)

    monkeypatch.setattr("pinxit.recipes.autoencoder.train_autoencoder", stop)
    answer = pinxit("autoencoder", "--out", "a b", "--images", "640")
    assert answer.status == 143
    assert answer.out == "go on with: pinxit autoencoder --out 'a b' --images 640\n"


def test_a_setting_that_cannot_work_is_one_line(pinxit: Run) -> None:
    said = pinxit("autoencoder", "--side", "60").err
    assert said == "pinxit autoencoder: --side = '60': it should be a multiple of 8\n"
