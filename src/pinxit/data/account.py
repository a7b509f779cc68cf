"""The account of an import: what was found, used, rejected and ignored, and what the text encoder would cut."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b, sha256

from pinxit.config import Config
from pinxit.data.original import Ignored, Rejected, SourceRules, printable
from pinxit.data.record import Caption


class ImportReport(Config):
    """What a RECORDS folder was made of: `found` = `used` + `rejected`.

    `duplicates` of the used pictures have the very bytes of an earlier one, `classed` have a class, the labels
    of `strange_labels` are no whole numbers; `class_names` are the folders that became classes; `sha256` is of all that
    was stored.
    """

    source: str
    rules: SourceRules | None
    found: int
    used: int
    rejected: int
    reasons: dict[str, int]
    ignored: dict[str, int]
    duplicates: int
    classed: int = 0
    strange_labels: int = 0
    class_names: tuple[str, ...] = ()
    captions: int
    caption_limit: int | None
    captions_over_limit: int
    share_over_limit: float
    tokens_over_limit: int
    sha256: str

    def found_in_words(self) -> str:
        """The counts of a source where nothing could be used."""
        counts = [f"{count} {reason}" for reason, count in self.reasons.items()]
        counts += [f"{count} ignored ({kind})" for kind, count in self.ignored.items()]
        return "found " + (", ".join(counts) or "nothing at all")


@dataclass(frozen=True)
class TokenLimit:
    """How a text encoder counts the tokens of a caption, and the most that it reads."""

    count: Callable[[str], int]
    most: int


class Account:
    """Counts as an import goes on; of the pictures it keeps 16 bytes each."""

    def __init__(self, tokens: TokenLimit | None) -> None:
        self.tokens = tokens
        self.used = self.duplicates = self.classed = self.strange_labels = self.captions = self.captions_over = (
            self.tokens_over
        ) = 0
        self.reasons, self.ignored = Counter[str](), Counter[str]()
        self.class_names = dict[int, str]()
        self._seen, self._digest = set[bytes](), sha256()

    def use(self, picture: bytes, captions: tuple[Caption, ...], label: int | None, rest: bytes) -> None:
        """One more picture is stored with its captions and its class; `rest` is all else that is stored of it."""
        for part in (picture, rest):
            self._digest.update(len(part).to_bytes(8, "little") + part)
        self.used += 1
        digest = blake2b(picture, digest_size=16).digest()
        self.duplicates += digest in self._seen
        self._seen.add(digest)
        self.classed += label is not None
        self.captions += len(captions)
        if self.tokens is not None:
            over = [max(0, self.tokens.count(caption.text) - self.tokens.most) for caption in captions]
            self.captions_over += sum(excess > 0 for excess in over)
            self.tokens_over += sum(over)

    def reject(self, rejected: Rejected) -> None:
        """One more that is not used."""
        self.reasons[rejected.reason.value] += 1

    def ignore(self, ignored: Ignored) -> None:
        """One more file that is neither picture nor caption."""
        self.ignored[printable(ignored.kind)] += 1

    def report(self, source: str, rules: SourceRules | None) -> ImportReport:
        """The account as it stands."""
        rejected = self.reasons.total()
        return ImportReport(
            source=source,
            rules=rules,
            found=self.used + rejected,
            used=self.used,
            rejected=rejected,
            reasons=dict(self.reasons.most_common()),
            ignored=dict(self.ignored.most_common()),
            duplicates=self.duplicates,
            classed=self.classed,
            strange_labels=self.strange_labels,
            class_names=tuple(self.class_names[number] for number in sorted(self.class_names)),
            captions=self.captions,
            caption_limit=None if self.tokens is None else self.tokens.most,
            captions_over_limit=self.captions_over,
            share_over_limit=self.captions_over / max(1, self.captions),
            tokens_over_limit=self.tokens_over,
            sha256=self._digest.hexdigest(),
        )
