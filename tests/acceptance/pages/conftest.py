"""The filled course, served from PostgreSQL by a process that grades nothing: what waits there waits for ever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.installation import TOKEN, Installation, kill
from tests.acceptance.pages.filling import CORPUS, RIGHT, WRONG, Filled, fill
from tests.postgresql import PostgreSQL

REAL = {"real_wrong": WRONG, "real_right": RIGHT, "real_broken": CORPUS / "broken_syntax_colon" / "submission.py"}
GRADING_SECONDS = 120


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
            params = course | {"wait": "60"}
            filled.submissions[name] = hand_in(installation, path, f"s{70 + number:03}", **params)
        for name in REAL:
            answer = installation.client.get(f"/api/v1/submissions/{filled.submissions[name]}")
            assert answer.json()["job_status"] == "done"
        kill(worker)
        filled.submissions["queued"] = hand_in(installation, WRONG, "s090", **course)
        yield Serving(web.url, filled)
    finally:
        installation.close()


def hand_in(installation: Installation, path: Path, student: str, **params: str) -> str:
    answer = installation.post(path.read_bytes(), student, **params)
    return str(answer.raise_for_status().json()["id"])
