"""How far a measured share may be off."""

from dataclasses import dataclass
from math import sqrt

Z = 1.959964  # of 95 %


@dataclass(frozen=True)
class Share:
    """So many right of so many, with the 95 % interval of Wilson (1927)."""

    right: int
    of: int

    @property
    def value(self) -> float:
        """The share itself; 0 of nothing."""
        return self.right / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end; everything of nothing."""
        if not self.of:
            return 0.0, 1.0
        share, spread = self.value, Z**2 / self.of
        centre = (share + spread / 2) / (1 + spread)
        half = Z * sqrt(share * (1 - share) / self.of + spread / (4 * self.of)) / (1 + spread)
        return max(0.0, centre - half), min(1.0, centre + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.1%} ({low:.1%} to {high:.1%}, n = {self.of})"


def count(right: list[bool]) -> Share:
    """The share of those that are right."""
    return Share(sum(right), len(right))
