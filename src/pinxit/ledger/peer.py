"""What training of published models took, as the paper lists it, and what operations would take there."""

from collections.abc import Sequence

from pinxit.ledger.machine import find_machine
from pinxit.ledger.quantity import UNKNOWN, mark, say_dollars, say_grams, say_operations, say_seconds
from pinxit.ledger.report import Item
from pinxit.ledger.tariff import ACCELERATORS, PAPER, Rate, Reference

SOURCE = "Chen et al. 2023 (arXiv 2310.00426): pictures and days of its table 2, money and CO2 of its figure 2"


def _peer(name: str, pictures: int, days: float, dollars: float, tonnes: float) -> Reference:
    return PAPER.model_copy(
        update={
            "name": name, "pictures": pictures, "accelerator_days": days, "dollars": dollars, "grams": tonnes * 1e6,
            "source": SOURCE,
        }
    )  # fmt: skip


PEERS: Sequence[Reference] = (  # CO2 is read off a figure of person-years of 5 tonnes, but for RAPHAEL's
    _peer("RAPHAEL", 5_000_000_000, 60_000.0, 3.08e6, 35.0),
    _peer("DALL-E 2", 650_000_000, 41_667.0, 2.14e6, 25.0),
    _peer("Imagen", 860_000_000, 7_132.0, 366e3, 4.0),
    _peer("SD v1.5", 2_000_000_000, 6_250.0, 320e3, 3.5),
    _peer("GigaGAN", 2_700_000_000, 4_783.0, 245e3, 3.0),
    PAPER,
)


def paper_rate() -> Rate:
    """Operations a second of an A100 in the paper's training."""
    return find_machine(PAPER.accelerator).rate


def paper_price() -> Rate:
    """Dollars for an hour of an A100 in the paper's account."""
    return next(rate for rate in ACCELERATORS if rate.name == PAPER.accelerator)


def places(run: Item) -> list[tuple[str, ...]]:
    """The paper's table in words, row by row: name, pictures, A100 time, money, CO2; where operations of the run were
    counted, its place by these alone stands last.
    """
    rows: list[tuple[str, ...]] = [
        (
            peer.name,
            f"{peer.pictures:,}",
            f"{peer.accelerator_days:,.0f} d",
            say_dollars(peer.dollars),
            f"≈ {say_grams(peer.grams)}",
        )
        for peer in PEERS
    ]
    if run.operations is not None:
        seconds = run.operations / paper_rate().value
        said = say_seconds(seconds), say_dollars(seconds / 3600 * paper_price().value)
        rows.append(("this run", f"{run.pictures:,}", *(mark(each, "estimated") for each in said), UNKNOWN))
    return rows


def basis(run: Item) -> list[str]:
    """What the table and the run's place in it rest on, in lines, the last of which is a remark."""
    published = f"published: {SOURCE}"
    if run.operations is None:
        return [published, "This run has no place beside published training: its operations were not counted."]
    return [
        published,
        f"this run there: {say_operations(run.operations)} at {paper_rate().say()}, and at {paper_price().say()}",
        "This run stands there by its operations alone. Not to be compared: its time, energy and CO2, of another "
        "machine and grid; what was learned.",
    ]
