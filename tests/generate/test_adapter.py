"""Adapter files: written, read, joined to the backbone that they belong with and to no other; and what they draw."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.testing import assert_close

from pinxit.data.config import InpaintConfig, TaskConfig, UpscaleConfig
from pinxit.data.kind import Condition
from pinxit.diffusion.config import FlowConfig
from pinxit.errors import CheckpointError, ConfigError, DataError
from pinxit.generate.adapter import (
    ADAPTER,
    AdapterCard,
    find_adapter,
    fingerprint,
    join_adapter,
    read_adapter_card,
    write_adapter,
)
from pinxit.generate.card import Encoders, ModelCard
from pinxit.generate.config import SamplingConfig
from pinxit.generate.pipeline import Pipeline
from pinxit.generate.stored import build_network
from pinxit.models.adapter.control import Controlled
from pinxit.models.autoencoder import SmallAutoencoder, SmallCodec
from pinxit.models.config import (
    ControlConfig,
    MiniLMConfig,
    SmallAutoencoderConfig,
    SmallCodecConfig,
    TransformerConfig,
)  # fmt: skip
from pinxit.models.null import NullCondition, hold_null, null_of
from pinxit.models.transformer import Transformer
from tests.generate.test_pipeline import TEXT, Letters

NETWORK = TransformerConfig(depth=3, width=16, heads=2, channels=4, outputs=1, caption_width=8, position_base=2)
GREY = np.full((32, 48, 3), 100, np.uint8)


def transformer(seed: int = 0) -> Transformer:
    torch.manual_seed(seed)
    network = Transformer(NETWORK)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network.eval().requires_grad_(False)


@pytest.fixture
def pipeline() -> Pipeline:
    network, text = transformer(), Letters()
    sizes = SmallAutoencoderConfig(channels=4, fine=8, coarse=8, encoder_blocks=(0, 0), decoder_blocks=(0, 0))
    codec = SmallCodec(SmallAutoencoder(sizes), "codec")
    card = ModelCard(
        name="tiny", network=NETWORK, process=FlowConfig(), autoencoder=codec.identity, text=TEXT, null="empty",
        encoders=Encoders(autoencoder=SmallCodecConfig(), text=MiniLMConfig()), resolution=32,
    )  # fmt: skip
    return Pipeline(network, NullCondition("empty", text.encode([""])[0]), card, codec, text)  # type: ignore[arg-type]


def adapter(
    pipeline: Pipeline, file: Path, task: TaskConfig, control: ControlConfig, *, alive: bool = True, whole: bool = False
) -> Controlled:
    """A file with a branch, or all of a network, that speaks if it is alive."""
    base = transformer(7) if whole else pipeline.network
    network = Controlled(base, control)
    if alive:
        torch.manual_seed(5)
        for parameter in network.control.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    card = AdapterCard(
        name=task.kind, task=task, control=control, whole=whole, backbone=fingerprint(pipeline.network),
        process=FlowConfig(), autoencoder=pipeline.autoencoder.identity, text=TEXT,
        sampling=SamplingConfig(solver="codi", steps=2, guidance=1.0, anchors=8), resolution=32,
    )  # fmt: skip
    write_adapter(file, network, card, torch.float32)
    return network


UPSCALE, INPAINT = (UpscaleConfig(), ControlConfig(blocks=2)), (InpaintConfig(), ControlConfig(blocks=1, maps=64))


@pytest.mark.parametrize("whole", [False, True])
def test_a_branch_is_what_was_written_and_the_backbone_is_shared(
    pipeline: Pipeline, tmp_path: Path, whole: bool
) -> None:
    written = adapter(pipeline, tmp_path / "a.safetensors", *UPSCALE, whole=whole)
    network, card = join_adapter(pipeline.network, tmp_path / "a.safetensors")
    assert card == read_adapter_card(tmp_path / "a.safetensors")
    for name, tensor in written.state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor)
    assert (network.base is pipeline.network) == (not whole)


def test_a_new_branch_draws_what_the_backbone_draws_on_the_grid(pipeline: Pipeline, tmp_path: Path) -> None:
    adapter(pipeline, tmp_path / "a.safetensors", *UPSCALE, alive=False)
    tool = pipeline.use(tmp_path / "a.safetensors")
    settings = SamplingConfig(solver="codi", steps=4, anchors=8, guidance=1.0)
    (own,) = pipeline.draw(["abc"], [3], settings, size=(32, 48))
    (made,) = tool.draw([Condition(GREY)], ["abc"], [3], settings)
    assert np.array_equal(own.picture, made.picture)


def test_tools_of_one_pipeline_are_swapped_and_read_their_conditions(pipeline: Pipeline, tmp_path: Path) -> None:
    adapter(pipeline, tmp_path / "up.safetensors", *UPSCALE)
    adapter(pipeline, tmp_path / "in.safetensors", *INPAINT)
    before = {name: tensor.clone() for name, tensor in pipeline.network.state_dict().items()}
    up, paint = (pipeline.use(tmp_path / f"{name}.safetensors") for name in ("up", "in"))
    first = up(Condition(GREY), seed=1)
    assert isinstance(first, Image.Image)
    assert first.size == (48, 32)
    assert np.array_equal(np.asarray(first), np.asarray(up(Condition(GREY), seed=1)))
    assert not np.array_equal(np.asarray(first), np.asarray(up(Condition(GREY + 90), seed=1)))
    assert not np.array_equal(np.asarray(first), np.asarray(up(Condition(GREY), seed=1, steps=4)))
    mask = np.zeros((32, 48), np.uint8)
    mask[8:24, 8:24] = 255
    painted = np.asarray(paint(Condition(GREY, mask), seed=1))
    far = np.ones(mask.shape, bool)
    far[4:28, 4:28] = False
    assert (painted[far] == 100).all()  # what is known stays
    assert (painted[12:20, 12:20] != 100).any()
    assert all(torch.equal(before[name], tensor) for name, tensor in pipeline.network.state_dict().items())


def test_a_tool_takes_files_too(pipeline: Pipeline, tmp_path: Path) -> None:
    adapter(pipeline, tmp_path / "up.safetensors", *UPSCALE)
    adapter(pipeline, tmp_path / "in.safetensors", *INPAINT)
    Image.fromarray(GREY[:8, :12]).save(tmp_path / "small.png")
    assert pipeline.use(str(tmp_path / "up.safetensors"))(str(tmp_path / "small.png")).size == (48, 32)
    Image.fromarray(GREY).save(tmp_path / "whole.png")
    Image.fromarray(np.pad(np.full((8, 8), 255, np.uint8), ((8, 16), (8, 32)))).save(tmp_path / "mask.png")
    paint = pipeline.use(tmp_path / "in.safetensors")
    painted = np.asarray(paint(tmp_path / "whole.png", mask=tmp_path / "mask.png"))
    assert (painted[:, 24:] == 100).all()
    with pytest.raises(DataError, match="a mask has no use in upscale"):
        pipeline.use(tmp_path / "up.safetensors")(tmp_path / "small.png", mask=tmp_path / "mask.png")


def test_several_are_drawn_as_each_alone_with_prompts_or_without(pipeline: Pipeline, tmp_path: Path) -> None:
    adapter(pipeline, tmp_path / "a.safetensors", *UPSCALE)
    tool = pipeline.use(tmp_path / "a.safetensors")
    settings = tool.card.sampling.model_copy(update={"batch": 2})
    conditions, prompts = [Condition(GREY), Condition(GREY // 2), Condition(GREY)], ["", "ab", "c"]
    together = [drawing.picture for drawing in tool.draw(conditions, prompts, [1, 2, 3], settings)]
    for place, picture in enumerate(together):
        part = slice(place, place + 1)
        (alone,) = tool.draw(conditions[part], prompts[part], [place + 1], settings)
        assert np.abs(alone.picture.astype(int) - picture.astype(int)).max() <= 1
    with pytest.raises(ConfigError, match="pictures drawn together have one size"):
        list(tool.draw([Condition(GREY), Condition(GREY[:16])], ["", ""], [0, 1], settings))
    with pytest.raises(ConfigError, match="both sides must be multiples of 16"):
        tool(Condition(GREY[:20]))


def test_another_backbone_is_refused_with_both_fingerprints(pipeline: Pipeline, tmp_path: Path) -> None:
    adapter(pipeline, tmp_path / "a.safetensors", *UPSCALE)
    other = transformer(1)
    told = f"backbone {fingerprint(pipeline.network)[:12]}, and this one is {fingerprint(other)[:12]}"
    with pytest.raises(CheckpointError, match=told):
        join_adapter(other, tmp_path / "a.safetensors")


def test_a_fingerprint_is_the_same_in_half_precision_and_at_another_size(pipeline: Pipeline) -> None:
    network = pipeline.network
    halved = Transformer(NETWORK.model_copy(update={"position_base": 4}))
    halved.load_state_dict({name: tensor.half().float() for name, tensor in network.state_dict().items()})
    assert fingerprint(halved) == fingerprint(network)
    hold_null(halved, NullCondition("learned", torch.ones(3, 8)))  # a model file keeps it beside the network
    assert fingerprint(halved) == fingerprint(network)
    with torch.no_grad():
        halved.blocks[0].mlp.first.bias[0] += 0.01
    assert fingerprint(halved) != fingerprint(network)


def test_weights_of_few_bits_have_no_fingerprint(pipeline: Pipeline) -> None:
    pytest.importorskip("torchao")
    few = build_network(NETWORK, pipeline.network.state_dict(), bits=8)
    with pytest.raises(ConfigError, match=r"8bit or 4bit.*say full or offload"):
        fingerprint(few)


def test_what_is_no_adapter_or_not_whole_is_refused_by_name(pipeline: Pipeline, tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    with pytest.raises(CheckpointError, match="there is no such file"):
        join_adapter(pipeline.network, file)
    adapter(pipeline, file, *UPSCALE)
    whole = file.read_bytes()
    for cut in (100, len(whole) // 2):
        file.write_bytes(whole[:cut])
        with pytest.raises(CheckpointError, match="no whole safetensors file"):
            join_adapter(pipeline.network, file)
    save_file({"a": torch.zeros(1)}, file)
    with pytest.raises(CheckpointError, match=r"its header has no 'pinxit\.adapter'"):
        join_adapter(pipeline.network, file)


def test_an_adapter_is_found_by_its_file_its_run_or_the_name_of_one_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, shipped = tmp_path / "run", tmp_path / "tools"
    for folder, name in ((run, ADAPTER), (shipped, "edges.safetensors")):
        folder.mkdir()
        (folder / name).touch()
    monkeypatch.setattr("pinxit.generate.adapter.SHIPPED_TOOLS", shipped)
    monkeypatch.chdir(tmp_path)
    assert find_adapter(run) == find_adapter(run / ADAPTER) == run / ADAPTER
    assert find_adapter("edges") == shipped / "edges.safetensors"
    with pytest.raises(CheckpointError, match=r"depth: there is no such file; .* or one that ships: edges"):
        find_adapter("depth")
    (tmp_path / "edges").mkdir()  # what lies here comes first
    with pytest.raises(CheckpointError, match=f"holds no {ADAPTER}"):
        find_adapter(tmp_path / "edges")


def test_a_null_condition_that_was_trained_with_all_weights_comes_with_them(pipeline: Pipeline, tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    adapter(pipeline, file, *UPSCALE, whole=True)
    network = Controlled(transformer(7), ControlConfig(blocks=2))
    hold_null(network.base, NullCondition("learned", torch.full((3, 8), 0.5)))
    write_adapter(file, network, read_adapter_card(file).model_copy(update={"null": "learned"}), torch.float32)
    found = null_of(pipeline.use(file).network.base, pipeline.null)
    assert found.kind == "learned"
    assert torch.equal(found.states, torch.full((3, 8), 0.5))


def test_an_adapter_of_other_encoders_is_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    network = adapter(pipeline, file, *UPSCALE)
    other = TEXT.model_copy(update={"sha256": "another"})
    write_adapter(file, network, read_adapter_card(file).model_copy(update={"text": other}))
    with pytest.raises(CheckpointError, match="trained with the text encoder"):
        pipeline.use(file)


def test_weights_that_are_not_the_cards_are_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    network = adapter(pipeline, file, *UPSCALE)
    card = read_adapter_card(file)
    write_adapter(file, network, card.model_copy(update={"control": ControlConfig(blocks=1)}))
    with pytest.raises(CheckpointError, match="its weights are not those that its card tells of"):
        join_adapter(pipeline.network, file)


def test_half_precision_on_disk_is_close(pipeline: Pipeline, tmp_path: Path) -> None:
    network = adapter(pipeline, tmp_path / "a.safetensors", *UPSCALE)
    write_adapter(tmp_path / "h.safetensors", network, read_adapter_card(tmp_path / "a.safetensors"))
    found, _ = join_adapter(pipeline.network, tmp_path / "h.safetensors")
    for name, tensor in network.control.state_dict().items():
        assert_close(found.control.state_dict()[name], tensor, rtol=1e-3, atol=1e-3)
    assert (tmp_path / "h.safetensors").stat().st_size < 0.6 * (tmp_path / "a.safetensors").stat().st_size
