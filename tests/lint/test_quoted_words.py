"""Words that documents print in italics stand so on pages, in reports or in messages of the service."""

import re
from functools import cache
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[2]
PAGES = (
    "student.md", "student.ru.md", "teacher.md", "teacher.ru.md", "assistant.md", "operator.md", "integrator.md",
    "course-of-300.md", "troubleshooting.md", "courses.md", "operations.md",
)  # fmt: skip
#: Of Grafana.
OTHERS = {"dashboards"}
CODE = re.compile(r"```.*?```|`[^`\n]*`|\*\*[^*]*\*\*|^ *\* ", re.DOTALL | re.MULTILINE)
SOURCES = [path for package in ("app", "grader", "reference") for path in ROOT.glob(f"{package}/**/*.py")]
QUOTED = re.compile(r"\*([^*]+)\*")
# Of an address, or of what a message fills in.
FILLED = re.compile(r" → |\.\.\.|http://\S+")


@cache
def said() -> str:
    """All texts of the catalogues, and the strings of the programs, in small letters."""
    texts: list[str] = []
    for path in [*ROOT.glob("app/locale/*.po"), *ROOT.glob("grader/locale/*.po")]:
        with path.open("rb") as file:
            for message in read_po(file):
                texts += [message.string] if isinstance(message.string, str) else message.string or ()
    # A string that goes on in the next line.
    programs = [re.sub(r'"\s*f?"', "", path.read_text(encoding="utf-8")) for path in SOURCES]
    return "\n".join([*texts, *programs]).lower()


@pytest.mark.parametrize("page", PAGES)
def test_quoted_words_are_those_of_the_service(page: str) -> None:
    text = CODE.sub("", (ROOT / "docs" / page).read_text(encoding="utf-8"))
    quoted = [part for found in QUOTED.findall(text) for part in FILLED.split(" ".join(found.split()))]
    words = [part.strip(" ,.:").lower() for part in quoted]
    assert [word for word in words if word not in said() and word not in OTHERS] == []
