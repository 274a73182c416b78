"""The filled course, served from PostgreSQL by a process that grades nothing: what waits there waits for ever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.installation import TOKEN, Installation, kill
from tests.acceptance.pages.filling import CORPUS, RIGHT, WRONG, Filled, fill
from tests.postgresql import PostgreSQL
from tests.waiting import wait_until

REAL = {"real_wrong": WRONG, "real_right": RIGHT, "real_broken": CORPUS / "broken_syntax_colon" / "submission.py"}
GRADING_SECONDS = 480


@dataclass(frozen=True)
class Serving:
    """The service with its filled course."""

    url: str
    filled: Filled


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path, postgresql: PostgreSQL) -> Iterator[Serving]:
    installation = Installation(tmp_path_factory.mktemp("data"), cache_dir, postgresql)
    filled = fill(installation.database_url)
    filled.tokens["admin"] = TOKEN
    course = {"course": filled.courses["main"]}
    try:
        web = installation.start_web()
        worker = installation.start_worker()
        for number, (name, path) in enumerate(REAL.items()):
            filled.submissions[name] = hand_in(installation, path, f"s{70 + number:03}", **course)
        graded = [filled.submissions[name] for name in REAL]
        wait_until(lambda: all(installation.job_status(each) == "done" for each in graded), GRADING_SECONDS, pause=0.5)
        kill(worker)
        filled.submissions["queued"] = hand_in(installation, WRONG, "s090", **course)
        yield Serving(web.url, filled)
    finally:
        installation.close()


def hand_in(installation: Installation, path: Path, student: str, **params: str) -> str:
    answer = installation.post(path.read_bytes(), student, **params)
    return str(answer.raise_for_status().json()["id"])
