"""What a picture is made from: a task takes a condition from a clean picture in training, from files at inference."""

from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageOps

from pinxit.data.config import DepthConfig, EdgesConfig, EditConfig, InpaintConfig, TaskConfig, UpscaleConfig
from pinxit.data.degradation import Small, degrade, reduce
from pinxit.data.edge import canny, soft_edges
from pinxit.data.picture import FORMATS, PictureRules, Refusal, decode
from pinxit.data.record import Condition, Pixels
from pinxit.data.scene import Scene
from pinxit.errors import DataError

if TYPE_CHECKING:
    from transformers import BaseImageProcessor, PreTrainedModel

Map = UInt8[np.ndarray, "height width"]
Mask = Bool[np.ndarray, "height width"]

RULES = PictureRules(least_side=1)
GREY = 128  # what stands in a picture where it is hidden
HALF = 128  # a mask hides what is at least so white
COLOURED = 16  # levels between the colours of a pixel from which a map counts as coloured: JPEG makes a few
BRUSH, STROKE = (0.12, 0.3), (0.1, 0.4)  # thickness and length of a stroke's parts over the picture's shorter side
POINTS, BEND = 4, 1.2  # of a stroke; greatest bend at each in radians
STROKES = 100  # tries to hide as much as was asked
MARGIN = 1 / 16  # most that an object's mask is larger than the object, over the picture's shorter side
METRIC = frozenset({"depth_pro", "glpn", "zoedepth"})  # estimators that tell metres: far is large


def has_picture(task: TaskConfig) -> bool:
    """Whether the task's conditions hold a picture."""
    return isinstance(task, UpscaleConfig | InpaintConfig | EditConfig)


def has_map(task: TaskConfig) -> bool:
    """Whether the task's conditions hold a map."""
    return isinstance(task, InpaintConfig | EdgesConfig | DepthConfig)


def condition_of(task: TaskConfig, picture: Pixels, rng: np.random.Generator, scene: Scene | None = None) -> Condition:
    """The condition from which the task should make `picture`; `scene` is what is known of it, if anything.

    Raises DataError where the picture alone does not tell.
    """
    match task:
        case UpscaleConfig():
            small = degrade(picture, task.factor, rng) if rng.random() < task.degraded else reduce(picture, task.factor)
            return Condition(_enlarged(small, picture.shape[:2]))
        case InpaintConfig():
            return _hidden(picture, _draw_mask(task, picture.shape[:2], rng, scene))
        case EdgesConfig():
            return Condition(map=_edges(task, picture))
        case DepthConfig():
            return Condition(map=_depth(task, picture, scene))
        case EditConfig():
            raise DataError("edit", "one picture tells no edit", "make pairs with pinxit.data.edit.edit_pair")


def _enlarged(small: Small, size: tuple[int, int]) -> Pixels:
    return np.asarray(Image.fromarray(small).resize(size[::-1], Image.Resampling.BICUBIC))


def _hidden(picture: Pixels, mask: Mask) -> Condition:
    return Condition(np.where(mask[..., None], np.uint8(GREY), picture), mask * np.uint8(255))


def _edges(task: EdgesConfig, picture: Pixels) -> Map:
    return canny(picture) if task.detector == "canny" else soft_edges(picture)


def _depth(task: DepthConfig, picture: Pixels, scene: Scene | None) -> Map:
    if task.folder is not None:
        return _estimated_depth(task.folder, picture)
    if scene is None:
        remedy = "give a finished map (--is-map), or train with task.folder: a depth estimator's"
        raise DataError("depth", "is known of scenes alone", remedy)
    return depth_of(scene)


def depth_of(scene: Scene) -> Map:
    """Nearness by the order of the pieces: the nearest is 255, those behind it in even steps, the background 0."""
    nearness = np.zeros(scene.picture.shape[:2], np.uint8)
    for piece, mask in zip(scene.facts.pieces, scene.masks, strict=True):
        nearness[mask] = round(255 * (piece.depth + 1) / len(scene.masks))
    return nearness


def _estimated_depth(folder: str, picture: Pixels) -> Map:
    """Nearness as an estimator sees it, from 0 at the farthest to 255 at the nearest of this picture."""
    import torch

    processor, model = _estimator(folder)
    with torch.inference_mode():
        outputs = model(**processor(images=Image.fromarray(picture), return_tensors="pt"))
        found = processor.post_process_depth_estimation(outputs, [picture.shape[:2]])[0]["predicted_depth"]
    depth: Float[np.ndarray, "height width"] = found.float().numpy().reshape(picture.shape[:2])
    if model.config.model_type in METRIC or getattr(model.config, "depth_estimation_type", "relative") == "metric":
        depth = 1 / np.maximum(depth, 1e-3)
    depth = depth - depth.min()
    return np.rint(255 * depth / max(float(depth.max()), 1e-6)).astype(np.uint8)


@lru_cache(maxsize=1)
def _estimator(folder: str) -> "tuple[BaseImageProcessor, PreTrainedModel]":
    remedy = "give the folder of a transformers depth estimator, with its preprocessor and weights in safetensors"
    if not Path(folder).is_dir():
        raise DataError(folder, "is not a folder", remedy)
    from transformers import AutoImageProcessor, AutoModelForDepthEstimation

    try:
        processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        model, report = AutoModelForDepthEstimation.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise DataError(folder, f"cannot be loaded ({str(error).strip().splitlines()[0]})", remedy) from error
    if report["missing_keys"]:
        raise DataError(folder, f"lacks {len(report['missing_keys'])} weights", remedy)
    return processor, model.eval()


def _draw_mask(task: InpaintConfig, size: tuple[int, int], rng: np.random.Generator, scene: Scene | None) -> Mask:
    """What is hidden, in one of the shapes by their weights."""
    known = scene is not None and bool(scene.masks.any())
    weights = np.array([task.free_form, task.box, task.piece if known else 0.0])
    if not weights.any():
        raise DataError("inpaint", "no object is known to hide", "raise free_form or box, or give scenes")
    shape = int(rng.choice(3, p=weights / weights.sum()))
    if shape == 2 and scene is not None:
        return _around_piece(scene, rng)
    return (_strokes if shape == 0 else _box)(task, size, rng)


def _box(task: InpaintConfig, size: tuple[int, int], rng: np.random.Generator) -> Mask:
    """A box anywhere of any shape that hides an allowed share, as near as whole pixels come."""
    height, width = size
    tall = int(rng.integers(int(np.ceil(task.least_hidden * height)), height + 1))
    least, most = (share * height * width / tall for share in (task.least_hidden, task.most_hidden))
    wide = int(rng.integers(int(np.ceil(least)), max(np.ceil(least), min(width, np.floor(most))) + 1))
    top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    mask = np.zeros(size, bool)
    mask[top : top + tall, left : left + wide] = True
    return mask


def _strokes(task: InpaintConfig, size: tuple[int, int], rng: np.random.Generator) -> Mask:
    """Brush strokes until enough is hidden, finer ones where one would hide too much; after Yu et al. 2019."""
    enough, hidden, finer = rng.uniform(task.least_hidden, task.most_hidden), 0.0, 1.0
    mask = Image.new("L", size[::-1])
    for _ in range(STROKES):
        tried = mask.copy()
        _stroke(tried, finer * min(size), rng)
        share = tried.histogram()[255] / (size[0] * size[1])
        if share <= task.most_hidden:
            mask, hidden = tried, share
        elif hidden < task.least_hidden:
            finer /= 2
        if hidden >= enough or (share > task.most_hidden and hidden >= task.least_hidden):
            return np.asarray(mask, bool)
    return _box(task, size, rng)


def _stroke(mask: Image.Image, scale: float, rng: np.random.Generator) -> None:
    """One stroke of a round brush, with bends."""
    thickness, directions = scale * rng.uniform(*BRUSH), np.cumsum(rng.uniform(-BEND, BEND, POINTS)) + rng.uniform(0, 7)
    steps = scale * rng.uniform(*STROKE, POINTS) * np.stack([np.cos(directions), np.sin(directions)])
    points = (rng.random((2, 1)) * [[mask.width], [mask.height]] + np.cumsum(steps, 1)).T.tolist()
    draw = ImageDraw.Draw(mask)
    draw.line([tuple(point) for point in points], fill=255, width=max(1, round(thickness)))
    for x, y in points:
        draw.ellipse((x - thickness / 2, y - thickness / 2, x + thickness / 2, y + thickness / 2), fill=255)


def _around_piece(scene: Scene, rng: np.random.Generator) -> Mask:
    """One piece that shows, with a margin; without it where nothing would be left."""
    shown = [mask for mask in scene.masks if mask.any()]
    mask: Mask = shown[rng.integers(len(shown))]
    grown = mask
    for _ in range(int(rng.integers(1, 2 + int(MARGIN * min(mask.shape))))):
        grown = _grown(grown)
    return mask if grown.all() else grown


def _grown(mask: Mask) -> Mask:
    """The mask and all pixels next to it, diagonals included."""
    tall = mask.copy()
    tall[1:] |= mask[:-1]
    tall[:-1] |= mask[1:]
    wide = tall.copy()
    wide[:, 1:] |= tall[:, :-1]
    wide[:, :-1] |= tall[:, 1:]
    return wide


def blend(drawn: Pixels, known: UInt8[np.ndarray, "_ _ 3"], mask: UInt8[np.ndarray, "_ _"], border: int) -> Pixels:
    """`drawn` where the mask hides, `known` elsewhere, bit for bit; between them a ramp of `border` pixels outside.

    Raises DataError where the three are not of one size.
    """
    if not drawn.shape[:2] == known.shape[:2] == mask.shape:
        sizes = ", ".join(_told(part.shape) for part in (drawn, known, mask))
        raise DataError("blend", f"picture, known picture and mask are {sizes}", "give all three the same size")
    reached = mask >= HALF
    weight = np.zeros(mask.shape, np.float32)
    for _ in range(border + 1):  # a pixel at a distance of d is reached in all but d of the turns
        weight += reached
        reached = _grown(reached)
    weight /= border + 1
    mixed = known + weight[..., None] * (drawn.astype(np.float32) - known)
    return np.asarray(np.rint(mixed), np.uint8)


def read_instruction(text: str) -> str:
    """An instruction for an edit, without space around it; DataError where nobody could follow it."""
    stripped = " ".join(text.split())
    remedy = 'say what to change, as in "make the background pink"'
    if not stripped.isprintable() or "\N{REPLACEMENT CHARACTER}" in stripped:
        raise DataError("instruction", "is not readable text", remedy)
    if not any(sign.isalpha() for sign in stripped):
        raise DataError("instruction", f"{stripped!r} holds no word" if stripped else "is empty", remedy)
    return stripped


def read_condition(
    task: TaskConfig, file: Path, size: tuple[int, int] | None, *, mask: Path | None = None, is_map: bool = False
) -> Condition:
    """The condition in a user's file, for a picture of `size` (height and width; none: as the file has it).

    Upscaling takes the small picture. Inpainting takes the picture and a mask, white where to paint; without one, what
    is not opaque is painted. Edges and depth are taken from a picture, or with `is_map` from a finished map in grey
    (edges white; near white). Editing takes the source picture. Raises DataError for what does not fit.
    """
    if mask is not None and not isinstance(task, InpaintConfig):
        raise DataError(mask, f"a mask has no use in {task.kind}", "leave it out, or choose inpaint")
    if is_map and not isinstance(task, EdgesConfig | DepthConfig):
        raise DataError(file, f"a finished map has no use in {task.kind}", "give a picture")
    if is_map:
        finished = _read_map(file, f"a map of {task.kind}")
        _check_size(finished, size, file)
        return Condition(map=finished)
    picture = _read_picture(file)
    if isinstance(task, UpscaleConfig):
        return Condition(_enlarged(picture, _full_size(picture, size, task.factor, file)))
    _check_size(picture, size, file)
    match task:
        case InpaintConfig():
            return _hidden(picture, _read_mask(mask, picture.shape[:2]) if mask else _transparent(file))
        case EdgesConfig():
            return Condition(map=_edges(task, picture))
        case DepthConfig():
            return Condition(map=_depth(task, picture, None))
        case EditConfig():
            return Condition(picture)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(file, f"cannot be read ({error.strerror})", "give the path of a picture") from error


def _read_picture(file: Path) -> Pixels:
    found = decode(_bytes(file), RULES)
    if isinstance(found, Refusal):
        remedy = f"give a picture of 8 or 16 bits in one of {', '.join(FORMATS)}"
        raise DataError(file, f"{found.reason} ({found.detail})", remedy)
    return found


def _read_map(file: Path, what: str) -> Map:
    picture = _read_picture(file)
    if np.ptp(picture, axis=-1).max() > COLOURED:
        raise DataError(file, "has colours", f"{what} is grey, one number a pixel")
    return np.ascontiguousarray(picture[..., 1])


def _check_size(found: Pixels | Map, size: tuple[int, int] | None, file: Path) -> None:
    if size is not None and found.shape[:2] != size:
        told = f"is {_told(found.shape)}, expected {_told(size)}"
        raise DataError(file, told, "resize or crop it, or ask for its own size")


def _full_size(small: Small, size: tuple[int, int] | None, factor: int, file: Path) -> tuple[int, int]:
    """The size to which a small picture is brought: its own times the factor, or the one asked if it has its aspect."""
    height, width = size or (small.shape[0] * factor, small.shape[1] * factor)
    if height * width > RULES.most_pixels:
        raise DataError(file, f"would be {width} x {height}, over {RULES.most_pixels} pixels", "give a smaller one")
    down, across = height / small.shape[0], width / small.shape[1]
    if abs(small.shape[1] * down - width) > max(down, across):  # more than a pixel of the small picture
        told = f"is {_told(small.shape)}, which has not the aspect of {width} x {height}"
        raise DataError(file, told, f"crop it, or ask for {small.shape[1] * factor} x {small.shape[0] * factor}")
    return height, width


def _read_mask(file: Path, size: tuple[int, int]) -> Mask:
    mask = _read_map(file, "a mask")
    if mask.shape != size:
        raise DataError(file, f"the mask is {_told(mask.shape)}, the picture {_told(size)}", "give both the same size")
    return _used(mask >= HALF, file, "white")


def _transparent(file: Path) -> Mask:
    """What of a picture that could be decoded is not opaque."""
    with Image.open(BytesIO(_bytes(file)), formats=FORMATS) as image:
        upright = ImageOps.exif_transpose(image)
        clear = np.asarray(upright.convert("RGBA").getchannel("A")) < 255 if upright.has_transparency_data else None
    if clear is None or not clear.any():
        raise DataError(file, "nothing in it is transparent", "give a mask, white where to paint, or erase that part")
    return _used(clear, file, "transparent")


def _used(mask: Mask, file: Path, hidden: str) -> Mask:
    if not mask.any():
        raise DataError(file, f"the mask is empty: nothing is {hidden}", f"make {hidden} what is to be painted")
    if mask.all():
        raise DataError(
            file, f"the mask is full: all is {hidden}", "leave what is to be kept, or draw without a picture"
        )
    return mask


def _told(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
