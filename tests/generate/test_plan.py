"""The plan of memory: what is held is counted from files that are not loaded, and the peak is where most works."""

import json
import os
from pathlib import Path

import pytest
import torch
from torch import nn

from pinxit.diffusion.config import IDDPMConfig
from pinxit.generate.card import SHIPPED, Encoders, ModelCard
from pinxit.generate.config import SourceConfig
from pinxit.generate.load import load_pipeline
from pinxit.generate.opened import Opened, open_source
from pinxit.generate.plan import DECODING, PROGRAM, TENSORS, Need, count_numbers, count_parameters, peak, plan
from pinxit.interop.weights import Weights
from pinxit.models import t5
from pinxit.models.config import DiffusersAutoencoderConfig, Memory, T5Config, TransformerConfig
from pinxit.models.identity import AutoencoderIdentity, TextIdentity
from pinxit.models.transformer import Transformer
from tests.generate.test_convert import encoders, to
from tests.interop.case import ALPHA, network, original, save_pth
from tests.models.test_bits import kept

__all__ = ["encoders"]  # a fixture


def test_the_full_network_is_counted_without_being_built() -> None:
    with torch.device("meta"):
        assert count_parameters(Transformer(TransformerConfig())) == 610_856_096


def test_numbers_are_counted_by_headers_or_size(tmp_path: Path) -> None:
    assert count_numbers([SHIPPED]) == sum(p.numel() for p in load_pipeline().network.parameters()) + 2 * 384
    torch.save({"a": torch.zeros(10_000)}, tmp_path / "a.bin")
    assert count_numbers([tmp_path / "a.bin"]) == pytest.approx(10_000, rel=0.05)


def test_a_pipelines_parts_are_what_they_hold(encoders: SourceConfig, tmp_path: Path) -> None:
    file = save_pth(original(network(ALPHA)), tmp_path / "a.pth")
    to(file, tmp_path / "b.safetensors", "pinxit", encoders)
    opened = open_source(tmp_path / "b.safetensors", SourceConfig())
    pipeline = load_pipeline(tmp_path / "b.safetensors")

    def size(part: object) -> int:
        assert isinstance(part, nn.Module)
        return 4 * sum(parameter.numel() for parameter in part.parameters())

    program, text, drawer, decoder, decoding = plan(opened, "full", (32, 64), 3)
    assert program.held == PROGRAM
    assert text == Need("text encoder", size(_t5(encoders)))
    assert drawer == Need("network", size(pipeline.network), TENSORS * 3 * 2 * 4 * 24 * 4)
    codec = pipeline.autoencoder.network  # type: ignore[attr-defined]
    assert decoder == Need("autoencoder", size(codec))
    assert decoding == Need("its decoder at work", 0, DECODING["diffusers"] * 3 * 32 * 64, "picture")
    streamed = plan(opened, "offload", (32, 64), 3)[1]
    model = _t5(encoders)
    held, working = size(model.shared), 2 * size(model.encoder.block[0])
    assert streamed == Need("text encoder, its blocks on disk", held, working, "words")


@pytest.mark.parametrize("memory", ["8bit", "4bit"])
def test_parts_in_few_bits_are_planned_as_they_are_kept(
    encoders: SourceConfig, tmp_path: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torchao")
    file = save_pth(original(network(ALPHA)), tmp_path / "a.pth")
    made: list[nn.Module] = []
    build = t5._make
    monkeypatch.setattr(t5, "_make", lambda *where: made.append(build(*where)) or made[0])
    pipeline = load_pipeline(file, encoders, memory)
    _, text, drawer, *_ = plan(open_source(file, encoders), memory, (32, 64), 1)
    for need, part in ((text, made[0]), (drawer, pipeline.network)):
        weights = list(part.parameters())
        assert need.held == pytest.approx(sum(map(kept, weights)), abs=128 * len(weights))  # NF4's tables
    assert (text.turn, drawer.turn) == ("words", "picture")


def test_at_full_size_and_1024_pixels_8_bits_stay_below_8_gb(tmp_path: Path) -> None:
    from diffusers import AutoencoderKL
    from transformers import T5Config as HFConfig

    kinds = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    with torch.device("meta"):
        codec = AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, **kinds)
    write_header(codec, tmp_path / "model.safetensors")
    sizes = {"vocab_size": 32128, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64}
    HFConfig(feed_forward_proj="gated-gelu", **sizes).save_pretrained(tmp_path)
    text, network = T5Config(folder=str(tmp_path)), TransformerConfig(position_base=64, conditions=True)
    card = ModelCard(
        name="full", network=network, process=IDDPMConfig(), null="fixed", resolution=1024,
        autoencoder=AutoencoderIdentity(kind="diffusers", sha256="", factor=8, channels=4, scaling=1, shift=0),
        text=TextIdentity(kind="t5", sha256="", width=4096, length=120, cleaning="deepfloyd"),
        encoders=Encoders(autoencoder=DiffusersAutoencoderConfig(folder=str(tmp_path)), text=text),
    )  # fmt: skip
    opened = Opened(Weights(network, {}, None, ""), card.process, card=card)
    memories: tuple[Memory, ...] = ("full", "offload", "8bit", "4bit")
    found = [peak(plan(opened, memory, (1024, 1024), 1)) / 1e9 for memory in memories]
    assert found == pytest.approx([28.5, 9.44, 7.66, 7.66], abs=0.05)
    assert found[2] < 8


def write_header(module: nn.Module, file: Path) -> None:
    """A safetensors file with the shapes of a module, and a hole where its numbers would be."""
    told, end = {}, 0
    for name, weight in module.state_dict().items():
        begin, end = end, end + 4 * weight.numel()
        told[name] = {"dtype": "F32", "shape": list(weight.shape), "data_offsets": [begin, end]}
    header = json.dumps(told).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(file, 8 + len(header) + end)


def _t5(encoders: SourceConfig) -> nn.Module:
    from transformers import T5EncoderModel

    made: nn.Module = T5EncoderModel.from_pretrained(encoders.text, local_files_only=True)
    return made


def test_large_pictures_are_decoded_one_at_a_time() -> None:
    opened = open_source(SHIPPED, SourceConfig())
    one, many = (plan(opened, "full", (1024, 1024), count)[-1] for count in (1, 9))
    assert one.working == many.working == DECODING["small"] * 2**20


def test_pictures_past_the_limit_need_no_more_to_be_decoded_than_those_at_it() -> None:
    opened = open_source(SHIPPED, SourceConfig())
    at, past = (plan(opened, "full", (side, side), 1)[-1] for side in (1024, 2048))
    assert past == at


def test_the_peak_is_all_that_is_held_and_the_most_that_works() -> None:
    assert peak([Need("a", 10, 3), Need("b", 20, 7), Need("c", 1)]) == 38


def test_what_takes_turns_is_not_added_up() -> None:
    drawing = [Need("network", 8, 2, "picture"), Need("decoder at work", 0, 4, "picture")]
    assert peak([Need("a", 10, 3), Need("text", 9, 5, "words"), *drawing]) == 24
    assert peak([Need("a", 10, 3), Need("text", 2, 5, "words"), *drawing]) == 22
