"""An improver as a captioner: what a caption says becomes its prompt, and the improved answer the new caption."""

from collections.abc import Generator, Iterable
from itertools import islice
from pathlib import Path

from pinxit.data.caption import SLOT, Answer, Question, tidy
from pinxit.data.journal import CaptionerIdentity
from pinxit.errors import DataError
from pinxit.improve.folder import hash_improver
from pinxit.improve.refine import Improver


class ImprovingCaptioner:
    """Looks at no picture. Its answer depends on the old caption and on how it improves, not on the others."""

    def __init__(self, improver: Improver, folder: Path) -> None:
        self.improver, how = improver, improver.config
        self.identity = CaptionerIdentity(
            model=f"{folder.resolve().name}, up to {how.rounds} rounds, {how.stop}, seed {improver.seed}",
            source=hash_improver(folder), request="", request_with_caption=SLOT,
            temperature=how.sampling.temperature, tokens=how.sampling.most,
        )  # fmt: skip

    def answer(self, questions: Iterable[Question]) -> Generator[Answer, None, None]:
        """An improved caption for every old one; a caption that is too long to be read gets none."""
        rest = iter(questions)
        while some := list(islice(rest, self.improver.config.sampling.batch)):
            problems = {question.place: self._problem(question.text) for question in some}
            yield from (Answer(each, problem=problems[each.place]) for each in some if problems[each.place])
            yield from self._improved([each for each in some if not problems[each.place]])

    def _improved(self, some: list[Question]) -> Generator[Answer, None, None]:
        prompts = [question.text for question in some]
        for question, trace in zip(some, self.improver.trace(prompts, self.improver.first(prompts)), strict=True):
            text = tidy(trace.answer)
            yield Answer(question, text) if text else Answer(question, problem="no answer with a text came")

    def _problem(self, text: str) -> str:
        try:
            self.improver.check(text)
        except DataError as error:
            return str(error)
        return ""
