"""The table of verbs: found fast, complete, and of help where a verb is not known."""

import subprocess
import sys
from collections.abc import Callable

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


@pytest.mark.parametrize(
    ("words", "unwanted"), [(["--help"], HEAVY), (["data"], HEAVY), (["train", "--help"], ("torch", "diffusers"))]
)
def test_help_imports_nothing_heavy(words: list[str], unwanted: tuple[str, ...]) -> None:
    code = (
        f"import sys; sys.argv = ['pinxit', *{words}]\nfrom pinxit.cli.main import main\n"
        f"try: main()\nexcept SystemExit: print('heavy:', [name for name in {unwanted} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"


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
