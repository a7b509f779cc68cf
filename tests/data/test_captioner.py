"""A local captioner: a tiny LLaVA from a folder, in batches, in few bits, with what is missing said in words."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image

from pinxit.data.caption import Answer, Question
from pinxit.data.captioner import LocalCaptioner, identify_model
from pinxit.data.config import CaptionerMemory
from pinxit.data.journal import CaptionerIdentity
from pinxit.data.record import Pixels
from pinxit.errors import CheckpointError, DataError, MissingExtra
from tests.data.vision import IDENTITY, drawn, make_model

CPU = torch.device("cpu")
GREEDY = IDENTITY.model_copy(update={"temperature": 0.0})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("tiny"))


def questions(count: int) -> list[Question]:
    def read(place: int) -> Pixels:
        if place == 99:
            raise DataError("99.png", "it is damaged", "import it again")
        return drawn(place, 20 + place, 30)

    texts = ("Describe this image", "Describe this red fox on the hill", "a")
    return [Question(place, f"{place}.png", texts[place % 3], partial(read, place)) for place in range(count)]


def answers(
    folder: Path, asked: list[Question], batch: int, memory: CaptionerMemory = "full", how: CaptionerIdentity = IDENTITY
) -> list[Answer]:
    return list(LocalCaptioner(folder, how, CPU, batch, memory).answer(asked))


def test_a_caption_does_not_depend_on_its_batch(folder: Path) -> None:
    alone = answers(folder, questions(7), 1)
    assert [one.question.key for one in alone] == [f"{place}.png" for place in range(7)]
    assert [one.text for one in answers(folder, questions(7), 3)] == [one.text for one in alone]
    assert [one.text for one in answers(folder, questions(7)[4:], 32)] == [one.text for one in alone[4:]]
    assert len({one.text for one in alone}) > 3


def test_without_temperature_it_says_the_likeliest(folder: Path) -> None:
    from transformers import AutoModelForImageTextToText

    captioner = LocalCaptioner(folder, GREEDY, CPU, 2, "full")
    (question,) = questions(1)
    given = captioner._prepare([(question, Image.fromarray(question.read()))])
    model = AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    tokens = given["input_ids"]
    for _ in range(GREEDY.tokens):  # the obvious way, without what was computed before
        logits = model(**{**given, "input_ids": tokens, "attention_mask": torch.ones_like(tokens)}).logits
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], 1)
        if tokens[0, -1] == 2:
            break
    words = captioner.processor.batch_decode(tokens[:, given["input_ids"].shape[1] :], skip_special_tokens=True)
    (answer,) = captioner.answer([question])
    assert answer.text == " ".join(words[0].split())


def test_a_high_temperature_says_other_things(folder: Path) -> None:
    hot = IDENTITY.model_copy(update={"temperature": 1e6})
    assert {one.text for one in answers(folder, questions(6), 3, how=hot)}.isdisjoint(
        {one.text for one in answers(folder, questions(6), 3, how=GREEDY)}
    )


def test_it_says_where_it_was_stopped_and_where_it_said_nothing(folder: Path) -> None:
    hot = IDENTITY.model_copy(update={"temperature": 1e6, "tokens": 3})
    said = answers(folder, questions(60), 20, how=hot)
    assert {one.is_cut for one in said} == {False, True}
    assert all(len(one.text.split()) <= 3 for one in said)
    assert all(one.problem == "the model said nothing" for one in said if not one.text)


@pytest.mark.parametrize("memory", ["8bit", "4bit"])
def test_few_bits_take_less_and_say_much_the_same(folder: Path, memory: CaptionerMemory) -> None:
    pytest.importorskip("torchao")
    captioner = LocalCaptioner(folder, GREEDY, CPU, 4, memory)
    plain = LocalCaptioner(folder, GREEDY, CPU, 4, "full")
    asked = questions(4)
    given = plain._prepare([(one, Image.fromarray(one.read())) for one in asked])
    exact, packed = (model(**given).logits[:, -1] for model in (plain.model, captioner.model))
    assert torch.nn.functional.cosine_similarity(exact, packed).min() > {"8bit": 0.99, "4bit": 0.5}[memory]
    assert not torch.equal(exact, packed)
    assert len(list(captioner.answer(asked))) == 4


def test_a_damaged_picture_is_passed_over(folder: Path) -> None:
    asked = [questions(100)[99], *questions(2)]
    first, *others = answers(folder, asked, 2)
    assert first.problem.startswith("99.png: it is damaged")
    assert [one.question.place for one in others] == [0, 1]
    assert answers(folder, asked[:1], 2)[0].problem
    assert answers(folder, [], 2) == []


def test_the_identity_changes_with_the_weights(folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    assert identify_model(other) == identify_model(folder)
    data = bytearray((other / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (other / "model.safetensors").write_bytes(data)
    assert identify_model(other) != identify_model(folder)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (("config.json",), "no config.json there"),
        (("model.safetensors",), "no safetensors there"),
    ],
)
def test_a_folder_without_a_model_is_refused(folder: Path, tmp_path: Path, gone: tuple[str, ...], said: str) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    for name in gone:
        (other / name).unlink()
    with pytest.raises(CheckpointError, match=said):
        identify_model(other)


def test_a_folder_that_cannot_be_opened_is_one_line(folder: Path, tmp_path: Path) -> None:
    silent = shutil.copytree(folder, tmp_path / "silent")
    (silent / "chat_template.jinja").unlink()
    with pytest.raises(CheckpointError, match="no chat template; copy chat_template"):
        LocalCaptioner(silent, IDENTITY, CPU, 1, "full")
    bare = shutil.copytree(folder, tmp_path / "bare")
    for name in ("processor_config.json", "tokenizer.json", "tokenizer_config.json"):
        (bare / name).unlink()
    with pytest.raises(CheckpointError, match="its processor cannot be opened"):
        LocalCaptioner(bare, IDENTITY, CPU, 1, "full")
    strange = shutil.copytree(folder, tmp_path / "strange")
    (strange / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(CheckpointError, match="as an image-text-to-text model"):
        LocalCaptioner(strange, IDENTITY, CPU, 1, "full")


def test_a_model_without_all_its_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    other = shutil.copytree(folder, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    name = next(name for name in weights if "mlp" in name)
    save_file(
        {key: value for key, value in weights.items() if key != name}, other / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(CheckpointError, match=r"its weights lack .*mlp"):
        LocalCaptioner(other, IDENTITY, CPU, 1, "full")


def test_a_package_that_the_processor_needs_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ImportError("\nSomeVideoProcessor requires the Torchvision library but it was not found")

    monkeypatch.setattr("transformers.AutoProcessor.from_pretrained", refuse)
    with pytest.raises(MissingExtra, match="-m pip install torchvision"):
        LocalCaptioner(folder, IDENTITY, CPU, 1, "full")
