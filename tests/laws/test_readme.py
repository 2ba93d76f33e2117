"""The page for strangers says what the command says."""

import re
from pathlib import Path

import minisam.laws
from minisam.cli import main
from minisam.laws import CLAIMS, LAWS
from minisam.laws.bugs import BUGS, CLAIM
from tests.laws.wrong import NAMED

PAGE = (Path(minisam.laws.__file__).parent / "README.md").read_text()


def test_the_example_and_its_verdicts(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.py").write_text(re.search(r"```python\n(# mine.py.*?)```", PAGE, re.S)[1])
    monkeypatch.chdir(tmp_path)
    assert main(["verify", "mine.py:my_sam", "--as", "sam"]) == 1
    printed = capsys.readouterr().out
    shown = re.search(r"The factory above fails:\n\n```\n(.*?)```", PAGE, re.S)[1]
    for line in shown.splitlines():
        assert line == "..." or line in printed, line


def test_every_law_and_claim_is_listed():
    for law in LAWS:
        assert f"| {law.number} | {law.name} |" in PAGE
    for claim in CLAIMS:
        assert f"| `{claim}` |" in PAGE


def test_the_numbers_of_bugs_and_correct_rows():
    assert f"puts {len(BUGS)} classic bugs and {len(CLAIM)} correct implementations" in PAGE
    assert f"{len(BUGS) - len(NAMED)} bugs fail a law. The other two are" in PAGE
