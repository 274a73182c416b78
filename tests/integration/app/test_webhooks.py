"""Deliveries to a receiver that listens."""

from datetime import timedelta

import pytest

from app.access.tokens import Principal
from app.storage.database import Database
from app.storage.models import Delivery, utc_now
from app.storage.paging import Paging
from app.webhooks import outbox, sender
from app.webhooks.sender import WebhookSender
from tests.integration.app.kinds import on_both, on_postgresql
from tests.integration.app.rows import graded, read_by, store, write_by
from tests.receiver import Receiver
from tests.waiting import until


async def leave(database: Database, owner: Principal, receiver: Receiver) -> str:
    return (await write_by(database, outbox.add_webhook, url=receiver.url, created_by=owner.id)).id


@on_both
async def test_every_result_arrives_once(database, owner, receiver, monkeypatch):
    monkeypatch.setattr(sender.WebhookSender, "LOOK_SECONDS", 0.05)
    webhook = await leave(database, owner, receiver)
    for _ in range(5):
        await graded(database)
    async with WebhookSender(database, private=True), WebhookSender(database, private=True):

        async def all_delivered() -> list[Delivery] | None:
            deliveries = await read_by(database, outbox.list_deliveries, webhook, Paging(10))
            return deliveries if all(delivery.delivered_at for delivery in deliveries) else None

        deliveries = await until(all_delivered)
    assert len(deliveries) == 5
    assert sorted(message.id for message in receiver.came) == sorted(delivery.id for delivery in deliveries)
    assert {message.headers["host"] for message in receiver.came} == {f"localhost:{receiver.server_port}"}


async def test_receiver_that_answers_late_gets_one_result_at_a_time(database, owner, receiver):
    webhook = await leave(database, owner, receiver)
    receiver.answering.clear()
    for _ in range(2):
        await graded(database)
    async with WebhookSender(database, private=True) as sends:
        await until(lambda: receiver.came)
        await sends._send_due()
        assert list(sends._sending.values()) == [webhook]
        receiver.answering.set()


@on_both
async def test_delivery_whose_sender_died_is_sent_by_another_with_the_same_id(database, owner, receiver):
    webhook = await leave(database, owner, receiver)
    await graded(database)
    (taken,) = await write_by(database, outbox.claim_due, timedelta(seconds=60))
    async with database.write() as session:
        assert await outbox.claim_due(session, timedelta(seconds=60)) == []
        delivery = await session.get_one(Delivery, taken.delivery.id)
        delivery.next_at = utc_now()  # A minute later.
    (again,) = await write_by(database, outbox.claim_due, timedelta(seconds=60), only=webhook)
    assert (again.delivery.id, again.delivery.attempts) == (taken.delivery.id, 2)
    assert receiver.came == []


@on_both
@pytest.mark.parametrize("hours", [2, -2])
async def test_clock_that_is_set_keeps_no_delivery_waiting(database, owner, receiver, hours):
    await leave(database, owner, receiver)
    await graded(database)
    wait = timedelta(seconds=60)
    async with database.write() as session:
        (taken,) = await outbox.claim_due(session, wait)
        await outbox.settle(session, taken.delivery.id, again_in=wait)
    async with database.write() as session:
        assert not await outbox.is_something_due(session)
        # As the rows look when the clock has been set by as much.
        delivery = await session.get_one(Delivery, taken.delivery.id)
        assert delivery.waits_since is not None
        assert delivery.next_at is not None
        delivery.waits_since -= timedelta(hours=hours)
        delivery.next_at -= timedelta(hours=hours)
    async with database.write() as session:
        assert await outbox.is_something_due(session)
        assert [due.delivery.id for due in await outbox.claim_due(session, wait)] == [taken.delivery.id]


@on_both
async def test_delivery_that_was_taken_after_this_transaction_began_is_not_due(database, owner, receiver):
    await leave(database, owner, receiver)
    await graded(database)
    (taken,) = await write_by(database, outbox.claim_due, timedelta(seconds=60))
    await store(database, Delivery, Delivery.id == taken.delivery.id, waits_since=utc_now() + timedelta(seconds=5))
    assert not await write_by(database, outbox.is_something_due)


@on_postgresql
async def test_result_of_a_worker_whose_clock_is_ahead_is_told_at_once(database, owner, receiver, monkeypatch):
    await leave(database, owner, receiver)
    with monkeypatch.context() as clock:
        clock.setattr(outbox, "utc_now", lambda: utc_now() + timedelta(days=2))
        await graded(database)
    assert len(await write_by(database, outbox.claim_due, timedelta(seconds=60))) == 1
