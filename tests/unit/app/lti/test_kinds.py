"""Kinds of platforms: issuer, keys and tokens on hosts of their own, and an audience that is no address of these."""

from urllib.parse import urlsplit

import pytest

from app.lti.platform_services import SCORE_SCOPE
from app.lti.platforms import Registration
from app.lti.registration.kinds import KINDS, addresses_of
from tests.platforms import CLIENT_ID, DEPLOYMENT, FakePlatform
from tests.unit.app.conftest import Service
from tests.unit.app.lti.conftest import LAUNCH, TEACHER, browser, register

SITE = "https://school.example.edu"


def registration(kind: str, fake: FakePlatform, **changed: str | None) -> Registration:
    """Return the registration of a platform of this kind, and let the double be one."""
    addresses = addresses_of(kind, SITE, CLIENT_ID)
    fake.keys_path, fake.token_path = urlsplit(addresses.keys_url).path, urlsplit(addresses.token_url).path
    fake.audience = addresses.token_audience or addresses.token_url
    return Registration(
        **{"name": kind, "client_id": CLIENT_ID, "deployments": (DEPLOYMENT,), **vars(addresses), **changed}
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_launches_and_gives_tokens(service: Service, fake: FakePlatform, kind: str) -> None:
    registered = registration(kind, fake)
    platform = await register(service, registered)
    async with browser(service) as teacher:
        address = await teacher.begin(iss=registered.issuer)
        assert address.startswith(f"{registered.login_url}?")
        asked = await teacher.post(LAUNCH, data=fake.message(address, iss=registered.issuer, **TEACHER))
        assert (await teacher.choose(asked, course="new")).status_code == 303
    await service.services.platform_services.try_token(platform, [SCORE_SCOPE])
    hosts = [request.headers["host"] for request in fake.sent]
    assert hosts == [urlsplit(registered.keys_url).netloc, urlsplit(registered.token_url).netloc]


async def test_one_issuer_of_two_schools_is_told_apart_by_the_client_id(service: Service, fake: FakePlatform) -> None:
    registered = registration("canvas", fake)
    first = await register(service, registered)
    second = await register(service, registration("canvas", fake, client_id="client-of-another-school"))
    async with browser(service) as teacher:
        for platform in (first, second):
            address = await teacher.begin(iss=registered.issuer, client_id=platform.client_id)
            assert f"client_id={platform.client_id}&" in address
        # The message of one school does not fit a launch that the other has begun.
        answer = await teacher.post(LAUNCH, data=fake.message(address, iss=registered.issuer, aud=CLIENT_ID, **TEACHER))
        assert answer.status_code == 403
