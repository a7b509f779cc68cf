"""Lines on standard output as they are: no markup read in them, no colours, no wrapping."""

from pinxit.log import console


def say(text: str) -> None:
    """The text stands on standard output."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
