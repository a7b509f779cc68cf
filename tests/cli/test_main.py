"""The table of verbs: found fast, complete, and of help where a verb is not known."""

import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest

from pinxit.cli.main import GROUPS, VERBS
from tests.cli.conftest import Answer

Run = Callable[..., Answer]
HEAVY = "torch", "tyro", "pydantic", "rich", "numpy"


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_the_contents_name_every_verb(pinxit: Run, words: list[str]) -> None:
    answer = pinxit(*words)
    assert answer.status == 0
    assert all(f"  pinxit {verb} " in answer.out for verb in VERBS)


def imported(code: str, unwanted: Sequence[str]) -> list[str]:
    """Which of the unwanted modules a Python of its own has imported after the code."""
    code = f"import sys\n{code}\nprint('heavy:', *[name for name in {list(unwanted)} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()[1:]


@pytest.mark.parametrize("words", [["--help"], ["data"]])
def test_the_contents_import_nothing_heavy(words: list[str]) -> None:
    main = f"sys.argv = ['pinxit', *{words}]\nfrom pinxit.cli.main import main\ntry: main()\nexcept SystemExit: pass"
    assert imported(main, HEAVY) == []


def test_no_verbs_help_imports_a_framework() -> None:
    helps = (
        f"from pinxit.cli.main import main\nfor verb in {list(VERBS)}:\n"
        "    sys.argv = ['pinxit', *verb.split(), '--help']\n    try: main()\n    except SystemExit: pass\n"
    )
    assert imported(helps, ("torch", "diffusers", "transformers", "datasets")) == []


@pytest.mark.parametrize("words", [["data"], ["data", "--help"], ["data", "-h"], ["distill"]])
def test_a_group_prints_its_own_contents(pinxit: Run, words: list[str]) -> None:
    answer = pinxit(*words)
    assert answer.status == 0
    named = {verb for verb in VERBS if f"  pinxit {verb} " in answer.out}
    assert named == {verb for verb in VERBS if verb.startswith(f"{words[0]} ")}


def test_every_group_has_its_title() -> None:
    assert set(GROUPS) == {verb.split()[0] for verb in VERBS if " " in verb} - set(VERBS)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["genrate", "an owl"], "pinxit: there is no verb 'genrate'; did you mean `pinxit generate`?"),
        (["data", "enc"], "pinxit: there is no verb 'data enc'; did you mean `pinxit data encode`?"),
        (["import", "pictures"], "pinxit: there is no verb 'import'; did you mean `pinxit data import`?"),
        (["dat"], "pinxit: there is no verb 'dat'; did you mean `pinxit data`?"),
        (["--verison"], "pinxit: there is no verb '--verison'; did you mean `pinxit --version`?"),
        (["xyzzy"], "pinxit: there is no verb 'xyzzy'; see pinxit --help"),
    ],
)
def test_an_unknown_verb_is_one_line_with_the_nearest_one(pinxit: Run, words: list[str], line: str) -> None:
    assert pinxit(*words) == Answer(2, "", line + "\n")


def test_the_version_is_printed(pinxit: Run) -> None:
    assert pinxit("--version").out.startswith("pinxit 0.")
