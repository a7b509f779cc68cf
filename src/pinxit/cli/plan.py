"""`pinxit plan RECIPE`: what training will take of time, memory, disk, energy and money, before the first step.

pinxit plan demo
pinxit plan pixart --on 64xA100 --grid DE
pinxit plan own --stages.own.data.folder data/own --calibrate
"""

from collections.abc import Iterator, Sequence
from inspect import cleandoc
from typing import TYPE_CHECKING

from pydantic import Field
from rich.table import Table
from rich.text import Text

from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.cli.train import named, recipes_text
from pinxit.config import Config
from pinxit.errors import ConfigError
from pinxit.ledger.config import TariffConfig
from pinxit.ledger.machine import HERE
from pinxit.ledger.quantity import say_bytes, say_dollars, say_energy, say_grams, say_operations, say_seconds
from pinxit.log import console
from pinxit.recipes.recipe import Recipe
from pinxit.recipes.table import load_recipe

if TYPE_CHECKING:
    from pinxit.recipes.plan import RecipePlan, Spending

UNKNOWN = "–"
SMALL = 100e6  # parameters
BEFORE = (
    "All figures are estimates: time is operations over a rate. Encoding is that of the encoders alone unless it was "
    "measured; drawing and scoring between stages are not counted. “At home” is the electricity on a machine of your "
    "own, “rented” the price of the same hours: one or the other."
)


class Where(Config):
    """On which machine, at which prices."""

    on: str = Field(HERE, description='such as "8xH100", "RTX 4090"')
    calibrate: bool = Field(False, description="measure this machine first, under a minute; kept for other plans")
    price: float | None = Field(
        None, ge=0, description="dollars for an hour of one accelerator, of a processor of one core"
    )
    grid: str | None = Field(None, description="whose electricity: world, or a country such as DEU or DE")
    tariff: TariffConfig = TariffConfig()

    def prices(self, priced: str) -> TariffConfig:
        """The tariff with `price`, of an hour of what is `priced`, and `grid` in it."""
        given = {f"{priced}_hour": self.price, "grid": self.grid}
        return self.tariff.model_copy(update={name: value for name, value in given.items() if value is not None})


class Arguments(Recipe, Where):
    """Says what each stage of a recipe will take, in time, memory, disk, energy, money and CO2. Nothing is trained.

    Example: pinxit plan pixart --on 8xH100 --price 2.0 --grid DE
    """


def main(verb: str, words: Sequence[str]) -> None:
    """Prints the plan of what the words name."""
    if words and words[0] in {"-h", "--help"}:
        say(help_text())
        return
    run(read(verb, words))


def read(verb: str, words: Sequence[str]) -> Arguments:
    """The recipe that the first word names, with what the others change, and where it is to run."""
    source, rest = named(words)
    default = Arguments.model_validate(load_recipe(source).model_dump())
    return parse(Arguments, f"{verb} {source}", rest, default)


def run(arguments: Arguments) -> None:
    """Prints the table, what does not fit, and where every figure comes from."""
    from pinxit.ledger.machine import find_machine
    from pinxit.recipes.calibrate import Rates, calibrate, rates_file
    from pinxit.recipes.plan import plan

    recipe = Recipe.model_validate(arguments.model_dump(include=set(Recipe.model_fields)))
    machine = find_machine(arguments.on)
    prices = arguments.prices("accelerator" if machine.kind == "accelerator" else "core")
    if arguments.on.strip().lower() != HERE:
        if arguments.calibrate:
            problem = "only the machine at hand can be measured"
            raise ConfigError("calibrate", arguments.on, problem, "leave out --on, or --calibrate")
        found = plan(recipe, machine, prices)
    else:
        rates = Rates(machine, rates_file())
        if arguments.calibrate:
            calibrate(recipe, rates)
        found = plan(recipe, machine, prices, rates)
    console.print(_table(found))
    for stage in found.stages:
        if stage.unfit:
            less = f"{say_bytes(stage.memory['activations'])} of activations would be {say_bytes(stage.checkpointed)}"
            say(f"does not fit: {stage.unfit}; {less} with checkpointed blocks, which no setting gives yet")
    console.print(_sources(found))


def help_text() -> str:
    """What the verb does, whatever the recipe."""
    what, _, example = cleandoc(Arguments.__doc__ or "").splitlines()
    flags = {f"--{name}": field for name, field in Where.model_fields.items() if field.description}
    return "\n".join([
        "usage: pinxit plan RECIPE [--on MACHINE] [--calibrate] [--price DOLLARS] [--grid COUNTRY] [--SETTING VALUE]",
        "",
        what,
        *recipes_text("the folder of a run"),
        "",
        *(f"  {flag:<11} {field.description}" for flag, field in flags.items()),
        "",
        example,
        "",
        "`pinxit plan generate --help` is of the memory of drawing; a recipe's settings are those of `pinxit train`.",
    ])  # fmt: skip


def _table(found: "RecipePlan") -> Table:
    """A column a stage and one for all, a row a quantity."""
    several = len(found.stages) > 1
    table = Table(
        title=f"{found.recipe} on {found.machine.say()}", title_justify="left", title_style="bold", box=None,
        header_style="dim", padding=(0, 1, 0, 0),
    )  # fmt: skip
    table.add_column("")
    for name in [*(stage.stage for stage in found.stages), *(["total"] if several else [])]:
        table.add_column(name, justify="right", overflow="fold")
    for name, cells in _rows(found):
        is_strong = name in {"training", "most memory"}
        table.add_row(name, *cells[: len(found.stages) + several], style="bold" if is_strong else "")
    return table


def _rows(found: "RecipePlan") -> Iterator[tuple[str, list[str]]]:
    """The name of a row, its stages' cells and that of the total."""
    stages, total = found.stages, found.total
    trained = [stage.training for stage in stages]
    yield "pictures", [*(f"{stage.pictures:,}" for stage in stages), f"{sum(stage.pictures for stage in stages):,}"]
    yield "steps", [*(f"{stage.steps:,}" for stage in stages), f"{sum(stage.steps for stage in stages):,}"]
    each = [stage.operations for stage in stages]
    yield "operations", [say_operations(count) for count in [*each, sum(each)]]
    yield "a second", [*(f"{say_operations(stage.rate.value * found.machine.count)}/s" for stage in stages), ""]
    yield "training", [*(say_seconds(one.seconds) for one in trained), say_seconds(sum(one.seconds for one in trained))]
    encoding = [stage.encoding for stage in stages]
    known = sum(one.seconds for one in encoding if one is not None)
    yield "encoding", [*(say_seconds(one.seconds) if one else UNKNOWN for one in encoding), say_seconds(known)]
    yield from _spent([stage.spent for stage in stages], total)
    for part in stages[0].memory:
        yield part, [*(say_bytes(stage.memory[part]) for stage in stages), ""]
    peaks = [stage.peak for stage in stages]
    yield "most memory", [say_bytes(peak) for peak in [*peaks, max(peaks)]]
    sizes = [stage.cache for stage in stages]
    told = [UNKNOWN if size is None else say_bytes(size) for size in sizes]
    yield "cache on disk", [*told, say_bytes(sum(size or 0 for size in sizes))]


def _spent(stages: "Sequence[Spending]", total: "Spending") -> Iterator[tuple[str, list[str]]]:
    spent = [*stages, total]
    yield "energy", [say_energy(one.joules) for one in spent]
    yield "at home", [say_dollars(one.electricity) for one in spent]
    yield "rented", ["no price" if one.rent is None else say_dollars(one.rent) for one in spent]
    yield "CO2", [say_grams(one.grams) for one in spent]


def _sources(found: "RecipePlan") -> Text:
    lines = [BEFORE, f"  {found.machine.say()}: {say_bytes(found.machine.memory)}, {found.machine.watts:,.0f} W"]
    if found.machine.kind == "accelerator" and found.machine.count > 1:
        lines.append(f"  {found.machine.count} are taken as so many times one; pinxit itself trains on one for now")
    if found.machine.kind == "accelerator" and found.parameters < SMALL:
        lines.append(
            "  so small a network waits for launches: the shipped one reached a tenth to a half of it on one H200"
        )
    lines += [f"  {rate.say()}" for rate in found.rates]
    return Text("\n".join(lines), style="dim")
