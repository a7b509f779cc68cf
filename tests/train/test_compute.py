"""How a run computes: what auto stands for, and what bfloat16 leaves in float32."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from pinxit.errors import ConfigError
from pinxit.train.compute import choose_compute
from pinxit.train.config import ComputeConfig
from tests.train.toy import build


def test_a_processor_computes_in_float32_and_records_nothing() -> None:
    compute = choose_compute(ComputeConfig(device="cpu"))
    assert (compute.dtype, compute.recorded, compute.compiled) == (torch.float32, False, False)


def test_products_are_in_bfloat16_and_weights_and_gradients_stay_float32() -> None:
    run = build()
    exact = build()
    run.compute = choose_compute(ComputeConfig(device="cpu", precision="bfloat16"))
    seen: list[torch.dtype] = []
    first = next(run.state.model.children())
    assert isinstance(first, nn.Linear)
    first.register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    for each in (run, exact):
        (batch,) = each.loader.next_step(0)
        each.learn(batch)
    assert seen == [torch.bfloat16]
    for mine, other in zip(run.state.model.parameters(), exact.state.model.parameters(), strict=True):
        assert mine.dtype == torch.float32
        assert mine.grad is not None
        assert mine.grad.dtype == torch.float32
        assert_close(mine.grad, other.grad, rtol=0.05, atol=0.02)


def test_compiling_without_a_compiler_is_refused_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.train.compute.which", lambda _name: None)
    assert not choose_compute(ComputeConfig(device="cpu")).compiled
    with pytest.raises(ConfigError, match="no C compiler"):
        choose_compute(ComputeConfig(device="cpu", compile=True))


@pytest.mark.gpu
def test_a_gpu_with_bfloat16_computes_in_it() -> None:
    compute = choose_compute(ComputeConfig())
    assert compute.device.type == "cuda"
    assert compute.recorded
    assert compute.dtype == torch.bfloat16
