"""Conditions are made as their task says, repeat themselves, and are read from files or refused in one line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from PIL import Image
from pydantic import TypeAdapter, ValidationError
from transformers import DPTConfig, DPTForDepthEstimation
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

from pinxit.data import condition as module
from pinxit.data.condition import blend, condition_of, depth_of, has_map, has_picture, read_condition, read_instruction
from pinxit.data.config import DepthConfig, EdgesConfig, EditConfig, InpaintConfig, TaskConfig, UpscaleConfig
from pinxit.data.edge import canny, soft_edges
from pinxit.data.emoji import Piece
from pinxit.data.scene import Placement, Scene, compose
from pinxit.errors import DataError

FREE_FORM, BOX, PIECE = (
    InpaintConfig(free_form=float(n == 0), box=float(n == 1), piece=float(n == 2)) for n in range(3)
)
TASKS: tuple[TaskConfig, ...] = (
    UpscaleConfig(), UpscaleConfig(factor=8, degraded=1), InpaintConfig(), FREE_FORM, BOX, PIECE,
    EdgesConfig(), EdgesConfig(detector="canny"), DepthConfig(),
)  # fmt: skip


def drawn(height: int = 64, width: int = 48) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def piece(concept: str, colour: tuple[int, int, int]) -> Piece:
    rgba = np.zeros((32, 32, 4), np.uint8)
    rgba[4:28, 4:28] = (*colour, 255)
    return Piece(concept, "Noto", "group", "subgroup", (), rgba)


def scene() -> Scene:
    """A red square behind a green one."""
    placements = [Placement(piece("red", (200, 0, 0)), 32, 2, 2), Placement(piece("green", (0, 200, 0)), 32, 12, 8)]
    return compose(placements, "white", (64, 48))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def saved(folder: Path, name: str, values: np.ndarray) -> Path:
    Image.fromarray(values).save(folder / name)
    return folder / name


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_a_condition_has_the_parts_of_its_task_at_the_pictures_size_and_repeats_itself(task: TaskConfig) -> None:
    known = scene()
    before = known.picture.copy()
    first, again = (condition_of(task, known.picture, rng(3), known) for _ in range(2))
    assert (first.picture is not None, first.map is not None) == (has_picture(task), has_map(task))
    for part, same in ((first.picture, again.picture), (first.map, again.map)):
        if part is not None:
            assert part.shape[:2] == known.picture.shape[:2]
            assert part.dtype == np.uint8
            assert_array_equal(part, same)
    assert_array_equal(known.picture, before)


@pytest.mark.parametrize("task", [task for task in TASKS if task.kind != "depth" and task != PIECE], ids=str)
@pytest.mark.parametrize("size", [(8, 200), (33, 17), (5, 5), (1, 2)])
def test_pictures_of_any_size_have_conditions(task: TaskConfig, size: tuple[int, int]) -> None:
    made = condition_of(task, drawn(*size), rng())
    assert all(part.shape[:2] == size for part in (made.picture, made.map) if part is not None)


def test_a_task_is_told_by_its_kind_and_an_edit_has_a_picture() -> None:
    for task in (*TASKS, EditConfig(kinds=("swap",))):
        assert TypeAdapter(TaskConfig).validate_python(task.model_dump()) == task
    assert has_picture(EditConfig())
    assert not has_map(EditConfig())


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"least_hidden 0.8 is over most_hidden 0.7; lower it"):
        InpaintConfig(least_hidden=0.8)
    with pytest.raises(ValidationError, match="leaves no mask to draw; raise one of them"):
        InpaintConfig(free_form=0, box=0, piece=0)
    with pytest.raises(ValidationError, match="at least 1 item"):
        EditConfig(kinds=())
    with pytest.raises(ValidationError, match="4 or 8"):
        UpscaleConfig(factor=2)  # type: ignore[arg-type]


@pytest.mark.parametrize("factor", [4, 8])
def test_upscaling_starts_from_a_picture_that_lost_its_detail_alone(factor: int) -> None:
    smooth = np.broadcast_to(np.linspace(0, 255, 64)[:, None, None], (64, 64, 3)).astype(np.uint8)
    plain = condition_of(UpscaleConfig(factor=factor, degraded=0), smooth, rng()).picture
    assert plain is not None
    assert np.abs(plain.astype(int) - smooth).max() < 255 / 64 * factor
    noisy = condition_of(UpscaleConfig(factor=factor, degraded=0), drawn(64, 64), rng()).picture
    assert noisy is not None
    assert noisy.std() < drawn(64, 64).std() / 2


def test_so_many_conditions_as_asked_are_degraded() -> None:
    picture = drawn()
    plain = condition_of(UpscaleConfig(degraded=0), picture, rng()).picture
    same = [(condition_of(UpscaleConfig(degraded=0.3), picture, rng(n)).picture == plain).all() for n in range(200)]
    assert 0.6 < np.mean(same) < 0.8
    assert not any((condition_of(UpscaleConfig(degraded=1), picture, rng(n)).picture == plain).all() for n in range(9))


@pytest.mark.parametrize("task", [FREE_FORM, BOX], ids=["free form", "box"])
@pytest.mark.parametrize("shares", [(0.4, 0.7), (0.05, 0.1), (0.9, 0.95), (0.5, 0.5)])
@pytest.mark.parametrize("size", [(64, 64), (32, 80)])
def test_as_much_is_hidden_as_asked(task: InpaintConfig, shares: tuple[float, float], size: tuple[int, int]) -> None:
    task = task.model_copy(update=dict(zip(("least_hidden", "most_hidden"), shares, strict=True)))
    found = []
    for seed in range(40):
        made = condition_of(task, drawn(*size), rng(seed))
        assert made.map is not None
        assert set(np.unique(made.map)) <= {0, 255}
        found.append((made.map > 0).mean())
    room = 0 if shares[0] < shares[1] else 1 / 32  # a line of pixels
    assert shares[0] - 1e-9 <= min(found)
    assert max(found) <= shares[1] + room
    assert len(set(found)) > (5 if shares[0] < shares[1] else 0)


def test_the_hidden_part_is_grey_and_the_rest_as_it_was() -> None:
    for task in (FREE_FORM, BOX, PIECE):
        known = scene()
        made = condition_of(task, known.picture, rng(1), known)
        assert made.picture is not None
        assert made.map is not None
        assert (made.picture[made.map == 255] == 128).all()
        assert_array_equal(made.picture[made.map == 0], known.picture[made.map == 0])


def test_an_object_is_hidden_whole_with_little_around_it() -> None:
    known, hidden = scene(), set()
    for seed in range(20):
        made = condition_of(PIECE, known.picture, rng(seed), known).map
        assert made is not None
        (whole,) = [n for n, mask in enumerate(known.masks) if (made[mask] == 255).all()]
        hidden.add(whole)
        assert known.masks[whole].sum() < (made == 255).sum() < 2.6 * known.masks[whole].sum()
    assert hidden == {0, 1}


def test_an_object_that_fills_the_picture_is_hidden_without_a_margin() -> None:
    known = compose([Placement(piece("red", (200, 0, 0)), 32, -3, -3)], "white", (25, 25))
    made = condition_of(PIECE, known.picture, rng(), known).map
    assert_array_equal(made, known.masks[0] * 255)


def test_objects_alone_need_a_scene_and_are_left_out_of_a_mixture_without_one() -> None:
    told = refusal(lambda: condition_of(PIECE, drawn(), rng()))
    assert told == "inpaint: no object is known to hide; raise free_form or box, or give scenes"
    assert condition_of(InpaintConfig(piece=1000), drawn(), rng()).map is not None


def test_edges_are_those_of_the_detector() -> None:
    assert_array_equal(condition_of(EdgesConfig(), drawn(), rng()).map, soft_edges(drawn()))
    assert_array_equal(condition_of(EdgesConfig(detector="canny"), drawn(), rng()).map, canny(drawn()))


def test_depth_of_a_scene_follows_its_order() -> None:
    known, depth = scene(), depth_of(scene())
    assert (depth[known.masks[1]] == 255).all()
    assert (depth[known.masks[0]] == 128).all()
    assert (depth[~known.masks.any(0)] == 0).all()
    assert not depth_of(compose([], "white", (4, 4))).any()


def test_what_one_picture_does_not_tell_is_refused() -> None:
    assert "give a finished map (--is-map)" in refusal(lambda: condition_of(DepthConfig(), drawn(), rng()))
    assert "one picture tells no edit" in refusal(lambda: condition_of(EditConfig(), drawn(), rng()))


@pytest.fixture
def estimator(tmp_path: Path) -> Path:
    """A tiny depth estimator of random weights."""
    torch.manual_seed(0)
    config = DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, is_hybrid=False,
        reassemble_factors=[4, 2, 1, 0.5], use_auxiliary_head=False,
    )  # fmt: skip
    model = DPTForDepthEstimation(config)
    torch.nn.init.constant_(model.head.head[4].bias, 1.0)  # or its last ReLU leaves nothing
    model.save_pretrained(tmp_path / "depth")
    DPTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(tmp_path / "depth")
    return tmp_path / "depth"


def test_depth_is_estimated_over_the_whole_range_and_metres_are_turned_round(
    estimator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    depth = condition_of(DepthConfig(folder=str(estimator)), drawn(40, 56), rng()).map
    assert depth is not None
    assert depth.shape == (40, 56)
    assert (depth.min(), depth.max()) == (0, 255)
    assert_array_equal(depth, condition_of(DepthConfig(folder=str(estimator)), drawn(40, 56), rng(9)).map)
    monkeypatch.setattr(module, "METRIC", {"dpt"})
    metres = condition_of(DepthConfig(folder=str(estimator)), drawn(40, 56), rng()).map
    assert metres is not None
    assert (metres[depth == 0] == 255).all()
    assert np.corrcoef(metres.ravel(), depth.ravel())[0, 1] < -0.3


def test_a_folder_that_is_no_estimator_is_refused(tmp_path: Path, estimator: Path) -> None:
    def told(folder: Path) -> str:
        return refusal(lambda: condition_of(DepthConfig(folder=str(folder)), drawn(), rng()))

    assert "is not a folder; give the folder of a transformers depth estimator" in told(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "cannot be loaded" in told(tmp_path / "empty")
    (estimator / "model.safetensors").unlink()
    assert "cannot be loaded" in told(estimator)


def test_the_known_stays_to_the_bit_outside_the_border_and_the_drawn_fills_the_mask() -> None:
    drawn_anew, known = drawn(40, 40), np.flipud(drawn(40, 40)).copy()
    mask = np.zeros((40, 40), np.uint8)
    mask[10:20, 10:20] = 255
    for border in (0, 1, 5):
        mixed = blend(drawn_anew, known, mask, border)
        outside = np.ones((40, 40), bool)
        outside[10 - border : 20 + border, 10 - border : 20 + border] = False
        assert_array_equal(mixed[outside], known[outside])
        assert_array_equal(mixed[10:20, 10:20], drawn_anew[10:20, 10:20])
    assert_array_equal(blend(drawn_anew, known, np.zeros_like(mask), 4), known)
    assert_array_equal(blend(drawn_anew, known, np.full_like(mask, 255), 4), drawn_anew)


def test_the_border_is_an_even_ramp() -> None:
    mask = np.zeros((5, 12), np.uint8)
    mask[:, :4] = 255
    mixed = blend(np.full((5, 12, 3), 240, np.uint8), np.zeros((5, 12, 3), np.uint8), mask, 3)
    assert mixed[2, :, 0].tolist() == [240, 240, 240, 240, 180, 120, 60, 0, 0, 0, 0, 0]


def test_what_is_blended_must_be_of_one_size() -> None:
    told = refusal(lambda: blend(drawn(8, 9), drawn(9, 8), np.zeros((8, 9), np.uint8), 1))
    assert told == "blend: picture, known picture and mask are 9 x 8, 8 x 9, 9 x 8; give all three the same size"


def test_a_small_picture_is_brought_up_by_the_factor_or_to_the_size_asked(tmp_path: Path) -> None:
    file = saved(tmp_path, "small.png", drawn(7, 9))
    for size, expected in ((None, (28, 36)), ((28, 36), (28, 36)), ((26, 37), (26, 37)), ((70, 90), (70, 90))):
        made = read_condition(UpscaleConfig(), file, size).picture
        assert made is not None
        assert made.shape == (*expected, 3)
    plain = condition_of(UpscaleConfig(degraded=0), drawn(64, 48), rng()).picture
    small = np.asarray(Image.fromarray(drawn(64, 48)).resize((12, 16), Image.Resampling.BICUBIC))
    assert_array_equal(read_condition(UpscaleConfig(), saved(tmp_path, "x.png", small), (64, 48)).picture, plain)


def test_a_small_picture_of_another_aspect_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = saved(tmp_path, "small.png", drawn(8, 8))
    told = refusal(lambda: read_condition(UpscaleConfig(), file, (32, 48)))
    assert told.endswith("is 8 x 8, which has not the aspect of 48 x 32; crop it, or ask for 32 x 32")
    monkeypatch.setattr(module, "RULES", module.RULES.model_copy(update={"most_pixels": 1000}))
    assert "would be 32 x 32, over 1000 pixels" in refusal(lambda: read_condition(UpscaleConfig(), file, None))


def test_an_inpainting_is_read_from_picture_and_mask(tmp_path: Path) -> None:
    mask = np.zeros((64, 48), np.uint8)
    mask[5:30, 7:20] = 200
    mask[40:, 40:] = 100  # not white enough
    file, hidden = saved(tmp_path, "picture.png", drawn()), saved(tmp_path, "mask.png", mask)
    made = read_condition(InpaintConfig(), file, (64, 48), mask=hidden)
    assert_array_equal(made.map, (mask >= 128) * 255)
    assert made.picture is not None
    assert (made.picture[mask == 200] == 128).all()
    assert_array_equal(made.picture[mask < 128], drawn()[mask < 128])


def test_an_inpainting_without_a_mask_paints_what_is_not_opaque(tmp_path: Path) -> None:
    alpha = np.full((64, 48, 1), 255, np.uint8)
    alpha[5:30, 7:20] = 0
    alpha[5:30, 20] = 254
    file = saved(tmp_path, "erased.png", np.concatenate([drawn(), alpha], 2))
    made = read_condition(InpaintConfig(), file, None)
    assert_array_equal(made.map, (alpha[..., 0] < 255) * 255)
    assert made.picture is not None
    assert_array_equal(made.picture[made.map == 0], drawn()[made.map == 0])


def test_transparency_turns_with_the_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    rgba = np.concatenate([drawn(), np.full((64, 48, 1), 255, np.uint8)], 2)
    rgba[:10, :, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "turned.png", exif=exif)
    made = read_condition(InpaintConfig(), tmp_path / "turned.png", None).map
    assert made is not None
    assert made.shape == (48, 64)
    assert (made[:, -10:] == 255).all()
    assert not made[:, :-10].any()


def test_masks_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    file = saved(tmp_path, "picture.png", drawn())
    for level, told in ((0, "empty: nothing is white; make white what is to be"), (255, "full: all is white; leave")):
        mask = saved(tmp_path, "mask.png", np.full((64, 48), level, np.uint8))
        assert told in refusal(lambda mask=mask: read_condition(InpaintConfig(), file, None, mask=mask))
    for alpha, told in ((255, "nothing in it is transparent; give a mask"), (0, "full: all is transparent")):
        rgba = np.concatenate([drawn(), np.full((64, 48, 1), alpha, np.uint8)], 2)
        erased = saved(tmp_path, "erased.png", rgba)
        assert told in refusal(lambda erased=erased: read_condition(InpaintConfig(), erased, None))
    for opaque in (drawn(), drawn()[..., 0].astype(np.uint16)):
        erased = saved(tmp_path, "opaque.png", opaque)
        assert "nothing in it is" in refusal(lambda erased=erased: read_condition(InpaintConfig(), erased, None))
    other = saved(tmp_path, "other.png", np.eye(48, dtype=np.uint8) * 255)
    told = refusal(lambda: read_condition(InpaintConfig(), file, None, mask=other))
    assert told.endswith("other.png: the mask is 48 x 48, the picture 48 x 64; give both the same size")
    told = refusal(lambda: read_condition(InpaintConfig(), file, None, mask=file))
    assert told.endswith("picture.png: has colours; a mask is grey, one number a pixel")
    told = refusal(lambda: read_condition(EdgesConfig(), file, None, mask=file))
    assert "a mask has no use in edges; leave it out" in told


def test_edges_depth_and_edits_are_read_from_a_picture(tmp_path: Path, estimator: Path) -> None:
    file = saved(tmp_path, "picture.png", drawn())
    for task in (EdgesConfig(), EdgesConfig(detector="canny"), DepthConfig(folder=str(estimator))):
        assert_array_equal(read_condition(task, file, (64, 48)).map, condition_of(task, drawn(), rng()).map)
    assert_array_equal(read_condition(EditConfig(), file, None).picture, drawn())
    told = refusal(lambda: read_condition(DepthConfig(), file, None))
    assert "give a finished map (--is-map)" in told


@pytest.mark.parametrize("task", [EdgesConfig(), DepthConfig()], ids=str)
def test_a_finished_map_is_taken_as_it_is(task: TaskConfig, tmp_path: Path) -> None:
    grey = drawn()[..., 0]
    for name, values in (("grey.png", grey), ("rgb.png", np.repeat(grey[..., None], 3, 2))):
        made = read_condition(task, saved(tmp_path, name, np.ascontiguousarray(values)), (64, 48), is_map=True)
        assert_array_equal(made.map, grey)
    wide = saved(tmp_path, "wide.png", grey.astype(np.uint16) * 257)
    assert_array_equal(read_condition(task, wide, None, is_map=True).map, grey)
    told = refusal(lambda: read_condition(task, saved(tmp_path, "colour.png", drawn()), None, is_map=True))
    assert told.endswith(f"colour.png: has colours; a map of {task.kind} is grey, one number a pixel")


@pytest.mark.parametrize("task", [UpscaleConfig(), InpaintConfig(), EditConfig()], ids=str)
def test_a_finished_map_where_none_is_used_is_refused(task: TaskConfig, tmp_path: Path) -> None:
    file = saved(tmp_path, "picture.png", drawn())
    told = refusal(lambda: read_condition(task, file, None, is_map=True))
    assert f"a finished map has no use in {task.kind}; give a picture" in told


@pytest.mark.parametrize("task", [InpaintConfig(), EdgesConfig(), DepthConfig(), EditConfig()], ids=str)
def test_a_file_of_another_size_is_refused(task: TaskConfig, tmp_path: Path) -> None:
    is_map = isinstance(task, DepthConfig)
    file = saved(tmp_path, "picture.png", drawn()[..., 0] if is_map else drawn())
    told = refusal(lambda: read_condition(task, file, (32, 48), is_map=is_map))
    assert told.endswith("is 48 x 64, expected 48 x 32; resize or crop it, or ask for its own size")


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_a_file_that_is_no_picture_is_refused(task: TaskConfig, tmp_path: Path) -> None:
    told = refusal(lambda: read_condition(task, tmp_path / "nothing.png", None))
    assert "cannot be read (No such file or directory); give the path of a picture" in told
    (tmp_path / "text.png").write_text("a red fox")
    told = refusal(lambda: read_condition(task, tmp_path / "text.png", None))
    assert "not a picture in a known format" in told
    Image.new("F", (16, 16)).save(tmp_path / "float.tif")
    told = refusal(lambda: read_condition(task, tmp_path / "float.tif", None))
    assert "32-bit samples, mode F); give a picture of 8 or 16 bits" in told


def test_an_instruction_is_tidied() -> None:
    assert read_instruction("  make the\n background   pink ") == "make the background pink"
    assert read_instruction("rends le fond rosé") == "rends le fond rosé"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"), (" \n", "is empty"), ("12 ??", "'12 ??' holds no word"),
        ("pink\0", "is not readable text"), ("pink \udcff", "is not readable text"),
        ("pi\ufffdk", "is not readable text"),
    ],
)  # fmt: skip
def test_an_instruction_that_nobody_could_follow_is_refused(text: str, told: str) -> None:
    message = refusal(lambda: read_instruction(text))
    assert message == f'instruction: {told}; say what to change, as in "make the background pink"'
