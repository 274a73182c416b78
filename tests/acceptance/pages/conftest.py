"""The filled course, served from PostgreSQL by a process that grades nothing: what waits there waits for ever."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.installation import TOKEN, Installation, kill
from tests.acceptance.pages.filling import RIGHT, WRONG, Filled, fill
from tests.acceptance.pages.states import State
from tests.postgresql import PostgreSQL
from tests.waiting import wait_until

REAL = {"real_wrong": WRONG, "real_right": RIGHT}


@dataclass(frozen=True)
class Serving:
    """The service with its filled course."""

    url: str
    filled: Filled
    _installation: Installation

    def address(self, state: State) -> str:
        """Return the address of a page. A page that shows a real report has it graded now, if none was before."""
        if state.is_real and not REAL.keys() <= self.filled.submissions.keys():
            self._grade()
        return f"{self.url}{state.path(self.filled)}"

    def wait_in_line(self) -> None:
        self.filled.submissions["queued"] = self._hand_in(WRONG, "s090")

    def _grade(self) -> None:
        worker = self._installation.start_worker()
        for number, (name, path) in enumerate(REAL.items()):
            self.filled.submissions[name] = self._hand_in(path, f"s{70 + number:03}")
        graded = [self.filled.submissions[name] for name in REAL]
        wait_until(lambda: all(self._installation.job_status(each) == "done" for each in graded), pause=0.5)
        kill(worker)
        self.wait_in_line()

    def _hand_in(self, path: Path, student: str) -> str:
        return hand_in(self._installation, path, student, course=self.filled.courses["main"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path, postgresql: PostgreSQL) -> Iterator[Serving]:
    with Installation(tmp_path_factory.mktemp("data"), cache_dir, postgresql) as installation:
        filled = fill(installation.database_url)
        filled.tokens["admin"] = TOKEN
        serving = Serving(installation.start_web().url, filled, installation)
        serving.wait_in_line()
        yield serving


def hand_in(installation: Installation, path: Path, student: str, **params: str) -> str:
    answer = installation.post(path.read_bytes(), student, **params)
    return str(answer.raise_for_status().json()["id"])
