"""`pinxit generate`: which pictures are asked for, under which names, and what is refused before any model is read."""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pinxit.generate.config import SamplingConfig, SourceConfig
from pinxit.models.device import choose_device
from tests.cli.conftest import Answer

Run = Callable[..., Answer]


class Pipeline:
    """Draws nothing, and remembers what it was asked for."""

    card = SimpleNamespace(sampling=SamplingConfig(solver="euler", steps=25), resolution=64)
    multiple = 16
    sha256 = "0" * 64
    text = SimpleNamespace(cut=lambda prompt: " ".join(prompt.split()[4:]))  # its encoder reads four words

    def draw(
        self, prompts: Sequence[str], seeds: Sequence[int], settings: SamplingConfig,
        size: tuple[int, int] | None, negative: str,
    ) -> Iterator[str]:  # fmt: skip
        self.asked, self.settings, self.size = list(zip(prompts, seeds, strict=True)), settings, size
        yield from prompts


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pipeline:
    found = Pipeline()

    def save(drawing: str, file: Path, *_: object, **__: object) -> None:
        file.parent.mkdir(exist_ok=True)
        file.write_text(drawing)

    def load(*given: object) -> Pipeline:
        found.given = given
        return found

    monkeypatch.setitem(sys.modules, "pinxit.generate.load", SimpleNamespace(load_pipeline=load))
    monkeypatch.setitem(sys.modules, "pinxit.generate.pipeline", SimpleNamespace(save_png=save))
    monkeypatch.chdir(tmp_path)
    return found


def test_each_prompt_is_drawn_so_often_with_seeds_that_count_on(pinxit: Run, pipeline: Pipeline) -> None:
    answer = pinxit("generate", "an owl", "a fox", "--count", "2", "--seed", "7", "--size", "96x64", "--steps", "3")
    assert answer.status == 0
    assert pipeline.asked == [("an owl", 7), ("an owl", 8), ("a fox", 9), ("a fox", 10)]
    assert pipeline.settings == SamplingConfig(solver="euler", steps=3)
    assert pipeline.size == (64, 96)
    assert [file.name for file in sorted(Path("drawn").iterdir())] == ["000.png", "001.png", "002.png", "003.png"]


@pytest.mark.parametrize(
    ("resolution", "words", "size"),
    [
        (64, ["--aspect", "2:1"], (48, 96)), (64, ["--size", "32x16"], (16, 32)),
        (1024, ["--aspect", "3:2"], (832, 1216)), (1024, ["--size", "1024x768"], (832, 1152)),
        (1024, ["--size", "1152x896"], (896, 1152)), (1024, ["--size", "1024x768", "--exact"], (768, 1024)),
        (2048, ["--aspect", "1:4"], (4096, 1024)), (512, ["--size", "512"], (512, 512)), (1024, [], None),
    ],
)  # fmt: skip
def test_sizes_are_those_of_the_models_buckets(
    pinxit: Run, pipeline: Pipeline, resolution: int, words: list[str], size: tuple[int, int] | None
) -> None:
    pipeline.card = SimpleNamespace(sampling=SamplingConfig(), resolution=resolution)
    answer = pinxit("generate", "an owl", *words)
    assert pipeline.size == size
    changed = size not in {None, (512, 512), (16, 32)} and "--exact" not in words and "1152x896" not in words
    assert ("the nearest bucket at" in answer.out) == changed


def test_no_bucket_is_so_long(pinxit: Run, pipeline: Pipeline) -> None:
    answer = pinxit("generate", "an owl", "--aspect", "5:1")
    assert answer.status == 2
    assert "longer than 4:1" in answer.err


def test_weights_and_their_encoders_are_those_named(pinxit: Run, pipeline: Pipeline) -> None:
    words = ["--from", "a.pth", "--autoencoder", "vae", "--text", "t5", "--memory", "offload"]
    assert pinxit("generate", "an owl", *words, "--precision", "bfloat16").status == 0
    assert pipeline.given == (
        Path("a.pth"),
        SourceConfig(autoencoder="vae", text="t5"),
        "offload",
        choose_device("auto"),
        "bfloat16",
    )
    assert pinxit("generate", "an owl", "--device", "cpu").status == 0
    assert pipeline.given == (None, SourceConfig(), "full", torch.device("cpu"), "auto")


def test_a_device_that_is_not_there_is_named_with_those_that_are(pinxit: Run, pipeline: Pipeline) -> None:
    answer = pinxit("generate", "an owl", "--device", "quantum")
    assert answer.status == 2
    assert "quantum" in answer.err
    assert "this machine has cpu" in answer.err


def test_prompts_of_a_file_follow_those_of_the_command(pinxit: Run, pipeline: Pipeline) -> None:
    Path("prompts.txt").write_text("a fox\n\n  a pear  \n")
    assert pinxit("generate", "an owl", "--prompts", "prompts.txt").status == 0
    assert [prompt for prompt, _ in pipeline.asked] == ["an owl", "a fox", "a pear"]


def test_words_that_the_encoder_does_not_read_are_told(pinxit: Run, pipeline: Pipeline) -> None:
    said = pinxit("generate", "an owl on a white background", "a fox").out
    assert said.startswith("too long, and cut before 'white background': an owl on a white background\n")
    assert said.count("cut before") == 1


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        ([], 2, "WORDS: there is nothing to draw; give a prompt"),
        (["owl", "--solver", "magic"], 2, "--solver = 'magic': it should be 'ddim', 'ancestral'"),
        (["owl", "--memory", "2bit"], 2, "--memory = '2bit': it should be 'full', 'offload', '8bit' or '4bit'"),
        (["owl", "--steps", "0"], 2, "--steps = '0': it should be greater than 0"),
        (["owl", "--size", "1x2x3"], 2, "--size = '1x2x3': it is neither a side nor WIDTHxHEIGHT"),
        (["owl", "--size", "²"], 2, "--size = '²': it is neither"),
        (["owl", "--size", "0x64"], 2, "--size = '0x64': it is neither"),
        (["owl", "--aspect", "3x2"], 2, "--aspect = '3x2': it is no WIDTH:HEIGHT"),
        (["owl", "--aspect", "3:2", "--size", "64"], 2, "--size and --aspect both say"),
        (["--prompts", "nowhere.txt"], 1, "nowhere.txt: No such file or directory"),
        (["--prompts", "latin.txt"], 1, "latin.txt: it is not UTF-8"),
        (["owl", "--out", "latin.txt"], 1, "latin.txt"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    pinxit: Run, pipeline: Pipeline, words: list[str], status: int, line: str
) -> None:
    Path("latin.txt").write_bytes(b"\xe9")
    answer = pinxit("generate", *words)
    assert (answer.status, answer.err.count("\n")) == (status, 1)
    assert answer.err.startswith(f"pinxit generate: {line}")


def test_a_source_that_is_no_model_is_one_line(pinxit: Run, tmp_path: Path) -> None:
    answer = pinxit("generate", "owl", "--from", str(tmp_path))
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert answer.err.startswith(f"pinxit generate: {tmp_path}: it holds neither model.safetensors nor a network")


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["--adapter", "a.safetensors"], 2, "--adapter and --condition go together"),
        (["--condition", "a.png"], 2, "--adapter and --condition go together"),
        (["--adapter", "a", "--condition", "a.png", "--aspect", "3:2"], 2, "--aspect and --negative have no use"),
        (["--adapter", "a", "--condition", "a.png", "--negative", "fog"], 2, "--aspect and --negative have no use"),
        (["--adapter", "a.safetensors", "--condition", "a.png"], 1, "there is no such file"),
    ],
)
def test_a_tool_that_cannot_draw_says_what_it_wants(pinxit: Run, words: list[str], status: int, told: str) -> None:
    answer = pinxit("generate", *words)
    assert answer.status == status
    assert told in answer.err
    assert len(answer.err.strip().splitlines()) == 1
