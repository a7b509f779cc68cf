"""The cleaning of captions against diffusers' own, on strings made to be nasty."""

import random
import warnings

import pytest
from diffusers import PixArtAlphaPipeline

from pinxit.models.cleaning import deepfloyd, tidy, verbatim

NASTY = [
    "",
    " ",
    "\n\t ",
    "a red apple",
    "  A Red   APPLE \n on a table ",
    "a%20red+apple%2C+please",
    "100% cotton + 50%25 wool",
    "<person> walks with <person>",
    "see https://example.com/a/b for a fox",
    "see http://example.org",
    "www.example.net/page-1/ a fox",
    "www://example a fox",
    "https:example",
    "sold on shop.example.co by maker@example.com today",
    "HTTPS://EXAMPLE.COM/A.PNG",
    "https://a.ithttps://b.ru",
    "<b>bold</b> <i class='x'>fox</i>",
    "a < b and c > d",
    "<br/>a fox<br>and a hen",
    "<script>let a = 1</script>a fox<style>p{}</style>",
    "<!-- hidden --> a fox",
    "<?xml version='1.0'?><a>fox</a>",
    "a fox <img src='fox.png' alt=\"fox\"",
    "thanks @maker and @Some_One2, good fox",
    "mail me@here",
    "中文 a fox 狐狸",
    "㇀㇟ ㇰ ㈠ ㌀ 㐀 ䷀ fox",
    "ひらがな カタカナ 한국어 лиса",
    "a – b — c ‒ d ― e 〜 f ～ g － h",
    "“a fox” ‘a hen’ «a cat» `a dog´ ¨",
    "&quot;a fox&quot; &amp; a hen",
    "&amp;quot;a fox&amp;quot &amp;amp; a hen",
    "&amp;amp;lt;b&amp;amp;gt; &eacute; &#65;bc123 &#x1F98A;",
    "from 192.168.0.1 with love 1.2.3.4.5",
    "a fox 1:23 ",
    "a fox 1:23  hen",
    "a fox\\na hen\\n",
    "#1 fox, #1234 hen, #12345 cat, #foxes",
    "photo 123456 and 12345 and 1234567890",
    "img_0012.png my-fox.jpeg, a fox.JPG of a.webp fox.mp4",
    '"""SOLD OUT""" \'\' "\'',
    "well... a fox.. and. so on . . . end",
    "***SOLD OUT*** [fox] {hen} (cat) | dog / cow \\ pig ~ #ox §1 ®©™",
    "this-is-my-cute-fox",
    "this_is_my_cute_fox_photo",
    "a well-known red-hot fox-like thing",
    "schÃ¶n â€œfoxâ€\x9d ï¬\x81re ﬁre",
    "jc6640 jc6640vc 6640vc231 abcd1234 a1b2c3d4 1a2b 12ab34",
    "free shipping worldwide free shipping worldwide  shipping",
    "free download, download free wallpaper downloads",
    "click for more, click on this fox, clicks for it",
    "png images of a fox, jpg image, pdfs, 1.eps apk",
    "page 12 of page  3, webpage 4",
    "poster 20x30 cm, 20х30, 20×30, 2.5x3.5in, 20 x 30",
    "title  :  a fox :hen",
    "fox,hen.cat/dog 1,000 3.14 a.b",
    "'a fox and a hen'",
    '"a fox"',
    "-a fox-",
    ": a fox :",
    ".fox",
    "_a fox+",
    "a fox\u00a0and\u200ba hen\ufeff",
    "🦊 a fox 🦊🏽 ❤️",
    "e\u0301clair É Straße ǅ İstanbul",
    "1:23",
    "a" * 300,
    "@@@ ### ... --- ___ ''' +++",
]


def reference(text: str) -> str:
    """What diffusers makes of it; its parser's warnings are no concern here."""
    pipeline = PixArtAlphaPipeline.__new__(PixArtAlphaPipeline)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (cleaned,) = pipeline._text_preprocessing(text, clean_caption=True)
    return str(cleaned)


@pytest.mark.parametrize("text", NASTY)
def test_deepfloyd_equals_diffusers(text: str) -> None:
    assert deepfloyd(text) == reference(text)


def test_deepfloyd_equals_diffusers_on_random_mixtures_of_the_nasty_strings() -> None:
    draw = random.Random(0)
    pieces = [piece for text in NASTY for piece in text.split(" ")]
    for _ in range(400):
        text = "".join(draw.choice(pieces) + draw.choice(["", " ", " ", ".", "-"]) for _ in range(6))
        assert deepfloyd(text) == reference(text), text


def test_deepfloyd_keeps_markup_that_the_parser_refuses() -> None:
    assert deepfloyd("a <![fox[ hen") == "a <! fox hen"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \n", ""),
        (" A  red\tfox\n", "A red fox"),
        ("e\u0301clair", "éclair"),
        ("<b> @x 20x30", "<b> @x 20x30"),
    ],
)
def test_tidy_composes_letters_and_collapses_white_space_and_nothing_else(text: str, expected: str) -> None:
    assert tidy(text) == expected


def test_verbatim_changes_nothing() -> None:
    assert verbatim(" A  <b> ") == " A  <b> "
