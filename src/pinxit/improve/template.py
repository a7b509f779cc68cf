"""What is asked of a model: a prompt, and the answer to improve where there is one, joined in one text.

The published template is not known. This one gives no instruction: markers stand between the parts. Where a part spells
a marker, a backslash goes into it (`<\\answer>`), one more where there were some, so that no part can pass for another
and every text comes back as it was.
"""

import re
from dataclasses import dataclass

from pinxit.errors import DataError

ANSWER, BETTER = "\n<answer>\n", "\n<better>"
_MARKER = re.compile(r"<(\\*)(answer|better)>")


@dataclass(frozen=True)
class Question:
    """A prompt, for a policy; or a prompt and an answer that is to be improved, for an improver."""

    prompt: str
    reference: str | None = None

    @property
    def text(self) -> str:
        """What a model reads before it answers."""
        return self.prompt if self.reference is None else join(self.prompt, self.reference)


def join(prompt: str, reference: str) -> str:
    """Prompt and reference answer as one text, after which a better answer is to follow."""
    return f"{escape(prompt)}{ANSWER}{escape(reference)}{BETTER}"


def part(text: str) -> tuple[str, str]:
    """The prompt and the reference answer that were joined; DataError for any other text."""
    prompt, marker, rest = text.partition(ANSWER)
    if not marker or not rest.endswith(BETTER):
        raise DataError(repr(text[:80]), "it is not a prompt joined with an answer", "join them with `join`")
    return _plain(prompt), _plain(rest.removesuffix(BETTER))


def escape(text: str) -> str:
    """The text as it stands in a join."""
    return _MARKER.sub(r"<\1\\\2>", text)


def _plain(text: str) -> str:
    return re.sub(r"<(\\*)\\(answer|better)>", r"<\1\2>", text)
