"""Services of platforms at addresses that nothing is sent to, or whose answers have another form.

Each is asked by the client of app/outgoing: all addresses that lead inside stand in tests/unit/app/webhooks, and slow,
endless and broken answers in tests/unit/app/outgoing.
"""

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from app.errors import AppError
from app.errors.lti import PlatformUnavailable
from app.lti import memberships
from app.lti.grades import comparison, lineitems, scores
from app.lti.platform_keys import PlatformKeys
from app.lti.platform_services import LINEITEM_SCOPE, SCORE_SCOPE
from app.lti.registration import registering
from app.lti.registration.registering import Offer
from app.lti.registration.tool import Tool
from app.outgoing import targets
from app.storage.models import LtiLink, LtiPlatform
from tests.platforms import ISSUER
from tests.platforms.registrar import moodle
from tests.unit.app.conftest import Service
from tests.waiting import Clock

pytestmark = pytest.mark.usefixtures("course", "names")

CONFIGURATION = moodle().parameters["openid_configuration"]
#: The only public address here.
PUBLIC = "8.8.8.8"
NAMES = {"lms.example.edu": PUBLIC, "moodle.example.edu": PUBLIC, "inside.example.edu": "192.168.1.9"}
#: One of each kind of refusal.
ADDRESSES = {
    "https://169.254.169.254/latest/meta-data": "169.254.169.254 is in a private network",
    "http://lms.example.edu/x": "the address of lms.example.edu does not begin with https://",
    "https://user:word@lms.example.edu/x": "the address of lms.example.edu holds a user, a password or #",
    "https://inside.example.edu/x": "inside.example.edu leads into a private network",
    "https://nowhere.example.edu/x": "the name nowhere.example.edu is not known",
}


async def read_keys(service: Service, platform: LtiPlatform, url: str) -> None:
    await PlatformKeys(service.services.outgoing).find(url, "key-1")


async def fetch_token(service: Service, platform: LtiPlatform, url: str) -> None:
    own, platform.token_url = platform.token_url, url
    try:
        await service.services.platform_services.try_token(platform, [SCORE_SCOPE])
    finally:
        platform.token_url = own


async def find_line_item(service: Service, platform: LtiPlatform, url: str) -> None:
    parts, granted = service.services, {"granted": [LINEITEM_SCOPE]}
    await service.store(LtiLink, lineitem_url=None, lineitem_at=None, lineitems_url=url, scopes=granted)
    (link,) = await service.rows(LtiLink)
    await lineitems.of_link(
        parts.database, parts.platform_services, platform, link, label="LSTM", max_points=100.0, resource="lstm-layer"
    )


async def post_score(service: Service, platform: LtiPlatform, url: str) -> None:
    await scores.post_score(service.services.platform_services, platform, url, {})


async def read_results(service: Service, platform: LtiPlatform, url: str) -> None:
    await comparison.read_results(service.services.platform_services, platform, url)


async def read_members(service: Service, platform: LtiPlatform, url: str) -> None:
    await memberships.read(service.services.platform_services, platform, url)


async def register(service: Service, platform: LtiPlatform, url: str) -> None:
    tool = Tool("http://grader.test", "LSTM", "An exercise")
    await registering.register(service.services.outgoing, Offer(url, moodle().token), tool)


@dataclass(frozen=True)
class Asked:
    """A service of a platform.

    Attributes:
        url, path: of the list that it reads.
        form: words about documents of another form.
    """

    ask: Callable[[Service, LtiPlatform, str], Awaitable[None]]
    url: str
    path: str
    form: str
    documents: list[Any]


READ = {
    "keys": Asked(
        read_keys,
        f"{ISSUER}/keys",
        "/keys",
        "no RSA key",
        [{"keys": {"a": 1}}, {"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "key-1"}]}],
    ),
    "token": Asked(
        fetch_token,
        f"{ISSUER}/token",
        "/token",
        "the answer holds no access token",
        [{"error": "none"}, *({"access_token": token} for token in (7, "", "a\r\nX-Evil: 1", "x" * 9000))],
    ),
    "line items": Asked(
        find_line_item, f"{ISSUER}/items", "/items", "the list of line items has another form", [{"lineItems": []}]
    ),
    "results": Asked(
        read_results,
        f"{ISSUER}/items/4",
        "/items/4/results",
        "the list of results has another form",
        [{"results": []}, [{"userId": 5}], [{"userId": "user-5", "resultScore": 10**400}]],
    ),
    "members": Asked(
        read_members,
        f"{ISSUER}/members",
        "/members",
        "the list of members has another form",
        [{"members": {}}, {"members": [5]}, {"members": [{"user_id": ""}]}],
    ),
    "configuration": Asked(
        register,
        CONFIGURATION,
        "/openid-configuration",
        "missing or wrong: ",
        [[], {**moodle().configuration, "jwks_uri": 5}],
    ),
}


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(host: str, port: int, **_: object) -> list[Any]:
        if host not in NAMES:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (NAMES[host], port))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setattr("app.outgoing.client.look_up", targets.look_up)


async def refusal(asking: Awaitable[None]) -> str:
    """Return why nothing is taken from a service."""
    with pytest.raises(AppError) as caught:
        await asking
    error = caught.value.__cause__ if isinstance(caught.value, PlatformUnavailable) else caught.value
    assert isinstance(error, AppError)
    return str(error.params)


async def test_nothing_is_sent_to_addresses_inside(service, platform, fake):
    # They are not refused as another's.
    platform.origins = "https://169.254.169.254 https://inside.example.edu https://nowhere.example.edu"
    fake.sent.clear()
    for ask in (post_score, *(asked.ask for asked in READ.values())):
        for url, words in ADDRESSES.items():
            assert words in await refusal(ask(service, platform, url)), (ask, url)
    assert {request.url.host for request in fake.sent} <= {PUBLIC}


async def test_wrong_answer_is_not_taken(service, platform, fake):
    answers = [
        (httpx.Response(200, content=b" " * 10_000_000), "the answer is longer than"),
        (httpx.Response(302, headers={"Location": "http://169.254.169.254/"}), "302"),
        (httpx.Response(503, html="<title>Down for repairs</title>"), "503"),
        (httpx.Response(200, html="<title>Sign in</title>"), "the answer is no JSON"),
    ]
    for name, asked in READ.items():
        documents = [(httpx.Response(200, json=document), asked.form) for document in [5, *asked.documents]]
        for answer, words in answers + documents:
            fake.answers[asked.path] = lambda answer=answer: answer
            assert words in await refusal(asked.ask(service, platform, asked.url)), (name, answer.text[:60])
        del fake.answers[asked.path]
    assert "169.254.169.254" not in {request.url.host for request in fake.sent}


async def test_line_item_has_a_usable_address(service, platform, fake):
    for address in (None, "https://x/\0", "x" * 3000):
        item = {"resourceLinkId": "link-9", "id": address}
        fake.answers["/items"] = lambda item=item: httpx.Response(200, json=[item])
        words = await refusal(find_line_item(service, platform, f"{ISSUER}/items"))
        assert "the line item has no usable address" in words, address


async def test_registration_has_a_usable_client_id(service, platform, fake):
    for client_id in (None, 7, "", "a\r\nb", "cl\xefent-7", "x" * 256):
        fake.answers["/register"] = lambda client_id=client_id: httpx.Response(200, json={"client_id": client_id})
        words = await refusal(register(service, platform, CONFIGURATION))
        assert "missing or wrong: client_id" in words, client_id


async def test_token_is_replaced_a_minute_before_it_ends(service, platform, fake, monkeypatch):
    clock = Clock()
    monkeypatch.setattr("app.lti.platform_services.time", SimpleNamespace(monotonic=clock))
    fake.sent.clear()
    for clock.now, asked in ((0.0, 1), (3539.0, 1), (3541.0, 2)):
        await service.services.platform_services.prepare(platform, ["a scope"])
        assert [request.url.path for request in fake.sent] == ["/token"] * asked
