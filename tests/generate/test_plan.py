"""The plan of memory: what is held is counted from files that are not loaded, and the peak is where most works."""

from pathlib import Path

import pytest
import torch
from torch import nn

from pinxit.generate.config import SourceConfig
from pinxit.generate.load import SHIPPED, load_pipeline
from pinxit.generate.opened import open_source
from pinxit.generate.plan import DECODING, PROGRAM, TENSORS, Need, count_numbers, count_parameters, peak, plan
from pinxit.models.config import TransformerConfig
from tests.generate.test_convert import encoders, to
from tests.interop.case import ALPHA, network, original, save_pth

__all__ = ["encoders"]  # a fixture


def test_the_full_network_is_counted_without_being_built() -> None:
    assert count_parameters(TransformerConfig()) == 610_856_096


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

    program, text, drawer, decoder = plan(opened, "full", (32, 64), 3)
    assert program.held == PROGRAM
    assert text == Need("text encoder", size(_t5(encoders)))
    assert drawer == Need("network", size(pipeline.network), TENSORS * 3 * 2 * 4 * 24 * 4)
    codec = pipeline.autoencoder.network  # type: ignore[attr-defined]
    assert decoder == Need("autoencoder", size(codec), DECODING["diffusers"] * 3 * 32 * 64)
    streamed = plan(opened, "offload", (32, 64), 3)[1]
    model = _t5(encoders)
    assert streamed == Need("text encoder, its blocks on disk", size(model.shared), 2 * size(model.encoder.block[0]))


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
