"""Every shell example of README.md, CONTRIBUTING.md and docs/ runs as it stands there.

A shell example that cannot run here has a comment just before it, which no page shows: `<!-- not run: REASON -->`.
"""

import re
import subprocess
import textwrap
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.conftest import COMMAND, CORPUS, Server, hand_in, service_environment, serving
from tests.acceptance.installation import CORRECT, NO_CLASS, TOKEN
from tests.mailbox import Mailbox, receiving
from tests.programs import program

ROOT = Path(__file__).parents[2]
#: Its examples are patterns of commands, made from the program.
PATTERNS = ROOT / "docs" / "commands.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted({*(ROOT / "docs").rglob("*.md")} - {PATTERNS})]
#: Their examples are for somebody who stands in the repository.
OF_DEVELOPERS = {"CONTRIBUTING.md", "docs/developer.md"}
SHELLS = {"sh", "bash", "console"}
FENCE = re.compile(
    r"(?:<!-- not run: (?P<reason>.+?) -->\n\s*)?^ *```(?P<language>\w*)\n(?P<code>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
#: Examples run these, as whoever runs the tests. One with another program, which may change the machine, has a reason.
PROGRAMS = {
    *("lstm-grader", ".venv/bin/lstm-grader", ".venv/bin/pytest", "curl", "make", "mkdir", "openapi-python-client"),
    *("echo", "export"),
}
#: What is there in every shell.
PRELUDE = r"""
# This runs in `make test`, so of the targets it shows only that make knows them.
make() { command make --dry-run --directory "$ROOT" "$@"; }
uuidgen() { cat /proc/sys/kernel/random/uuid; }
"""


@dataclass(frozen=True)
class Example:
    page: str
    number: int
    language: str
    code: str
    reason: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.number}"


def examples_of(page: Path) -> Iterator[Example]:
    text = page.read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        number = text[: fence.start("code")].count("\n")
        code = textwrap.dedent(fence["code"])
        yield Example(str(page.relative_to(ROOT)), number, fence["language"], code, fence["reason"])


EXAMPLES = [example for page in PAGES for example in examples_of(page)]
RUN = [example for example in EXAMPLES if example.language in SHELLS and example.reason is None]


def programs(code: str) -> set[str]:
    """Return the first word of each command, behind the variables that it sets."""
    text = re.sub(r"\\\n", " ", re.sub(r"(^|\s)#.*", "", code, flags=re.MULTILINE))
    parts = re.split(r"\n|&&|\||;", re.sub(r"\b[A-Z_]+=(\$\(|\S*)", "", text))
    return {part.split()[0] for part in parts if part.split()}


@dataclass(frozen=True)
class Shell:
    """A reader's shell beside a service with a course, in a folder with everything that the examples name."""

    folder: Path
    server: Server
    environment: dict[str, str]

    def run(self, code: str, cwd: Path | None = None) -> str:
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", PRELUDE + code],
            cwd=cwd or self.folder,
            env=self.environment,
            check=False,
            # Where a command asks whether it shall.
            input="y\n",
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout.strip()

    def adapted(self, code: str) -> str:
        """Return an example with the addresses and folders that are here, as its reader would write it."""
        code = re.sub(r"^\$ ", "", code, flags=re.MULTILINE)
        code = re.sub(r"https://grader\.example\.org|http://127\.0\.0\.1:8000", self.server.url, code)
        return re.sub(r"(?<=\s)/(?=(autograder|backup|grade|shared)/)", f"{self.folder}/", code)


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with receiving() as mailbox:
        yield mailbox


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path, mailbox: Mailbox) -> Iterator[Shell]:
    program("curl")
    folder = tmp_path_factory.mktemp("examples")
    settings = {
        "LSTM_GRADER_PUBLIC_URL": "https://grader.example.org",
        "LSTM_GRADER_SMTP_HOST": "127.0.0.1",
        "LSTM_GRADER_SMTP_PORT": str(mailbox.port),
        "LSTM_GRADER_SMTP_SECURITY": "none",
        "LSTM_GRADER_SMTP_SENDER": "grader@example.org",
    }
    lay_out(folder)
    with serving(folder / "data", cache_dir, LSTM_GRADER_OWNER_TOKEN=TOKEN) as server:
        environment = {
            name: value
            for name, value in service_environment(folder / "data", cache_dir, **settings).items()
            # A session of pytest inside another one knows nothing of that.
            if not name.startswith("PYTEST")
        }
        environment |= {
            "ROOT": str(ROOT),
            "PATH": f"{Path(COMMAND[0]).parent}:{environment['PATH']}",
            "TOKEN": TOKEN,
            "URL": server.url,
            # All tests run anyway, so of those that an example chooses it shows only that there are some.
            "PYTEST_ADDOPTS": "--collect-only",
        }
        shell = Shell(folder, server, environment)
        make_course(shell)
        yield shell


def lay_out(folder: Path) -> None:
    """Make the files and folders that examples name."""
    # One example wants points for it. The others are graded in milliseconds, without TensorFlow.
    (folder / "notebook.ipynb").write_bytes((CORPUS / "notebook_magics" / "submission.ipynb").read_bytes())
    for name in ("LSTM.ipynb", "late.ipynb"):
        (folder / name).write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    for name in ("group1", "group2"):
        (folder / name).mkdir()
        (folder / name / "LSTM.py").write_bytes(NO_CLASS)
    for name in ("autograder/submission", "grade/student", "shared/submission"):
        (folder / name).mkdir(parents=True)
        (folder / name / "LSTM.py").write_bytes(NO_CLASS)
    for name in ("autograder/results", "backup"):
        (folder / name).mkdir()
    with zipfile.ZipFile(folder / "submissions.zip", "w") as archive:
        archive.writestr("Ivan Ivanov_12345_assignsubmission_file_/LSTM.py", NO_CLASS)
    (folder / "roster.csv").write_text("id,name,email\nr1,Anna Maria,r1@example.edu\nr2,Ivan,r2@example.edu\n")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "lstm-grader").symlink_to(COMMAND[0])


def make_course(shell: Shell) -> None:
    """Make what the variables of the examples stand for: a course, a person, a submission."""
    with shell.server.client() as client:
        body = {"title": "Neural networks", "language": "en", "time_zone": "Europe/Moscow"}
        course = client.post("/api/v1/courses", json=body).raise_for_status().json()["id"]
        client.put(f"/api/v1/courses/{course}/assignments/lstm-layer", json={}).raise_for_status()
        shell.environment["COURSE"] = course
        # It is made once, and a generator of clients waits five seconds for it.
        client.get("/openapi.json").raise_for_status()
        shell.environment["ID"] = hand_in(client, CORRECT, "ivanov", course=course)["id"]
        people = client.get("/api/v1/people").raise_for_status().json()
    shell.environment["PERSON"] = people["items"][0]["id"]


@pytest.mark.thorough
@pytest.mark.parametrize("example", RUN, ids=str)
def test_a_shell_example_runs_as_it_stands(shell, example):
    assert programs(example.code) <= PROGRAMS, "add a reason before it: <!-- not run: ... -->"
    cwd = ROOT if example.page in OF_DEVELOPERS else shell.folder
    shell.run(shell.adapted(example.code), cwd)
