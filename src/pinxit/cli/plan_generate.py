"""`pinxit plan generate`: the memory that drawing will need, before anything is loaded.

pinxit plan generate --from exported --size 1024 --memory offload
"""

from rich.table import Table

from pinxit.cli.generate import Drawn, size_of, wanted_of
from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.log import console

GIB = 2**30


class Arguments(Drawn):
    """Says, part by part, what `pinxit generate` with the same flags will hold in memory, and its peak. Estimates.

    Example: pinxit plan generate --from exported --aspect 3:2 --memory offload
    """


def main(verb: str, words: list[str]) -> None:
    """Plans what the words would draw."""
    run(parse(Arguments, verb, words))


def run(arguments: Arguments) -> None:
    """Prints the table and the peak."""
    wanted = wanted_of(arguments)
    from pinxit.generate.card import SHIPPED
    from pinxit.generate.config import SourceConfig
    from pinxit.generate.opened import card_of, open_source
    from pinxit.generate.plan import peak, plan

    source = SourceConfig(autoencoder=arguments.autoencoder, text=arguments.text)
    opened = open_source(arguments.source or SHIPPED, source)
    card = card_of(opened)
    side = (card.resolution, card.resolution)
    size = size_of(arguments, wanted, card.resolution, card.autoencoder.factor * card.network.patch) or side
    at_once = min(arguments.count, card.sampling.batch)
    needs = plan(opened, arguments.memory, size, at_once)
    table = Table(title=f"{at_once} of {size[1]}x{size[0]} at once, in GiB", box=None)
    for column in ("", "held", "at work"):
        table.add_column(column, justify="left" if not column else "right")
    for need in needs:
        table.add_row(need.name, f"{need.held / GIB:.2f}", f"{need.working / GIB:.2f}" if need.working else "")
    console.print(table)
    if any(need.turn == "words" for need in needs):
        say("the text encoder is gone when the network comes")
    say(f"peak: {peak(needs) / GIB:.1f} GiB")
