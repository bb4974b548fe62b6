"""One word for one idea: finds words that the project replaced, and names the word to use.

``make lint`` runs it over every text file in git. When a new word replaces another, add the old one
to ``REPLACED``, so that it does not return. Words that are also ordinary English (told, letter, usual, finding) are
left to reviewers.

    python -m tests.vocabulary        prints FILE:LINE: OLD → NEW; the exit status is 1 if it finds any
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

REPLACED = {
    r"(take|takes|took|taken|taking) ((it|them|one|changes) )?back|way back": "revert",
    r"deeds?": "rule event",
    r"bless(es|ed|ing)?": "accept into the baseline",
    r"owe|owes|owed|owing|debts?": "pending task",
    r"(claim|claims|claimed|claiming)(?! that| to)": "lease (of a task)",  # "it claims that …" is ordinary English
    # `settle` alone is free: tests let a simulated account come to rest with it.
    r"settles|settled|settling": "converge (a group); complete (a task)",
    r"(pay|pays|paid|paying)(?!_PER_REQUEST)": "complete (a task); costs (money)",
    r"likeness(es)?": "fingerprint",
    r"whispers?|whispered": "ephemeral",
    r"standing|tellings?": "status view, status text; outbox, publishing",
    r"far sides?": "fake endpoints",
    r"paces?|hurried|steady": "retry profile: standard, fail-fast, adaptive",
    r"obstacles?": "conflict",
    r"(?<!garbage.)collectors?": "warm-up",
    r"knock|knocks|knocked|knocking": "post, retry",
    r"(?<!look.)alike": "equal, in the same way",
    r"all the same|be it|ever more rarely": "a plain sentence: nevertheless, even if, less and less often",
    r"(is|are|was) no json": "is not JSON",
}
"""Regular expression of the old words → the word to use. A space stands for any white space or an underscore."""

EXEMPT = ("LICENSE", "tests/vocabulary.py", "tests/test_vocabulary.py")
"""Files in git that are not checked: the license's text is not ours, and these two name the old words."""

_FORMS = {
    use: re.compile(rf"(?<![a-z])(?:{old})(?![a-z])".replace(" ", r"[\s_]+"), re.IGNORECASE)
    for old, use in REPLACED.items()
}


def replaced_words(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line number of each old word in a text, the word as it is written, and the word to use."""
    for use, form in _FORMS.items():
        for match in form.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, " ".join(match.group().split()), use


def tracked_texts(root: Path) -> Iterator[tuple[str, str]]:
    """Yield name and content of each text file in git, symlinks and exempt files left out."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)
    for name in filter(None, listing.stdout.split("\0")):
        path = root / name
        if path.is_file() and not path.is_symlink() and name not in EXEMPT:
            content = path.read_bytes()
            if b"\0" not in content:
                yield name, content.decode(errors="replace")


def main(root: Path = ROOT) -> int:
    """Print every old word in the files of a checkout; the result is the exit status."""
    found = [
        f"{name}:{line}: {old} → {use}"
        for name, text in tracked_texts(root)
        for line, old, use in sorted(replaced_words(text))
    ]
    sys.stdout.write("".join(f"{one}\n" for one in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
