"""`pinxit generate --memory`: a whole small pipeline with a T5 draws nearly the same pictures from few bits."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pinxit.generate.config import SourceConfig
from tests.cli.conftest import Answer
from tests.generate.test_convert import encoders, to
from tests.interop.case import ALPHA, network, original, save_pth

__all__ = ["encoders"]  # a fixture

Run = Callable[..., Answer]


@pytest.fixture
def model(encoders: SourceConfig, tmp_path: Path) -> Path:
    file = save_pth(original(network(ALPHA)), tmp_path / "a.pth")
    to(file, tmp_path / "b.safetensors", "pinxit", encoders)
    return tmp_path / "b.safetensors"


def drawn(pinxit: Run, model: Path, memory: str) -> list[np.ndarray]:
    out = model.parent / memory
    words = ["a red fox", "a green hen", "--from", str(model), "--steps", "5", "--count", "2"]
    answer = pinxit("generate", *words, "--memory", memory, "--out", str(out), "--device", "cpu")
    assert (answer.status, answer.out.splitlines()[-1]) == (0, f"4 pictures in {out}")
    assert "torchao" not in answer.out + answer.err
    pictures = []
    for file in sorted(out.iterdir()):
        with Image.open(file) as image:
            pictures.append(np.asarray(image).astype(int))
    return pictures


def test_pictures_are_nearly_those_of_all_memory(pinxit: Run, model: Path) -> None:
    pytest.importorskip("torchao")
    whole = drawn(pinxit, model, "full")
    for memory, most in (("offload", 1), ("8bit", 8), ("4bit", 48)):
        little = drawn(pinxit, model, memory)
        assert max(np.abs(one - other).max() for one, other in zip(whole, little, strict=True)) <= most


@pytest.mark.parametrize("memory", ["8bit", "4bit"])
def test_without_torchao_one_line_says_what_to_run(
    pinxit: Run, model: Path, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchao", None)
    answer = pinxit("generate", "a fox", "--from", str(model), "--memory", memory)
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert "needs torchao, which is not installed; run: " in answer.err
    assert pinxit("plan", "generate", "--from", str(model), "--memory", memory).status == 0


def test_the_plan_says_that_the_text_encoder_is_gone_before_the_network_comes(pinxit: Run, model: Path) -> None:
    said = {
        memory: pinxit("plan", "generate", "--from", str(model), "--memory", memory).out for memory in ("full", "8bit")
    }
    assert "is gone when the network comes" not in said["full"]
    assert "is gone when the network comes" in said["8bit"]
    assert "text encoder in 8 bits" in said["8bit"]
