"""`pinxit cost RUN`: seconds, energy, money and CO2 of a run, phase by phase, and the prices behind them.

pinxit cost runs/demo
pinxit cost runs/demo --tariff.grid FRA --tariff.electricity 0.25
"""

from pathlib import Path

from rich.table import Table
from rich.text import Text
from tyro.conf import Positional

from pinxit.cli.parse import parse
from pinxit.config import Config
from pinxit.ledger.config import TariffConfig
from pinxit.ledger.meter import TRAIN
from pinxit.ledger.peer import PEERS, basis, places
from pinxit.ledger.quantity import (
    UNKNOWN,
    mark,
    say_bytes,
    say_dollars,
    say_energy,
    say_grams,
    say_operations,
    say_seconds,
    say_share,
)
from pinxit.ledger.report import MARKS, Bill, Item, bill
from pinxit.log import console

NO_PEAK = "the machine's peak is not known: `pinxit plan RECIPE --calibrate` measures it, for what is trained after it"


class Arguments(Config):
    """What a run took, and what that costs.

    Example: pinxit cost runs/demo --tariff.grid FRA
    """

    folder: Positional[Path]
    tariff: TariffConfig = TariffConfig()


def main(verb: str, words: list[str]) -> None:
    """Prints the bill of the run that the words name."""
    run(parse(Arguments, verb, words))


def run(arguments: Arguments) -> None:
    """Prints the bill, what was planned, and where every price comes from."""
    found = bill(arguments.folder, arguments.tariff)
    console.print(_table(found))
    if found.beside_plan:
        console.print(_plan(found))
    if found.total.operations is not None:
        console.print(_computed(found))
    console.print(_published(found))
    console.print(_sources(found))


def _table(found: Bill) -> Table:
    table = _empty_table("What it took", "pictures", "time", "waiting", "energy", "at home", "rented", "CO2")
    for stage in found.stages:
        table.add_row(stage.stage, *_row(stage), style="bold")
        for item in found.phases(stage.stage):
            table.add_row(f"  {item.phase}", *_row(item))
    table.add_row("total", *_row(found.total), style="bold")
    if part := found.share(1000):
        table.add_row("per 1,000", *_row(part))
    return table


def _empty_table(title: str, *headings: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, header_style="dim", padding=(0, 1, 0, 0)
    )
    table.add_column("")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _row(item: Item) -> tuple[str, ...]:
    return (
        f"{item.pictures:,}",
        say_seconds(item.seconds),
        say_share(item.waited, item.seconds),
        mark(say_energy(item.joules), item.joules_source),
        mark(say_dollars(item.electricity), item.joules_source),
        "no price" if item.rent is None else say_dollars(item.rent),
        mark(say_grams(item.grams), item.joules_source),
    )


def _plan(found: Bill) -> Table:
    table = _empty_table("Planned, and taken", "pictures", "taken", "time", "taken", "energy", "taken")
    for planned, taken in found.beside_plan:
        table.add_row(
            planned.label,
            f"{planned.pictures:,}",
            f"{taken.pictures:,}",
            say_seconds(planned.seconds),
            say_seconds(taken.seconds),
            say_energy(planned.joules),
            mark(say_energy(taken.joules), taken.joules_source),
        )
    return table


def _computed(found: Bill) -> Table:
    """Operations of training, planned beside counted, and how much of the machine they kept busy."""
    table = _empty_table("What was computed", "planned", "counted", "a second", "of the peak")
    planned = {one.stage: one.operations for one in found.plan.stages if one.phase == TRAIN}
    for item in found.items:
        if item.operations is None:
            continue
        before = planned.get(item.stage)
        table.add_row(
            item.stage,
            UNKNOWN if before is None else say_operations(before),
            say_operations(item.operations),
            f"{say_operations(item.operations / item.seconds)}/s",
            UNKNOWN if item.utilisation is None else say_share(item.utilisation, 1.0),
        )
    return table


def _published(found: Bill) -> Table:
    """The paper's table, and where its operations put the run."""
    table = _empty_table("Beside published training", "pictures", "A100 time", "money", "CO2")
    for place, row in enumerate(places(found.total)):
        table.add_row(*row, style="bold" if place == len(PEERS) else "")
    return table


def _sources(found: Bill) -> Text:
    peak = found.total.peak_bytes, found.total.peak_accelerator_bytes
    lines = [MARKS, f"  most memory: {say_bytes(peak[0])} of the machine, {say_bytes(peak[1])} of an accelerator"]
    if found.plan.peak:
        lines.append(f"  planned: {say_bytes(found.plan.peak)} of it, on {found.plan.on}")
    lines += [f"  on {one.say()}" for one in found.hardware]
    lines += [f"  energy of {method}" for method in found.methods]
    if found.total.operations is not None:
        peaks = [peak.say() for peak in found.peaks]
        lines += [f"  {peak}" for peak in peaks or [NO_PEAK]]
    lines += [f"  {rate.say()}" for rate in found.tariff.rates]
    lines += [f"  {line}" for line in basis(found.total)]
    return Text("\n".join(lines), style="dim")
