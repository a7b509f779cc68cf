"""Captioning: none labelled twice, none lost, the old caption kept, the new ones drawn as often as was said."""

import json
from collections.abc import Generator, Iterable
from pathlib import Path

import numpy as np
import pytest

from pinxit.data.caption import REQUEST, REQUEST_WITH_CAPTION, Answer, Question, caption, place_beside, shrink, tidy
from pinxit.data.journal import CaptionerIdentity
from pinxit.data.record import Caption
from pinxit.data.records import Records, content_of, read_records
from pinxit.errors import DataError
from pinxit.ledger.report import bill
from tests.data.vision import IDENTITY, write

CAPTIONS = (["a fox"], [], ["an owl", "a bird"], ["a hill"])


class Speaker:
    """Says what it was asked and of which picture; the power goes before it says more than `most`."""

    def __init__(self, most: int = 10**9, mute: tuple[str, ...] = (), identity: CaptionerIdentity = IDENTITY) -> None:
        self.identity, self.most, self.mute, self.asked = identity, most, mute, list[str]()

    def answer(self, questions: Iterable[Question]) -> Generator[Answer, None, None]:
        for question in questions:
            if len(self.asked) == self.most:
                raise KeyboardInterrupt
            self.asked.append(question.key)
            if question.key in self.mute:
                yield Answer(question, problem="it is silent")
            else:
                yield Answer(question, f"{question.text}: {question.read().sum()}", is_cut=question.place == 0)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return read_records(write(tmp_path / "own", CAPTIONS))


def journal(records: Records) -> Path:
    return place_beside(records.folder) / "journal.jsonl"


def again(records: Records) -> Records:
    return read_records(records.folder)


def label(records: Records, speaker: Speaker, share: float = 0.5, *, add: bool = False) -> list[tuple[Caption, ...]]:
    caption(records, speaker, place_beside(records.folder), share, add=add)
    return list(again(records).wordings())


def test_the_old_captions_stay_and_the_new_ones_get_their_share(records: Records) -> None:
    said = label(records, Speaker(), 0.6)
    assert [one.text for one in said[2]][:2] == ["an owl", "a bird"]
    assert [one.kind for one in said[2]] == ["own", "own", "dense"]
    assert [one.weight for one in said[2]] == pytest.approx([0.2, 0.2, 0.6])
    assert [(one.kind, one.weight) for one in said[1]] == [("dense", 1.0)]
    assert list(again(records).wordings(imported=True)) == [records.imported(place) for place in range(4)]
    assert again(records)[2].captions == said[2] == again(records).captions(2)


def test_an_old_caption_is_mentioned_where_there_is_one(records: Records) -> None:
    assert REQUEST == "Describe this image and its style in a very detailed manner"
    assert REQUEST_WITH_CAPTION.endswith('"{caption}", describe this image and its style in a very detailed manner')
    said = label(records, Speaker())
    assert said[0][-1].text.startswith("Describe this a fox image: ")
    assert said[1][-1].text.startswith("Describe this image: ")


@pytest.mark.parametrize("most", [0, 1, 3])
def test_killed_and_started_again_it_asks_nobody_twice_and_ends_as_straight_through(
    records: Records, tmp_path: Path, most: int
) -> None:
    other = read_records(write(tmp_path / "other", CAPTIONS))
    straight = label(other, Speaker())
    first, second, third = Speaker(most), Speaker(), Speaker()
    with pytest.raises(KeyboardInterrupt):
        label(records, first)
    if journal(records).is_file():
        with journal(records).open("ab") as opened:
            opened.write('{"mark": "00", "by": "tor\u00e9'.encode()[:-1])  # the power went within a letter
    assert label(records, second) == straight
    assert first.asked + second.asked == records.keys
    assert label(records, third) == straight
    assert third.asked == []


def test_a_failing_picture_is_listed_passed_over_and_asked_about_again(records: Records) -> None:
    account = caption(records, Speaker(mute=("1.png",)), place_beside(records.folder), 0.5)
    assert (account.pictures, account.before, account.now, account.failed, account.cut) == (4, 0, 3, 1, 1)
    failed = place_beside(records.folder) / "failed.jsonl"
    assert json.loads(failed.read_text()) == {"key": "1.png", "why": "it is silent"}
    assert again(records).captions(1) == ()
    speaker = Speaker()
    assert all(label(again(records), speaker))
    assert speaker.asked == ["1.png"]
    assert not failed.exists()


def test_a_captioner_that_says_nothing_more_ends_the_work(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.data.caption.IN_A_ROW", 2)
    with pytest.raises(DataError, match=r"failed.jsonl: 2 pictures .* the last: it is silent; mend that"):
        label(records, Speaker(mute=("1.png", "2.png")))
    assert label(records, Speaker())[0][-1].kind == "dense"


def test_another_captioner_takes_the_place_of_the_first_or_stands_beside_it(records: Records) -> None:
    other = IDENTITY.model_copy(update={"model": "other"})
    label(records, Speaker())
    beside = label(again(records), Speaker(identity=other), add=True)
    assert [one.weight for one in beside[0]] == pytest.approx([0.5, 0.25, 0.25])
    alone = label(again(records), Speaker(0, identity=other))
    assert [len(captions) for captions in alone] == [2, 1, 3, 2]
    back = Speaker(0)  # says nothing, for the journal has it all
    assert label(again(records), back) == label(again(records), Speaker(0))


def test_a_caption_is_for_the_picture_that_it_was_written_for(records: Records) -> None:
    label(records, Speaker())
    speaker = Speaker()
    new = write(records.folder, [["a fox"], [], ["an owl"], ["a hill"], ["new"]])
    assert read_records(new).captions(0) == (Caption("a fox"),)  # an import begins anew
    said = label(read_records(new), speaker)
    assert speaker.asked == ["4.png"]  # the others are the same pictures
    assert all(said)


def test_new_captions_are_another_content(records: Records) -> None:
    before = content_of(records.folder)
    label(records, Speaker())
    first = content_of(records.folder)
    label(records, Speaker(), 0.7)
    assert len({before, first, content_of(records.folder)}) == 3
    assert len(list(records.folder.glob("captions-*.arrow"))) == 1


def test_the_work_stands_in_the_ledger(records: Records) -> None:
    label(records, Speaker())
    (item,) = bill(place_beside(records.folder)).items
    assert (item.stage, item.phase, item.pictures) == ("captions", "caption", 4)


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((20, 30), (20, 30)), ((400, 800), (400, 800)), ((1500, 2250), (400, 600)), ((3000, 300), (800, 80)),
        ((1, 9000), (1, 800)),
    ],
)  # fmt: skip
def test_sides_are_as_short_as_in_the_papers_script(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert shrink(np.zeros((*size, 3), np.uint8)).shape == (*wanted, 3)


@pytest.mark.parametrize(
    ("said", "text"),
    [(" a\n\tfox ", "a fox"), ("", ""), (None, ""), (["a"], ""), (" … \0", ""), ("a\ud800fox\0", "afox"), ("狐", "狐")],
)
def test_what_holds_nothing_to_read_is_no_caption(said: object, text: str) -> None:
    assert tidy(said) == text
