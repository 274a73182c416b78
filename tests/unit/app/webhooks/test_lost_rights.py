"""Webhooks of people who lose their rights while deliveries wait."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.storage.models import DEFAULT_COURSE, Delivery, utc_now
from app.webhooks import sender
from tests.unit.app.calls import submit
from tests.unit.app.conftest import Browser, Service
from tests.unit.app.webhooks.test_webhooks import WEBHOOKS, Receiver, add_webhook, receiver, service
from tests.waiting import until

__all__ = ["receiver", "service"]

MEMBERS = f"/api/v1/courses/{DEFAULT_COURSE}/members"


async def teacher(admin: Browser) -> tuple[str, str]:
    """Add a teacher; return the id of the member, and the token in the personal link."""
    id = (await admin.post(MEMBERS, json={"external_id": "petrova", "role": "teacher"})).json()["id"]
    link: str = (await admin.post(f"{MEMBERS}/{id}/link")).json()["link"]
    return id, link.rpartition("=")[2]


async def failure_of(admin: Browser, hook: dict[str, Any], error: str) -> dict[str, Any]:
    """The only delivery after a try that failed for this reason."""

    async def failure() -> dict[str, Any] | None:
        items: list[dict[str, Any]] = (await admin.get(f"{WEBHOOKS}/{hook['id']}/deliveries")).json()["items"]
        return next((each for each in items if error in (each["last_error"] or "")), None)

    return await until(failure)  # type: ignore[no-any-return]


@pytest.mark.parametrize("lost", ["removed", "demoted", "link ended"])
async def test_delivery_that_waits_is_not_sent_to_somebody_without_rights(
    service: Service, owner: Browser, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    monkeypatch.setattr(sender, "RETRY_SECONDS", (3600, 3600, 3600))
    receiver.answers = [500]
    id, token = await teacher(owner)
    async with service.client(token) as theirs:
        hook = await add_webhook(theirs)
    await submit(owner)
    await failure_of(owner, hook, "answered 500")
    method, path, body = {
        "removed": ("POST", "/remove", None),
        "demoted": ("PATCH", "", {"role": "student"}),
        "link ended": ("DELETE", "/link", None),
    }[lost]
    assert (await owner.request(method, f"{MEMBERS}/{id}{path}", json=body)).status_code == 200
    async with service.services.database.write() as session:
        due = utc_now() - timedelta(seconds=1)
        await session.execute(update(Delivery).values(waits_since=due, next_at=due))
    delivery = await failure_of(owner, hook, "any more")
    assert len(receiver.requests) == 1
    assert (delivery["attempts"], delivery["delivered_at"]) == (2, None)


async def test_student_who_was_a_teacher_is_told_nothing_of_those_for_whom_they_handed_in(
    service: Service, owner: Browser, receiver: Receiver
) -> None:
    id, token = await teacher(owner)
    async with service.client(token) as theirs:
        hook = await add_webhook(theirs)
        body = await submit(theirs, student="ivanov")
    await until(lambda: receiver.requests)
    assert (await owner.patch(f"{MEMBERS}/{id}", json={"role": "student"})).status_code == 200
    await owner.post("/api/v1/regrades", json={"submissions": [body["id"]]})

    async def regraded() -> bool:
        return len((await owner.get(f"/api/v1/submissions/{body['id']}/reports")).json()["items"]) == 2

    await until(regraded)
    deliveries = (await owner.get(f"{WEBHOOKS}/{hook['id']}/deliveries")).json()["items"]
    assert len(deliveries) == 1
