"""Webhooks: what is sent, signed and sent again, where it may lead, and who has lost the right to it."""

import json
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from ipaddress import ip_address
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from app.errors import TargetRefused
from app.outgoing import client as outgoing
from app.outgoing.targets import check_url, is_public, look_up
from app.settings import Settings
from app.storage.models import DEFAULT_COURSE, Delivery, Role, utc_now
from app.webhooks import sender
from app.webhooks.sender import RETRY_SECONDS, WebhookSender, signature
from grader import Status
from tests.unit.app.access.test_rights import add
from tests.unit.app.api.test_teaching_api import regraded
from tests.unit.app.calls import assert_problem, submit
from tests.unit.app.conftest import Browser, FakeGrader, Service, running
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("with_tables")

WEBHOOKS = "/api/v1/webhooks"
HOOK = "https://lms.example.org/hook?course=7"
MEMBERS = f"/api/v1/courses/{DEFAULT_COURSE}/members"


class Receiver:
    """Answers what it is told to, and keeps what came."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: list[int | Exception] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, headers={"Location": "http://127.0.0.1/"})


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def service(
    anyio_backend: str, settings: Settings, grader: FakeGrader, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    """A service whose webhooks lead to `receiver`, and whose waiting is short."""

    async def known(host: str, port: int, *, private: bool) -> list[str]:
        return {"lms.example.org": ["203.0.113.9"], "both.example.org": ["2001:db8::9", "203.0.113.9"]}[host]

    monkeypatch.setattr(outgoing, "look_up", known)
    monkeypatch.setattr(sender.WebhookSender, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(sender, "RETRY_SECONDS", (0.05, 0.05))
    monkeypatch.setattr("app.main.WebhookSender", partial(WebhookSender, transport=httpx.MockTransport(receiver)))
    async with running(settings, grader) as service:
        yield service


async def deliveries_of(client: Browser, hook: dict[str, Any]) -> list[dict[str, Any]]:
    """The deliveries when none is to be sent any more."""

    async def all_ended() -> list[dict[str, Any]] | None:
        items: list[dict[str, Any]] = (await client.get(f"{WEBHOOKS}/{hook['id']}/deliveries")).json()["items"]
        return items if all(item["next_at"] is None for item in items) else None

    return await until(all_ended)


async def add_webhook(client: Browser, url: str = HOOK) -> dict[str, Any]:
    response = await client.post(WEBHOOKS, json={"url": url})
    assert response.status_code == 201
    body: dict[str, Any] = response.json()
    return body


async def test_report_is_told_signed_to_the_address_that_was_looked_up(owner, receiver):
    hook = await add_webhook(owner)
    body = await submit(owner)
    (delivery,) = await deliveries_of(owner, hook)
    assert hook["secret"] not in (await owner.get(WEBHOOKS)).text
    (request,) = receiver.requests
    assert request.url == "https://203.0.113.9/hook?course=7"
    assert request.headers["host"] == "lms.example.org"
    assert request.extensions["sni_hostname"] == "lms.example.org"
    message = json.loads(request.content)
    assert message["type"] == "submission.graded"
    assert message["data"]["submission"]["id"] == body["id"]
    assert message["data"]["submission"]["student"] == "ivanov"
    assert (message["data"]["report"]["status"], message["data"]["report"]["points"]) == ("passed", 100.0)
    grade = message["data"]["grade"]
    assert (grade["points"], grade["attempt"], grade["adjusted"]) == (100, 1, False)
    assert [(step["code"], step["points"]) for step in grade["derivation"]] == [("report", 100)]
    assert Webhook(hook["secret"]).verify(request.content, dict(request.headers)) == message
    assert request.headers["webhook-id"] == delivery["id"]
    assert (delivery["attempts"], delivery["last_status"], delivery["last_error"]) == (1, 204, None)
    assert delivery["delivered_at"]


async def test_grade_is_told_without_a_teachers_words(owner, receiver):
    await submit(owner)
    (member,) = (await owner.get(MEMBERS)).json()["items"]
    adjustments = f"{MEMBERS}/{member['id']}/assignments/lstm-layer/adjustments"
    assert (await owner.post(adjustments, json={"delta": -5.0, "reason": "an oral exam"})).status_code == 201
    await add_webhook(owner)
    await submit(owner, content=b"class LSTM: pass")
    await until(lambda: receiver.requests)
    (request,) = receiver.requests
    grade = json.loads(request.content)["data"]["grade"]
    assert (grade["points"], grade["adjusted"]) == (95, True)
    assert b"oral exam" not in request.content


def test_signature_is_the_one_of_the_standards_example():
    """Source: the example in the specification of Standard Webhooks."""
    headers = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        1614265330,
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_name_with_two_addresses_is_told_at_the_one_that_is_heard(owner, receiver):
    """``localhost`` is one, where the first address is that of IPv6."""
    receiver.answers = [httpx.ConnectError("refused")]
    left = await owner.post(WEBHOOKS, json={"url": "https://both.example.org/hook"})
    await submit(owner)
    (delivery,) = await deliveries_of(owner, left.json())
    assert [request.url.host for request in receiver.requests] == ["2001:db8::9", "203.0.113.9"]
    assert (delivery["attempts"], delivery["last_status"]) == (1, 204)


async def test_delivery_is_given_up_in_the_end_and_attempts_are_counted(owner, receiver, caplog):
    receiver.answers = [httpx.ConnectError("refused"), 204, 302, 308, 500]
    hook = await add_webhook(owner)
    for student in ("ivanov", "petrov"):
        await submit(owner, student=student)
        delivery = (await deliveries_of(owner, hook))[0]
    assert (delivery["delivered_at"], delivery["last_status"], delivery["attempts"]) == (None, 500, 3)
    assert delivery["last_error"] == "answered 500"
    expected = {
        f'lstm_grader_webhook_attempts_total{{outcome="{outcome}"}} {count}.0'
        for outcome, count in (("failed", 3), ("delivered", 1), ("given_up", 1))
    }

    async def counted() -> bool:  # Written down first, counted then.
        return expected <= set((await owner.get("/metrics")).text.splitlines())

    await until(counted)
    assert "lstm_grader_webhook_deliveries_waiting 0.0" in (await owner.get("/metrics")).text
    logged = [vars(record)["reason"] for record in caplog.records if record.message == "webhook_failed"]
    assert logged == ["ConnectError: refused", "answered 302", "answered 308", "answered 500"]
    # Each is sent again as it was.
    sent = [(request.headers["webhook-id"], request.content) for request in receiver.requests]
    assert [sent.count(each) for each in dict.fromkeys(sent)] == [2, 3]
    # A redirect is not followed.
    assert {request.url.host for request in receiver.requests} == {"203.0.113.9"}


def test_it_is_tried_for_days_and_each_time_later():
    assert list(RETRY_SECONDS) == sorted(RETRY_SECONDS)
    assert sum(RETRY_SECONDS) > 36 * 3600


async def test_receiver_that_is_gone_ends_its_webhook(owner, receiver):
    receiver.answers = [410]
    await add_webhook(owner)
    await submit(owner)

    async def ended() -> bool:
        return not (await owner.get(WEBHOOKS)).json()["items"]

    await until(ended)
    await submit(owner)
    assert len(receiver.requests) == 1


async def test_webhook_is_told_what_its_token_may_read(service, owner, receiver):
    for name, role in (("lms", Role.SUBMITTER), ("other", Role.SUBMITTER), ("teacher", Role.TEACHER)):
        await service.add_token(name, role)
        async with service.client(name) as client:
            await add_webhook(client, f"{HOOK}&token={name}")
    ended = await service.add_token("ended", Role.TEACHER)
    async with service.client("ended") as client:
        of_ended = await add_webhook(client, f"{HOOK}&token=ended")
    await owner.delete(f"/api/v1/tokens/{ended.id}")
    async with service.client("lms") as client:
        await submit(client)

    async def nothing_waits() -> bool:
        return "lstm_grader_webhook_deliveries_waiting 0.0" in (await owner.get("/metrics")).text

    await until(lambda: len(receiver.requests) >= 2)
    await until(nothing_waits)
    assert (await owner.get(f"{WEBHOOKS}/{of_ended['id']}/deliveries")).json()["items"] == []
    assert {request.url.params["token"] for request in receiver.requests} == {"lms", "teacher"}


async def test_our_failure_is_told_without_points(owner, receiver, grader):
    grader.statuses = [Status.INTERNAL_ERROR]
    await add_webhook(owner)
    await submit(owner)
    await until(lambda: receiver.requests)
    report = json.loads(receiver.requests[0].content)["data"]["report"]
    assert (report["status"], report["points"]) == ("internal_error", None)


async def test_webhook_can_be_tried_and_deleted(owner, receiver):
    hook = await add_webhook(owner)
    ping = await owner.post(f"{WEBHOOKS}/{hook['id']}/ping")
    assert ping.status_code == 202
    (delivery,) = await deliveries_of(owner, hook)
    assert (delivery["id"], delivery["event"]) == (ping.json()["id"], "ping")
    assert json.loads(receiver.requests[0].content)["type"] == "ping"
    assert (await owner.delete(f"{WEBHOOKS}/{hook['id']}")).status_code == 204
    assert_problem(await owner.get(f"{WEBHOOKS}/{hook['id']}/deliveries"), 404, "webhook-not-found")
    for _ in range(10):
        await add_webhook(owner)
    assert_problem(await owner.post(WEBHOOKS, json={"url": HOOK}), 409, "too-many-webhooks")


#: Addresses that lead inside, or nowhere.
BAD = (
    "",
    "lms.example.org",
    "http://lms.example.org/",
    "https://",
    "https://user:secret@lms.example.org/",
    "https://lms.example.org/#here",
    "https://lms.example.org:99999/",
    "https://lms.example.org:0/",
    "https://xn--a/",
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://127.0.0.1./",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://127\u30020\u30020\uff0e1/",
    "https://%31%32%37.0.0.1/",
    "https://localhost/",
    "https://db.localhost./",
)


async def test_address_that_leads_inside_or_nowhere_is_refused(owner):
    for url in BAD:
        response = await owner.post(WEBHOOKS, json={"url": url})
        status, slug = (403, "target-refused") if url.startswith("http") else (422, "invalid-request")
        assert response.status_code == status, f"{url}: {response.text}"
        assert assert_problem(response, status, slug).get("reason") or status == 422, url


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("::", False),
        ("fe80::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
        ("2002:808:808::1", True),
        ("fec0::1", False),
        ("::127.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        # Teredo: the server, then the client with every bit turned round.
        ("2001:0:7f00:1::f7f7:f7f7", False),
        ("2001:0:808:808::80ff:fffe", False),
        ("2606:4700::5efe:10.0.0.1", False),
        ("2001:db8::1", False),
        ("3fff::1", False),
        ("4000::1", False),
    ],
)
def test_public_is_what_anybody_can_reach(address, public):
    assert is_public(ip_address(address)) is public


async def test_name_that_leads_inside_is_refused_when_it_is_looked_up(monkeypatch):
    answers = {"mixed": ["8.8.8.8", "10.0.0.1"], "public": ["2001:4860:4860::8888", "8.8.8.8", "8.8.8.8"]}
    answers["of a link"] = ["8.8.8.8", "fe80::1%2"]

    def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        return [(2, 1, 6, "", (address, port)) for address in answers[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert await look_up("public", 443, private=False) == ["2001:4860:4860::8888", "8.8.8.8"]
    for name in ("mixed", "of a link"):
        with pytest.raises(TargetRefused):
            await look_up(name, 443, private=False)
        assert await look_up(name, 443, private=True) == answers[name]


def test_operator_can_allow_the_own_network():
    check_url("http://127.0.0.1:8080/hook", private=True)
    with pytest.raises(TargetRefused):
        check_url("http:///hook", private=True)


async def test_name_that_turns_inside_between_two_attempts_is_not_connected_to(owner, receiver, monkeypatch):
    """DNS rebinding: each attempt looks the name up once, and connects to what was checked."""
    asked = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", ("8.8.8.8" if len(asked) == 1 else "169.254.169.254", port))]

    monkeypatch.setattr(outgoing, "look_up", look_up)
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    receiver.answers = [500]
    hook = await add_webhook(owner)
    await submit(owner)
    (delivery,) = await deliveries_of(owner, hook)
    assert asked == ["lms.example.org"] * 3
    assert [request.url.host for request in receiver.requests] == ["8.8.8.8"]
    assert (delivery["delivered_at"], delivery["attempts"]) == (None, 3)
    assert delivery["last_error"] == "TargetRefused: lms.example.org leads into a private network"


async def failure_of(admin: Browser, hook: dict[str, Any], error: str) -> dict[str, Any]:
    """The only delivery after a try that failed for this reason."""

    async def failure() -> dict[str, Any] | None:
        items: list[dict[str, Any]] = (await admin.get(f"{WEBHOOKS}/{hook['id']}/deliveries")).json()["items"]
        return next((each for each in items if error in (each["last_error"] or "")), None)

    return await until(failure)


@pytest.mark.parametrize("lost", ["removed", "demoted", "link ended"])
async def test_delivery_that_waits_is_not_sent_to_somebody_without_rights(service, owner, receiver, monkeypatch, lost):
    monkeypatch.setattr(sender, "RETRY_SECONDS", (3600, 3600, 3600))
    receiver.answers = [500]
    id, token = await add(owner, "teacher")
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
    due = utc_now() - timedelta(seconds=1)
    await service.store(Delivery, waits_since=due, next_at=due)
    delivery = await failure_of(owner, hook, "any more")
    assert len(receiver.requests) == 1
    assert (delivery["attempts"], delivery["delivered_at"]) == (2, None)


async def test_student_who_was_a_teacher_is_told_nothing_of_those_for_whom_they_handed_in(service, owner, receiver):
    id, token = await add(owner, "teacher")
    async with service.client(token) as theirs:
        hook = await add_webhook(theirs)
        body = await submit(theirs, student="ivanov")
    await until(lambda: receiver.requests)
    assert (await owner.patch(f"{MEMBERS}/{id}", json={"role": "student"})).status_code == 200
    await regraded(owner, submissions=[body["id"]])
    deliveries = (await owner.get(f"{WEBHOOKS}/{hook['id']}/deliveries")).json()["items"]
    assert len(deliveries) == 1
