"""Sites of platforms, which stand in the header that lets their pages show ours in a frame."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.lti.platforms import site_of
from tests.platforms import REGISTRATION
from tests.unit.app.conftest import Service
from tests.unit.app.lti.conftest import register

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("https://Moodle.example.edu:443/login?x=1#y", "https://moodle.example.edu"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://Школа.рф/moodle", "https://xn--80atdl2c.xn--p1ai"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("https://moodle.example.edu:99999", None),
        ("https://moodle.example.edu:-1", None),
        ("https://moodle.example.edu;script-src", None),
        ("https://moodle.example.edu script-src", None),
        ("https://☃.example", None),
        ("https://[::1", None),
        ("https://", None),
        ("javascript:alert(1)", None),
        ("lti-issuer", None),
        ("", None),
    ],
    ids=ascii,
)
def test_site_of_an_address_is_its_origin(address: str, site: str | None) -> None:
    assert site_of(address) == site


async def test_platform_with_a_host_of_another_alphabet_lets_every_page_answer(service: Service) -> None:
    await register(service, replace(REGISTRATION, login_url="https://школа.рф/auth", origins=("https://урок.рф",)))
    await service.services.frame_sites.read()
    async with service.browser() as admin:
        policy = (await admin.get("/")).headers["content-security-policy"]
    assert "https://xn--80atdl2c.xn--p1ai" in policy
    assert "https://xn--j1ahfl.xn--p1ai" in policy
