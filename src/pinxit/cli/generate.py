"""`pinxit generate PROMPT ...`: words to pictures.

pinxit generate "a 3D fire engine beside an owl on a light blue background"
pinxit generate "a Noto owl on a pink background" "a 3D kite on a white background" --seed 3 --out drawn
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from tyro.conf import Positional, arg

from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.config import Config
from pinxit.errors import DataError
from pinxit.generate.config import SamplingConfig, Solver, SourceConfig
from pinxit.log import Bar
from pinxit.models.config import Memory, Precision
from pinxit.recipes.tree import SettingsError

if TYPE_CHECKING:
    from pinxit.generate.size import Size


class Drawn(Config):
    """From which weights pictures are drawn, how large and how many."""

    source: Annotated[Path | None, arg(name="from")] = Field(
        None, alias="from", description="run folder, model file, or weights of PixArt; none: the shipped model"
    )
    autoencoder: str | None = Field(None, description="its folder, where the weights do not name it")
    text: str | None = Field(None, description="the T5's folder, where the weights do not name it")
    memory: Memory = Field(
        "full",
        description="offload: a T5's blocks stay on disk and are read one after another; 8bit: its weights and the "
        "network's in 8 bits; 4bit: a T5's in 4",
    )
    count: int = Field(1, gt=0, description="pictures a prompt")
    size: str | None = Field(
        None, description="side, or WIDTHxHEIGHT, in pixels; models from 256 pixels draw the nearest of their buckets"
    )
    aspect: str | None = Field(None, description="WIDTH:HEIGHT; the nearest bucket of the model's resolution")
    exact: bool = Field(False, description="draw the very --size, bucket or not")


class Arguments(Drawn):
    """Draws one picture a prompt: `000.png`, `001.png`, ... with prompt, seed and settings inside. With an adapter it
    draws from a condition, and prompts are optional.

    Example: pinxit generate "a Noto owl on a pink background" --seed 3 --count 4 --out drawn
    """

    words: Positional[tuple[str, ...]] = Field((), description="prompts")
    prompts: Path | None = Field(None, description="a file with one prompt a line, in place of or after the words")
    out: Path = Field(Path("drawn"), description="the folder to write")
    seed: int = Field(0, ge=0, description="of the first picture; the next ones count on")
    steps: int | None = Field(None, gt=0, description="none: the model's own")
    solver: Solver | None = Field(None, description="none: the model's own")
    guidance: float | None = Field(None, ge=1, description="1.0 is the prompt alone; none: the model's own")
    negative: str = Field("", description="what the pictures should not be")
    improve: bool = Field(False, description="improve the prompts first, by --improver")
    improver: Path | None = Field(None, description="what `pinxit improve train` wrote; none: the one that ships")
    adapter: Path | None = Field(
        None,
        description="an adapter file, the run folder that made it, or one that ships: upscale",
    )
    condition: Path | None = Field(None, description="with an adapter: the picture that it draws from")
    mask: Path | None = Field(None, description="to inpaint: white where to paint; none: where the picture is clear")
    is_map: bool = Field(False, description="the condition is a finished map of edges or depth, in grey")
    device: str = Field("auto", description="cpu, cuda, cuda:1; auto: a CUDA GPU where there is one")
    precision: Precision = Field("auto", description="of the network's products; auto: bfloat16 on a GPU that has it")


def main(verb: str, words: list[str]) -> None:
    """Draws what the words ask for."""
    run(parse(Arguments, verb, words))


def run(arguments: Arguments) -> None:
    """Draws, and prints where the pictures are."""
    if arguments.adapter or arguments.condition or arguments.mask or arguments.is_map:
        from pinxit.cli.generate_tool import run_tool

        run_tool(arguments)
        return
    prompts, wanted = improved(arguments, prompts_of(arguments)), wanted_of(arguments)
    from pinxit.generate.load import load_pipeline
    from pinxit.generate.pipeline import save_png
    from pinxit.models.device import choose_device

    source = SourceConfig(autoencoder=arguments.autoencoder, text=arguments.text)
    device = choose_device(arguments.device)
    pipeline = load_pipeline(arguments.source, source, arguments.memory, device, arguments.precision)
    changes = {name: getattr(arguments, name) for name in ("steps", "solver", "guidance")}
    settings = SamplingConfig.model_validate(
        pipeline.card.sampling.model_dump() | {name: value for name, value in changes.items() if value is not None}
    )
    for prompt in prompts:
        if lost := pipeline.text.cut(prompt):
            say(f"too long, and cut before {lost!r}: {prompt}")
    asked = [prompt for prompt in prompts for _ in range(arguments.count)]
    seeds = [arguments.seed + index for index in range(len(asked))]
    size = size_of(arguments, wanted, pipeline.card.resolution, pipeline.multiple)
    drawings = pipeline.draw(asked, seeds, settings, size, arguments.negative)
    with Bar("drawing", len(asked)) as bar:
        for index, drawing in enumerate(drawings):
            file = arguments.out / f"{index:03d}.png"
            save_png(drawing, file, settings, arguments.negative, card=pipeline.card, sha=pipeline.sha256)
            bar.move(index + 1)
    say(f"{len(asked)} pictures in {arguments.out}")


def prompts_of(arguments: Arguments, *, needed: bool = True) -> list[str]:
    """The prompts of the words and of the file; SettingsError where there is none and one is needed."""
    prompts = list(arguments.words)
    if arguments.prompts is not None:
        try:
            lines = arguments.prompts.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise DataError(arguments.prompts, f"it is not UTF-8 ({error})", "save it as UTF-8") from error
        prompts += [line.strip() for line in lines if line.strip()]
    if needed and not prompts:
        raise SettingsError(
            ['WORDS: there is nothing to draw; give a prompt, such as "a Noto owl on a pink background"']
        )
    return prompts


def improved(arguments: Arguments, prompts: list[str]) -> list[str]:
    """The prompts as an improver answers them, each printed beside what it was; as they are if none was asked for.

    A prompt that gets an empty answer stays as it was.
    """
    if not arguments.improve and arguments.improver is None:
        return prompts
    from pinxit.improve.refine import Improver
    from pinxit.models.device import choose_device

    improver = Improver.load(arguments.improver, seed=arguments.seed, device=choose_device(arguments.device))
    answers = [trace.answer for trace in improver.trace(prompts, improver.first(prompts))]
    new = [answer or prompt for prompt, answer in zip(prompts, answers, strict=True)]
    for prompt, answer in zip(prompts, new, strict=True):
        say(f"{prompt}\n  -> {answer}")
    return new


def wanted_of(arguments: Drawn) -> "Size | None":
    """Height and width that were asked for, or the shape."""
    from pinxit.generate.size import parse_aspect, parse_size

    if arguments.size and arguments.aspect:
        raise SettingsError(["--size and --aspect both say how large pictures are; give one of them"])
    if arguments.aspect:
        return parse_aspect(arguments.aspect)
    return parse_size(arguments.size) if arguments.size else None


def size_of(arguments: Drawn, wanted: "Size | None", resolution: int, multiple: int) -> "Size | None":
    """Height and width to draw; a line says so where they are not those asked for."""
    from pinxit.generate.size import TABLED, bucket_size

    if wanted is None or (arguments.size and (arguments.exact or resolution < TABLED)):
        return wanted
    height, width = bucket_size(wanted, resolution, multiple)
    if (height, width) != wanted:
        say(f"drawn at {width}x{height}, the nearest bucket at {resolution} pixels")
    return height, width
