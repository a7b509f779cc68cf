"""Drawing: sizes, seeds, files; guidance of 1 is the conditional path."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pinxit.diffusion.config import FlowConfig
from pinxit.errors import CheckpointError, ConfigError
from pinxit.generate.card import Encoders, ModelCard, model_file, read_card
from pinxit.generate.config import SamplingConfig
from pinxit.generate.pipeline import Drawing, Pipeline, save_png
from pinxit.generate.stored import read_model, write_model
from pinxit.models.autoencoder import SmallAutoencoder, SmallCodec
from pinxit.models.config import MiniLMConfig, SmallAutoencoderConfig, SmallCodecConfig, TransformerConfig
from pinxit.models.identity import TextIdentity
from pinxit.models.null import NullCondition
from pinxit.models.transformer import Transformer

TEXT = TextIdentity(kind="letters", sha256="0", width=8, length=16, cleaning="none")


class Letters:
    """A text encoder that needs no weights: each letter is a fixed random vector."""

    identity = TEXT

    def clean(self, text: str) -> str:
        return text

    def count(self, text: str) -> int:
        return len(text) + 1

    def cut(self, text: str) -> str:
        return text[15:]

    def encode(self, texts: list[str]) -> list[torch.Tensor]:
        table = torch.randn(256, 8, generator=torch.Generator().manual_seed(0))
        return [table[list(f"^{text}".encode()[:16])] for text in texts]


@pytest.fixture
def pipeline() -> Pipeline:
    torch.manual_seed(0)
    config = TransformerConfig(depth=1, width=16, heads=2, channels=4, outputs=1, caption_width=8, position_base=2)
    network = Transformer(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    sizes = SmallAutoencoderConfig(channels=4, fine=8, coarse=8, encoder_blocks=(0, 0), decoder_blocks=(0, 0))
    codec = SmallCodec(SmallAutoencoder(sizes), "codec")
    card = ModelCard(
        name="tiny", network=config, process=FlowConfig(), autoencoder=codec.identity, text=TEXT, null="empty",
        encoders=Encoders(autoencoder=SmallCodecConfig(), text=MiniLMConfig()), resolution=32,
    )  # fmt: skip
    text = Letters()
    return Pipeline(
        network.eval().requires_grad_(False), NullCondition("empty", text.encode([""])[0]), card, codec, text
    )


@pytest.mark.parametrize("solver", ["ddim", "dpm", "sa", "euler"])
def test_any_size_that_is_a_multiple_is_drawn_and_a_seed_repeats_itself(pipeline: Pipeline, solver: str) -> None:
    settings = SamplingConfig(solver=solver, steps=3, guidance=2.0)  # type: ignore[arg-type]
    first = list(pipeline.draw(["ab", "c"], [1, 2], settings, size=(16, 48)))
    assert [d.picture.shape for d in first] == [(16, 48, 3)] * 2
    again = next(pipeline.draw(["c"], [2], settings, size=(16, 48)))
    assert np.abs(again.picture.astype(int) - first[1].picture.astype(int)).max() <= 1
    assert not np.array_equal(next(pipeline.draw(["c"], [3], settings, size=(16, 48))).picture, again.picture)


def test_large_pictures_are_decoded_few_at_once(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SamplingConfig(solver="euler", steps=1, guidance=1.0)
    together = [d.picture for d in pipeline.draw(["a"] * 5, range(5), settings)]
    counts: list[int] = []
    decode = pipeline.autoencoder.decode
    monkeypatch.setattr(pipeline.autoencoder, "decode", lambda latent: counts.append(len(latent)) or decode(latent))
    monkeypatch.setattr("pinxit.generate.pipeline.PIXELS", 2 * 32 * 32)
    apart = [d.picture for d in pipeline.draw(["a"] * 5, range(5), settings)]
    assert counts == [2, 2, 1]
    for one, other in zip(together, apart, strict=True):
        assert np.abs(one.astype(int) - other.astype(int)).max() <= 1


def test_a_picture_past_the_limit_is_decoded_in_tiles_and_looks_the_same(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SamplingConfig(solver="euler", steps=1, guidance=1.0)
    sizes = [(448, 448), (464, 448)]  # at the limit, and past it
    whole = [next(pipeline.draw(["a"], [0], settings, size=size)).picture for size in sizes]
    shapes: list[torch.Size] = []
    decode = pipeline.autoencoder.decode
    monkeypatch.setattr(pipeline.autoencoder, "decode", lambda part: shapes.append(part.shape[2:]) or decode(part))
    monkeypatch.setattr("pinxit.generate.pipeline.PIXELS", 448 * 448)
    tiled = [next(pipeline.draw(["a"], [0], settings, size=size)).picture for size in sizes]
    assert shapes == [(56, 56)] * 3
    assert np.array_equal(tiled[0], whole[0])
    assert np.abs(tiled[1].astype(int) - whole[1].astype(int)).max() <= 1


def test_in_bfloat16_the_network_alone_is_coarser_and_pictures_stay_close(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SamplingConfig(solver="dpm", steps=4, guidance=2.0)
    exact, again = (next(pipeline.draw(["abc"], [5], settings)).picture for _ in range(2))
    pipeline.dtype = torch.bfloat16
    latents: list[torch.Tensor] = []
    decode = pipeline.autoencoder.decode
    monkeypatch.setattr(pipeline.autoencoder, "decode", lambda part: latents.append(part) or decode(part))
    coarse = next(pipeline.draw(["abc"], [5], settings)).picture
    assert np.array_equal(exact, again)
    assert latents[0].dtype == torch.float32
    difference = np.abs(coarse.astype(int) - exact.astype(int))
    assert difference.max() > 0
    assert difference.mean() < 2


def test_a_network_that_is_built_late_never_meets_the_encoder_and_draws_the_same(pipeline: Pipeline) -> None:
    settings = SamplingConfig(solver="euler", steps=2, guidance=2.0, batch=2)
    said: list[str] = []

    class Listened(Letters):
        def encode(self, texts: list[str]) -> list[torch.Tensor]:
            assert late._network is None
            said.extend(texts)
            return super().encode(texts)

    def build() -> Transformer:
        said.append("built")
        return pipeline.network

    late = Pipeline(build, pipeline.null, pipeline.card, pipeline.autoencoder, Listened())
    asked = (["ab", "c", "d"], range(3), settings, None, "n")
    for _ in range(2):
        for mine, other in zip(late.draw(*asked), pipeline.draw(*asked), strict=True):
            assert np.array_equal(mine.picture, other.picture)
    assert said == ["n", "ab", "c", "d", "built"] * 2


def test_a_size_that_does_not_fit_the_patches_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(ConfigError, match="multiples of 16"):
        next(pipeline.draw(["a"], [0], SamplingConfig(steps=1), size=(16, 40)))


def test_guidance_of_one_is_the_conditional_path_bit_for_bit(pipeline: Pipeline) -> None:
    settings = SamplingConfig(solver="euler", steps=4, guidance=1.0)
    plain = next(pipeline.draw(["abc"], [5], settings)).picture
    assert np.array_equal(plain, next(pipeline.draw(["abc"], [5], settings, negative="zzz")).picture)
    stronger = settings.model_copy(update={"guidance": 3.0})
    assert not np.array_equal(plain, next(pipeline.draw(["abc"], [5], stronger)).picture)


def test_a_negative_prompt_takes_the_null_conditions_place(pipeline: Pipeline) -> None:
    settings = SamplingConfig(solver="euler", steps=4, guidance=3.0)
    plain, negated = (next(pipeline.draw(["abc"], [5], settings, negative=n)).picture for n in ("", "zzz"))
    assert not np.array_equal(plain, negated)


def test_a_model_file_comes_back_whole_and_foreign_files_are_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    write_model(file, pipeline.network, pipeline.null, pipeline.card)
    network, null, card, sha = read_model(file)
    assert card == pipeline.card == read_card(file)
    assert len(sha) == 64
    assert torch.equal(null.states, pipeline.null.states)
    for name, tensor in pipeline.network.state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor)
    assert model_file(tmp_path) == file
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors here")
    with pytest.raises(CheckpointError, match="no whole safetensors"):
        read_card(tmp_path / "bad.safetensors")
    with pytest.raises(CheckpointError, match="no model file"):
        model_file(tmp_path / "nowhere")


def test_a_png_carries_prompt_seed_settings_and_hash(pipeline: Pipeline, tmp_path: Path) -> None:
    drawing = Drawing(np.zeros((32, 48, 3), np.uint8), "an owl, ünïcode", 7)
    settings = SamplingConfig(steps=9, guidance=2.5)
    save_png(drawing, tmp_path / "a.png", settings, "blur", card=pipeline.card, sha="0123456789abcdef")
    with Image.open(tmp_path / "a.png") as image:
        said = image.info["parameters"]
    assert said.splitlines()[:2] == ["an owl, ünïcode", "Negative prompt: blur"]
    for part in ("Steps: 9", "CFG scale: 2.5", "Seed: 7", "Size: 48x32", "Model hash: 0123456789"):
        assert part in said
