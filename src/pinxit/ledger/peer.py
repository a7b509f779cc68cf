"""What training of published models took, as the paper lists it, and what operations would take there."""

from collections.abc import Sequence

from pinxit.ledger.machine import find_machine
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


def paper_seconds(operations: float) -> float:
    """Seconds of one A100 in which the paper would have computed as much."""
    return operations / paper_rate().value


def paper_dollars(operations: float) -> float:
    """What these seconds would have cost the paper."""
    return paper_seconds(operations) / 3600 * paper_price().value
