"""Captions made plain before they are tokenised; the names here stand in `TextIdentity.cleaning`."""

import html
import re
import unicodedata
from collections.abc import Callable
from urllib.parse import unquote_plus

Step = tuple[str, str, str]  # what it is about, what is found, what takes its place

ADDRESSES: tuple[Step, ...] = (
    ("masked name", r"<person>", "person"),
    (
        "web address",
        r"\b(?:(?:https?|www):(?:/{1,3}|[a-z0-9%])"
        r"|[a-z0-9.\-]+\.(?:com|co|ru|net|org|edu|gov|it)[\w/-]*\b/?(?!@))",
        "",
    ),
)
MARKS: tuple[Step, ...] = (
    ("@nickname", r"@\w+", ""),
    ("ideographs and enclosed letters, from CJK strokes to the unified block", r"[\u31c0-\u9fff]+", ""),
    (
        "dashes of all scripts",
        r"[-\u058a\u05be\u1400\u1806\u2010-\u2015\u2e17\u2e1a\u2e3a\u2e3b\u2e40"
        r"\u301c\u3030\u30a0\ufe31\ufe32\ufe58\ufe63\uff0d]+",
        "-",
    ),
    ("double quotes", r"[`´«»“”¨]", '"'),
    ("single quotes", r"[‘’]", "'"),
    ("what twofold escaping left", r"&quot;?|&amp", ""),
    ("network address", r"\d{1,3}(?:\.\d{1,3}){3}", " "),
    ("article number at the end", r"\d:\d\d\s+$", ""),
    ("line break written out", r"\\n", " "),
    ("#number, but for four digits", r"#(?:\d{1,3}|\d{5,})\b", ""),
    ("long number", r"\b\d{6,}\b", ""),
    ("file name", r"\S+\.(?:png|jpe?g|bmp|webp|eps|pdf|apk|mp4)", ""),
    ("quotes in a row", r"[\"']{2,}", '"'),
    ("dots in a row", r"\.{2,}", " "),
    ("signs that say nothing", r"[#®•©™&@·º½¾¿¡§~(){}|*/\\\[\]]+", " "),
    ("dot that stands alone", r"\s+\.\s+", " "),
)
WORDS: tuple[Step, ...] = (
    (
        "identifier: ab123, ab12cd, 12ab34",
        r"\b(?:[a-zA-Z]{1,3}\d{3,15}|[a-zA-Z]+\d+[a-zA-Z]+|\d+[a-zA-Z]+\d+)\b",
        "",
    ),
    ("offer of shipping", r"(?:worldwide\s+)?(?:free\s+)?shipping", ""),
    ("offer of a download", r"(?:free\s)?download(?:\sfree)?", ""),
    ("call to click", r"\bclick\b\s(?:for|on)\s\w+", ""),
    ("file type", r"\b(?:png|jpe?g|bmp|webp|eps|pdf|apk|mp4)(?:\simages?)?", ""),
    ("page number", r"\bpage\s+\d+\b", ""),
    ("longer identifier: a1b2c3", r"\b\d*[a-zA-Z]+\d+[a-zA-Z]+\d+[a-zA-Z\d]*\b", " "),
    ("size: 20x30, the cross in Latin, Cyrillic or its own sign", r"\b\d+\.?\d*[xх×]\d+\.?\d*\b", ""),
    ("colon that stands alone", r"\b\s+:\s+", ": "),
    ("comma, dot or slash without its space", r"(\D[,./])\b", r"\1 "),
    ("white space", r"\s+", " "),
    ("quotes around it all", r"(?s)^[\"'](.+)[\"']$", r"\1"),
    ("sign at the start", r"^['_,\-:;]", ""),
    ("sign at the end", r"['_,\-:+]$", ""),
    ("nothing but a file ending", r"^\.\S+$", ""),
)


def deepfloyd(text: str) -> str:
    """The text without web litter, lower-case, as PixArt-α's captions were cleaned: the same pass, twice.

    Equal to diffusers' PixArtAlphaPipeline but for two things. Both forms of web address are removed in one go, so an
    address that only arises by removing another one stays until the second pass. And markup that the HTML parser
    refuses (`<![name[`) is kept as plain text, where diffusers raises.
    """
    return _pass(_pass(text))


def tidy(text: str) -> str:
    """The text in Unicode's composed form (NFC), its white space single; case is left to the tokenizer."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def verbatim(text: str) -> str:
    """The text itself."""
    return text


CLEANINGS: dict[str, Callable[[str], str]] = {"deepfloyd": deepfloyd, "nfc": tidy, "none": verbatim}


def _pass(text: str) -> str:
    from ftfy import fix_text

    text = _apply(ADDRESSES, unquote_plus(text).strip().lower())
    text = _apply(MARKS, _without_tags(text))
    if text.count("-") + text.count("_") > 3:  # a name made of words, not a few compounds
        text = text.replace("-", " ").replace("_", " ")
    text = html.unescape(html.unescape(fix_text(text)))
    return _apply(WORDS, text).strip()


def _apply(steps: tuple[Step, ...], text: str) -> str:
    for _, found, instead in steps:
        text = re.sub(found, instead, text)
    return text


def _without_tags(text: str) -> str:
    from bs4 import BeautifulSoup
    from bs4.exceptions import ParserRejectedMarkup

    try:  # the leading tag keeps the parser from warning that a text without any might be a file name
        return BeautifulSoup(f"<p>{text}", "html.parser").get_text()
    except ParserRejectedMarkup:
        return text
