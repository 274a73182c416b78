"""A student hands in from Jupyter: a real server and kernel run the cell of the template, against a real service."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.storage.models import DEFAULT_COURSE
from tests.acceptance.conftest import CORPUS, Server, serving
from tests.peers import peer
from tests.ports import free_port
from tests.unit.app.conftest import form_secret
from tests.waiting import SECONDS

pytestmark = pytest.mark.thorough

NAME = "ivanov"
RIGHT = (CORPUS / "correct_add_multiply_layers" / "submission.py").read_text()
WRONG = (CORPUS / "wrong_swap_if" / "submission.py").read_text()


@dataclass
class Student:
    """A student with the page of an assignment in one window, and its notebook in another."""

    browser: httpx.Client
    orders: str
    folder: Path
    file: Path = Path()
    assignment: str = "lstm-layer"

    @property
    def page(self) -> str:
        return f"/courses/{DEFAULT_COURSE}/assignments/{self.assignment}"

    def code(self) -> str:
        """Press the button on the page, and read the code."""
        secret = form_secret(self.browser.get(self.page).text)
        answer = self.browser.post(f"{self.page}/code", data={"form_secret": secret}).raise_for_status()
        found = re.search(r"[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}", answer.text)
        return found[0]

    def open_template(self, source: str, assignment: str = "lstm-layer") -> None:
        """Download the template, open it with a new kernel, fill in the class, and save."""
        self.assignment = assignment
        # A name that was opened before has its kernel still.
        self.file = self.folder / f"{len(list(self.folder.iterdir()))}.ipynb"
        self.file.write_bytes(self.browser.get(f"{self.page}/template.ipynb").raise_for_status().content)
        self._order("open", notebook=self.file.name)
        self.fill_in(source)

    def cells(self) -> list[str]:
        return ["".join(cell["source"]) for cell in json.loads(self.file.read_text())["cells"]]

    def fill_in(self, source: str) -> None:
        """Type the class into its cell, and save."""
        notebook = json.loads(self.file.read_text())
        place = next(place for place, text in enumerate(self.cells()) if "\nclass LSTM(" in f"\n{text}")
        notebook["cells"][place]["source"] = source
        self.file.write_text(json.dumps(notebook))

    def run(self, code: str, *typed: str) -> dict[str, Any]:
        answer = self._order("run", code=code, typed=list(typed))
        assert NAME not in json.dumps(answer)
        return answer

    def run_last(self, *typed: str) -> tuple[list[str], str]:
        """Run the cell that hands in. Returns: what it asked, and what its output says at last."""
        answer = self.run(self.cells()[-1], *typed)
        assert {each["kind"] for each in answer["shown"]} <= {"display_data", "update_display_data"}, answer["shown"]
        # One output, which is written over.
        assert [each["kind"] for each in answer["shown"]].count("display_data") == 1
        shown = answer["shown"][-1]["data"]
        return answer["asked"], shown["text/plain"]

    def attempts(self) -> int:
        return len(set(re.findall(r"/submissions/(\w+)", self.browser.get(f"{self.page}/attempts").text)))

    def _order(self, name: str, **order: object) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.post(f"{self.orders}/{name}", json=order, timeout=2 * SECONDS).json()
        return answer


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Server]:
    folder, own = tmp_path_factory.mktemp("data"), {"LSTM_GRADER_PORT": str(free_port())}
    with serving(folder, cache_dir, **own) as server:
        yield server


@pytest.fixture(scope="module")
def student(service: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Student]:
    folder = tmp_path_factory.mktemp("notebooks")
    with service.client() as owner, httpx.Client(base_url=service.url, timeout=SECONDS) as browser:
        token = owner.post("/api/v1/tokens", json={"name": NAME, "student": NAME}).raise_for_status().json()["token"]
        browser.headers["Accept"] = "text/html"
        browser.post("/enter", data={"token": token})
        with peer("jupyter", folder) as address:
            yield Student(browser, address.strip(), folder)


def test_student_hands_in_ten_times_without_leaving_jupyter(student):
    student.open_template(WRONG)
    student.run(WRONG)
    asked, shown = student.run_last(student.code())
    assert len(asked) == 1, shown
    assert "i*c + f*ch" in shown
    assert "/submissions/" in shown

    student.fill_in(RIGHT)
    student.run(RIGHT)
    for number in range(2, 11):
        asked, shown = student.run_last(*["yes"][: number > 2])
        assert len(asked) == (number > 2)
        assert shown.startswith(f"100 of 100 points\nAttempt {number}\n")
    asked, shown = student.run_last("no")
    assert asked == ["Exactly this is your attempt 10 already. Type yes to hand it in once more: "]
    assert shown == "Exactly this is your attempt 10 already. Nothing was handed in now."
    assert student.attempts() == 10


def test_change_that_is_not_saved_is_not_handed_in(student):
    student.open_template(WRONG)
    before = student.attempts()
    changed = f"{RIGHT}\n# It was changed.\n"
    student.run(changed)
    asked, shown = student.run_last()
    assert "In[1] ran, and the saved notebook does not hold it" in shown
    assert (asked, student.attempts()) == ([], before)
    student.fill_in(changed)
    assert "100 of 100" in student.run_last(student.code())[1]


def test_whole_notebook_is_handed_in_where_it_is_graded(student):
    student.open_template(RIGHT, "lstm-notebook")
    shown = student.run_last(student.code())[1]
    assert shown.startswith("100 of 100 points\nAttempt 1\n")
    cell = student.cells()[-1]
    student.file.rename(student.file.with_name("renamed.ipynb"))
    student.run(RIGHT)
    assert "needs the whole notebook" in student.run(cell)["shown"][-1]["data"]["text/plain"]
