"""Platforms that an admin registers by hand: kinds, values for their forms, and sites that may frame our pages."""

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.lti.platform_services import SCORE_SCOPE
from app.lti.platforms import Registration, site_of
from app.lti.registration.kinds import KINDS, addresses_of
from app.storage.models import LtiPlatform
from tests.platforms import CLIENT_ID, DEPLOYMENT, REGISTRATION, FakePlatform
from tests.platforms.registrar import SCOPES
from tests.unit.app.calls import send
from tests.unit.app.lti.conftest import LAUNCH, TEACHER, register

MOODLE = {"kind": "moodle", "site": "https://moodle.example.edu", "client_id": "abc", "deployment": "1"}


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
        ("", None),
    ],
    ids=ascii,
)
def test_site_of_an_address_is_its_origin(address, site):
    assert site_of(address) == site


async def test_platform_with_a_host_of_another_alphabet_lets_every_page_answer(service, admin):
    await register(service, replace(REGISTRATION, login_url="https://школа.рф/auth", origins=("https://урок.рф",)))
    await service.services.frame_sites.read()
    policy = (await admin.get("/")).headers["content-security-policy"]
    assert "https://xn--80atdl2c.xn--p1ai" in policy
    assert "https://xn--j1ahfl.xn--p1ai" in policy


@pytest.mark.parametrize(
    ("site", "issuer"),
    [
        ("https://moodle.example.edu", "https://moodle.example.edu"),
        ("https://Школа.рф", "https://xn--80atdl2c.xn--p1ai"),
    ],
    ids=ascii,
)
async def test_admin_registers_moodle_by_its_address(service, admin, site, issuer):
    shown = await admin.get("/platforms")
    for path in ("open", "login", "launch", "keys"):
        assert f"http://grader.test/lti/{path}" in shown.text
    added = await send(admin, "/platforms", "/platforms", **MOODLE | {"site": site})
    assert added.status_code == 303
    again = await send(admin, "/platforms", "/platforms", **MOODLE | {"site": site})
    assert (again.status_code, "registered already" in again.text) == (409, True)
    (platform,) = await service.rows(LtiPlatform)
    assert (platform.issuer, platform.login_url, platform.token_url, platform.keys_url) == (
        issuer,
        f"{issuer}/mod/lti/auth.php",
        f"{issuer}/mod/lti/token.php",
        f"{issuer}/mod/lti/certs.php",
    )


async def test_hosts_that_look_alike_are_told_apart(service, admin):
    """The first letter is Cyrillic."""
    platform = await register(service, replace(REGISTRATION, issuer="https://\u043eoodle.example.edu"))
    shown = (await admin.get(f"/platforms/{platform.id}")).text
    assert shown.count("(<bdi>https://xn--") == 1
    assert f"<bdi>{REGISTRATION.login_url}</bdi></dd>" in shown


WRONG: list[tuple[dict[str, str], str | None]] = [
    ({"site": ""}, "site"),
    ({"site": "http://moodle.example.edu"}, "site"),
    ({"site": "https://127.0.0.1"}, "site"),
    ({"client_id": ""}, "client_id"),
    ({"client_id": "x" * 256}, "client_id"),
    ({"kind": "other"}, "issuer"),
    ({"kind": "blackbored"}, None),
]


async def test_wrong_registration_says_where(service, admin):
    for changed, field in WRONG:
        answer = await send(admin, "/platforms", "/platforms", **{**MOODLE, **changed})
        assert answer.status_code == 422, changed
        assert field is None or f'id="{field}-error"' in answer.text, changed
    assert await service.rows(LtiPlatform) == []


async def test_confirmed_platforms_may_frame_our_pages_and_others_may_not(admin):
    before = await admin.get("/courses")
    assert before.headers["content-security-policy"].endswith("frame-ancestors 'none'")
    assert before.headers["x-frame-options"] == "DENY"
    added = await send(admin, "/platforms", "/platforms", **MOODLE)
    after = await admin.get("/courses")
    assert after.headers["content-security-policy"].endswith("frame-ancestors 'self' https://moodle.example.edu")
    assert "x-frame-options" not in after.headers
    # Pages of the whole service are never framed.
    for path in ("/platforms", "/people", "/status", "/enter"):
        assert (await admin.get(path)).headers["x-frame-options"] == "DENY"
    removed = await send(
        admin, added.headers["location"], f"{added.headers['location'].partition('?')[0]}/remove", sure="on"
    )
    assert removed.status_code == 303
    last = await admin.get("/courses")
    assert last.headers["content-security-policy"].endswith("frame-ancestors 'none'")


async def test_pages_of_the_platforms_own_address_may_frame_ours_whatever_its_issuer_is(admin):
    canvas = {**MOODLE, "kind": "canvas", "site": "https://school.instructure.com/courses/3"}
    added = await send(admin, "/platforms", "/platforms", **canvas)
    address = added.headers["location"].partition("?")[0]
    policy = (await admin.get("/courses")).headers["content-security-policy"]
    assert "https://school.instructure.com " in f"{policy} "
    sites = "https://school.example.edu, https://school.instructure.com:8443/x"
    assert (await send(admin, address, f"{address}/origins", origins=sites)).status_code == 303
    policy = (await admin.get("/courses")).headers["content-security-policy"]
    assert "https://school.example.edu https://school.instructure.com:8443" in policy
    assert "https://school.instructure.com " not in f"{policy} "


async def test_site_that_is_none_is_refused(admin):
    address = (await send(admin, "/platforms", "/platforms", **MOODLE)).headers["location"].partition("?")[0]
    for sites in ("school.example.edu", "https://a.org; script-src", "https://*", "javascript:1", "*"):
        refused = await send(admin, address, f"{address}/origins", origins=sites)
        assert (refused.status_code, 'id="origins-error"' in refused.text) == (422, True), sites


SITE = "https://school.example.edu"


def registration(kind: str, fake: FakePlatform, **changed: str | None) -> Registration:
    """Return the registration of a platform of this kind, and let the double be one."""
    addresses = addresses_of(kind, SITE, CLIENT_ID)
    fake.keys_path, fake.token_path = urlsplit(addresses["keys_url"]).path, urlsplit(addresses["token_url"]).path
    fake.audience = addresses.get("token_audience", addresses["token_url"])
    return Registration(**{"name": kind, "client_id": CLIENT_ID, "deployments": (DEPLOYMENT,), **addresses, **changed})


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_launches_and_gives_tokens(service, teacher, fake, kind):
    registered = registration(kind, fake)
    platform = await register(service, registered)
    address = await teacher.begin(iss=registered.issuer)
    assert address.startswith(f"{registered.login_url}?")
    asked = await teacher.post(LAUNCH, data=fake.message(address, iss=registered.issuer, **TEACHER))
    assert (await teacher.choose(asked, course="new")).status_code == 303
    await service.services.platform_services.try_token(platform, [SCORE_SCOPE])
    hosts = [request.headers["host"] for request in fake.sent]
    assert hosts == [urlsplit(registered.keys_url).netloc, urlsplit(registered.token_url).netloc]


async def test_one_issuer_of_two_schools_is_told_apart_by_the_client_id(service, teacher, fake):
    registered = registration("canvas", fake)
    first = await register(service, registered)
    second = await register(service, registration("canvas", fake, client_id="client-of-another-school"))
    for platform in (first, second):
        address = await teacher.begin(iss=registered.issuer, client_id=platform.client_id)
        assert f"client_id={platform.client_id}&" in address
    # The message of one school does not fit a launch that the other has begun.
    answer = await teacher.post(LAUNCH, data=fake.message(address, iss=registered.issuer, aud=CLIENT_ID, **TEACHER))
    assert answer.status_code == 403


ROOT = Path(__file__).parents[4]


async def test_canvas_can_read_its_json(other):
    """Source: Canvas, doc/api/lti_dev_key_config.md and lib/schemas/lti_configuration.rb."""
    answer = await other.get("/lti/canvas.json")
    # Canvas refuses any other type.
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert document["title"]
    assert document["description"]
    assert document["target_link_uri"] == "http://grader.test/lti/open"
    assert document["oidc_initiation_url"] == "http://grader.test/lti/login"
    assert document["public_jwk_url"] == "http://grader.test/lti/keys"
    assert document["scopes"] == SCOPES
    (extension,) = document["extensions"]
    assert (extension["platform"], extension["domain"]) == ("canvas.instructure.com", "grader.test")
    assert extension["privacy_level"] == "public"
    for placement in extension["settings"]["placements"]:
        assert placement["message_type"] == "LtiDeepLinkingRequest"
        assert placement["target_link_uri"] == "http://grader.test/lti/open"
    # Both take Deep Linking (app/models/lti/resource_placement.rb).
    placements = [each["placement"] for each in extension["settings"]["placements"]]
    assert placements == ["assignment_selection", "link_selection"]


async def test_admin_copies_each_platforms_own_fields(admin):
    shown = (await admin.get("/platforms")).text
    documents = re.findall("<code>(docs/lms/.*?)</code>", shown)
    assert len(documents) == 5
    assert all((ROOT / each).is_file() for each in documents)
    for value in (
        "http://grader.test/lti/canvas.json",
        "http://grader.test/lti/open",
        ">grader.test<",
        "[&#34;http://grader.test/lti/launch&#34;]",
    ):
        assert value in shown
    # Buttons that copy need a script; without it a click selects the text.
    assert shown.count("data-copy=") == shown.count('<dt lang="en">') == 23


async def test_tool_opened_without_a_platform_says_so(client):
    assert "from your course" in (await client.get("/lti/open")).text
