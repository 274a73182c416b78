"""Deleted submissions are gone: for every reader, and in the files too."""

import logging
import sqlite3
from datetime import timedelta

import httpx

from app.privacy import retention
from app.settings import Settings
from app.storage.models import Submission, utc_now
from app.storage.sqlite import Connection
from tests.unit.app.calls import SUBMISSIONS, get, hand_in, students
from tests.unit.app.conftest import Service
from tests.waiting import until

SECRET = b"# what only Peter would write: 7c1f9a"
STUDENTS = "/api/v1/students"


async def delete(service: Service, student: str) -> httpx.Response:
    async with service.client() as owner:
        return await owner.delete(STUDENTS, params={"student": student})


def bytes_on_disk(settings: Settings) -> bytes:
    return b"".join(path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file())


async def test_deletion_that_leaves_its_bytes_in_the_log_is_a_fault_of_the_database(service, monkeypatch):
    execute = Connection.execute

    async def failing(self: Connection, sql: str, *arguments: object) -> object:
        if "wal_checkpoint" in sql:
            raise sqlite3.OperationalError("disk I/O error")
        return await execute(self, sql, *arguments)

    monkeypatch.setattr(Connection, "execute", failing)
    await hand_in(service, "Пётр")
    answer = await delete(service, "Пётр")
    assert answer.status_code == 503
    # It was committed: nobody can say that nothing was changed.
    assert answer.json()["type"].endswith("outcome-unknown")


async def test_a_deleted_student_is_gone_and_others_stay(service, owner, settings, caplog):
    await service.add_token("token-of-peter", student="Пётр")
    first, _ = [await hand_in(service, "Пётр", SECRET) for _ in range(2)]
    await hand_in(service, "Анна")
    regrade = await owner.post("/api/v1/regrades", json={"filter": {"student": "Пётр"}})
    assert regrade.status_code == 202, regrade.text
    await owner.get(f"{SUBMISSIONS}/{first}", params={"wait": 120})
    assert SECRET in bytes_on_disk(settings)

    with caplog.at_level(logging.INFO):
        answer = await delete(service, " Пётр ")

    assert (answer.json()["submissions"], answer.json()["tokens"]) == (2, 1)
    assert answer.json()["reports"] >= 3
    assert await students(service) == ["Анна"]
    for secret in (SECRET, "Пётр".encode()):
        assert secret not in bytes_on_disk(settings)
    (regrade_left,) = (await owner.get("/api/v1/regrades")).json()["items"]
    assert "Пётр" not in str(regrade_left)
    assert (await get(service, "token-of-peter", SUBMISSIONS)).status_code == 401
    assert "student_deleted" in caplog.messages
    assert not [record for record in caplog.records if "Пётр" in str(vars(record))]
    assert (await delete(service, "Пётр")).json() == {"submissions": 0, "reports": 0, "tokens": 0}


async def test_old_submissions_are_deleted_in_the_background(service):
    await hand_in(service, "Пётр")
    await service.store(Submission, created_at=utc_now() - timedelta(days=31))

    async def all_deleted() -> bool:
        return not await students(service)

    async with retention.Retention(service.services.database, days=30):
        await until(all_deleted)
