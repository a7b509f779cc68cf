"""`pinxit generate --adapter FILE --condition PICTURE`: pictures from a picture, in a few steps."""

from pinxit.cli.generate import Arguments, prompts_of, wanted_of
from pinxit.cli.say import say
from pinxit.generate.config import SamplingConfig, SourceConfig
from pinxit.log import Bar
from pinxit.recipes.tree import SettingsError


def run_tool(arguments: Arguments) -> None:
    """Draws what the adapter makes of the condition, and prints where the pictures are."""
    if arguments.adapter is None or arguments.condition is None:
        raise SettingsError(["--adapter and --condition go together: the tool, and the picture that it draws from"])
    if arguments.aspect or arguments.negative:
        raise SettingsError(["--aspect and --negative have no use with a condition, which has its own; leave them out"])
    if arguments.improve or arguments.improver:
        raise SettingsError(["--improve has no use with a condition; leave it out"])
    from pinxit.data.condition import read_condition, read_instruction
    from pinxit.generate.adapter import find_adapter, read_adapter_card
    from pinxit.generate.load import load_pipeline
    from pinxit.generate.pipeline import save_png
    from pinxit.models.device import choose_device
    from pinxit.models.identity import hash_files

    file = find_adapter(arguments.adapter)
    card, size = read_adapter_card(file), wanted_of(arguments)
    prompts = prompts_of(arguments, needed=False) or [""]
    if card.task.kind == "edit":
        prompts = [read_instruction(prompt) for prompt in prompts]
    condition = read_condition(card.task, arguments.condition, size, mask=arguments.mask, is_map=arguments.is_map)
    source = SourceConfig(autoencoder=arguments.autoencoder, text=arguments.text)
    device = choose_device(arguments.device)
    pipeline = load_pipeline(arguments.source, source, arguments.memory, device, arguments.precision)
    tool, sha = pipeline.use(file), hash_files([file])
    changes = {name: getattr(arguments, name) for name in ("steps", "solver", "guidance")}
    settings = SamplingConfig.model_validate(
        card.sampling.model_dump() | {name: value for name, value in changes.items() if value is not None}
    )
    asked = [prompt for prompt in prompts for _ in range(arguments.count)]
    seeds = [arguments.seed + index for index in range(len(asked))]
    drawings = tool.draw([condition] * len(asked), asked, seeds, settings)
    with Bar("drawing", len(asked)) as bar:
        for index, drawing in enumerate(drawings):
            target = arguments.out / f"{index:03d}.png"
            save_png(drawing, target, settings, card=pipeline.card, sha=pipeline.sha256, adapter=sha)
            bar.move(index + 1)
    say(f"{len(asked)} pictures in {arguments.out}")
