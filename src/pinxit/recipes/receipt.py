"""The bill as part of a page: the figures under its title, and the section that explains them."""

from collections.abc import Sequence
from html import escape

from pinxit.ledger.peer import PEERS, basis, places
from pinxit.ledger.quantity import mark, say_bytes, say_dollars, say_energy, say_grams, say_seconds, say_share
from pinxit.ledger.report import MARKS, Bill, Item
from pinxit.recipes.markup import Cell, note, section, table


def facts(found: Bill | None) -> str:
    """The five figures of the whole run; empty where nothing was metered."""
    if found is None:
        return ""
    total = found.total
    said = {
        "time": say_seconds(total.seconds),
        "energy": mark(say_energy(total.joules), total.joules_source),
        "at home": mark(say_dollars(total.electricity), total.joules_source),
        "rented": "no price" if total.rent is None else say_dollars(total.rent),
        "CO₂": mark(say_grams(total.grams), total.joules_source),
    }
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in said.items())


def costs(found: Bill | None) -> str:
    """The bill by stage and phase, beside the plan, with the source of each price."""
    title = "What it took"
    if found is None:
        return section(title, note("Nothing was metered: ledger.jsonl is not there."))
    rows: list[Sequence[Cell]] = []
    strong = []
    for stage in found.stages:
        strong.append(len(rows))
        rows.append(_cost(stage.stage, stage))
        rows += [_cost(f"\u2003{item.phase}", item) for item in found.phases(stage.stage)]
    strong.append(len(rows))
    rows.append(_cost("total", found.total))
    if part := found.share(1000):
        rows.append(_cost("per 1,000 pictures", part))
    headings = ("", "pictures", "time", "waiting", "energy", "at home", "rented", "CO₂")
    return section(title, table(headings, rows, strong), note(MARKS), _plan(found), _published(found), _sources(found))


def _cost(label: str, item: Item) -> Sequence[Cell]:
    return (
        label,
        f"{item.pictures:,}",
        say_seconds(item.seconds),
        say_share(item.waited, item.seconds),
        mark(say_energy(item.joules), item.joules_source),
        mark(say_dollars(item.electricity), item.joules_source),
        "no price" if item.rent is None else say_dollars(item.rent),
        mark(say_grams(item.grams), item.joules_source),
    )


def _plan(found: Bill) -> str:
    if not found.beside_plan:
        return note("Nothing was planned: plan.json is not there, or names other stages.")
    rows = [
        (
            planned.label,
            (f"{taken.pictures:,}", f"planned {planned.pictures:,}"),
            (say_seconds(taken.seconds), f"planned {say_seconds(planned.seconds)}"),
            (mark(say_energy(taken.joules), taken.joules_source), f"planned {say_energy(planned.joules)}"),
        )
        for planned, taken in found.beside_plan
    ]
    return "<h3>Beside the plan</h3>" + table(("", "pictures", "time", "energy"), rows)


def _published(found: Bill) -> str:
    """The paper's table, and where the operations of the run put it."""
    headings, own = ("", "pictures", "A100 time", "money", "CO₂"), [len(PEERS)]
    shown = table(headings, places(found.total), own)
    return f"<h3>Beside published training</h3>{shown}{note(basis(found.total)[-1])}"


def _sources(found: Bill) -> str:
    total = found.total
    memory = f"at most {say_bytes(total.peak_bytes)} of memory"
    if total.peak_accelerator_bytes:
        memory += f" and {say_bytes(total.peak_accelerator_bytes)} on the accelerator"
    planned = [f"Planned: {say_bytes(found.plan.peak)} of memory, on {found.plan.on}."] if found.plan.peak else []
    lines = [*planned, *(f"On {one.say()}, {memory}." for one in found.hardware)]
    lines += [f"Energy: {method}." for method in found.methods]
    lines += [rate.say() for rate in found.tariff.rates]
    lines += basis(found.total)[:-1]
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<details><summary>Where these figures come from</summary><ul>{items}</ul></details>"
