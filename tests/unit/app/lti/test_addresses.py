"""Addresses that a platform's launches name: its token goes to no other site, and a grade to no other column."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from app.lti.addresses import is_below, is_of_course, is_of_platform
from app.lti.platform_services import LINEITEM_READ_SCOPE, SCORE_SCOPE
from app.lti.platforms import set_origins
from app.lti.registration.kinds import addresses_of
from app.storage.models import LtiContext, LtiLink, LtiPlatform
from app.storage.passback import scores_changed
from tests.platforms import AGS, ISSUER, NRPS, REGISTRATION, FakePlatform
from tests.unit.app.calls import send
from tests.unit.app.conftest import Service
from tests.unit.app.lti.conftest import (
    ITEM_SCOPES,
    TEACHER,
    come_and_hand_in,
    deliver,
    failure_of,
    idle,
    open_course,
    register,
)
from tests.waiting import until

MOODLE = "/mod/lti/token.php"
EVIL = "https://evil.example/x"
OURS = {"resourceLinkId": "link-9", "scoreMaximum": 100}


@pytest.fixture(autouse=True)
def quick(short_waits: None, clock_that_runs: None) -> None: ...


@pytest.fixture
async def moodle(service: Service, fake: FakePlatform) -> LtiPlatform:
    return await register_with(service, fake, MOODLE)


async def register_with(service: Service, fake: FakePlatform, token_path: str) -> LtiPlatform:
    fake.token_path = token_path
    return await register(service, replace(REGISTRATION, token_url=f"{ISSUER}{token_path}"))


def claims(scope: list[str] = ITEM_SCOPES, **endpoint: str | None) -> dict[str, Any]:
    named = {"lineitems": f"{ISSUER}/items", **endpoint}
    return {AGS: {"scope": scope, **{name: value for name, value in named.items() if value is not None}}}


def with_token(fake: FakePlatform) -> set[str]:
    """The sites that were sent a token."""
    return {f"{each.url.scheme}://{each.headers['host']}" for each in fake.sent if "authorization" in each.headers}


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        (f"{ISSUER}/items/4", True),
        (f"{ISSUER}:443/items/4?type=7", True),
        (f"{ISSUER}/items", False),
        (f"{ISSUER}/items/", False),
        (f"{ISSUER}/items-of-others/4", False),
        (f"{ISSUER}/items/../others/4", False),
        (f"{ISSUER}/items/%2E%2e/others/4", False),
        (f"{ISSUER}/items/4%2Fothers", False),
        (f"{ISSUER}/items/4%5Cothers", False),
        (f"{ISSUER}/items/4\\others", False),
        (f"{ISSUER}:444/items/4", False),
        (f"{ISSUER.replace('https', 'http')}/items/4", False),
        (f"{ISSUER}@evil.example/items/4", False),
        (f"{ISSUER}.evil.example/items/4", False),
        ("https://[x/items/4", False),
    ],
)
def test_line_item_lies_below_its_list(address, is_one):
    assert is_below(address, f"{ISSUER}/items?type=7") is is_one


@pytest.mark.parametrize("kind", ["lineitems?type_id=1", "lineitems/4/lineitem"])
@pytest.mark.parametrize("below", ["{}/", "CourseSection/{}/bindings/1/"])
def test_list_of_moodle_is_of_the_course_in_its_address(kind, below):
    moodle = LtiPlatform(token_url=f"{ISSUER}{MOODLE}")
    address = f"{ISSUER}/mod/lti/services.php/{below}{kind}"
    assert is_of_course(moodle, address.format(2), "2")
    assert not is_of_course(moodle, address.format(3), "2")
    assert is_of_course(LtiPlatform(token_url=f"{ISSUER}/token"), address.format(3), "2")


@pytest.mark.parametrize(
    ("kind", "services", "evil"),
    [
        ("moodle", "https://school.edu", False),
        ("canvas", "https://school.instructure.com", True),
        ("canvas", "https://canvas.school.edu", True),
        ("blackboard", "https://school.blackboard.com", True),
        ("d2l", "https://school.brightspace.com", True),
    ],
)
def test_services_of_each_kind_get_its_token(kind, services, evil):
    """Teachers can write addresses in Moodle alone."""
    platform = LtiPlatform(**addresses_of(kind, "https://school.edu", "client-7"), origins="")
    assert is_of_platform(platform, f"{services}/lists/members")
    assert is_of_platform(platform, EVIL) is evil


def test_admin_may_enter_a_site_of_services():
    platform = LtiPlatform(**dict.fromkeys(("issuer", "login_url", "token_url", "keys_url"), f"{ISSUER}/x"))
    platform.origins = "https://pages.example.edu https://services.example.edu:8443"
    assert is_of_platform(platform, "https://services.example.edu:8443/items")
    assert not is_of_platform(platform, "https://services.example.edu/items")


@pytest.mark.parametrize(
    ("written", "token_path"), [(f"{ISSUER}:444/items/4", "/token"), (f"{ISSUER}/items/%2e%2e/others/4", MOODLE)]
)
async def test_line_item_that_a_teacher_has_written_is_as_good_as_none(service, fake, caplog, written, token_path):
    await register_with(service, fake, token_path)
    await open_course(service, **claims(lineitem=written))
    await come_and_hand_in(service, **claims(lineitem=written))
    await until(lambda: fake.book.column("/items/1").grades.get("user-5"))
    assert with_token(fake) == {ISSUER}
    assert not any("others" in each for each in fake.asked)
    assert "lti_line_item_refused" in caplog.messages
    assert (await idle(service)).points == 100


async def test_line_item_of_another_platform_need_not_lie_below_its_list(service, platform, fake):
    """Sakai has its line items beside their list."""
    fake.book.add(OURS)
    fake.answers["/item/1/scores"] = lambda: httpx.Response(200)
    written = claims([SCORE_SCOPE], lineitem=f"{ISSUER}/item/1")
    await open_course(service, **written)
    await come_and_hand_in(service, **written)
    await until(lambda: "/item/1/scores" in fake.asked)
    assert (await idle(service)).points == 100


async def test_line_item_elsewhere_is_refused_also_where_the_launch_names_no_list(service, platform, fake):
    written = claims(lineitems=None, lineitem=EVIL)
    await open_course(service, **written)
    await come_and_hand_in(service, **written)
    assert (await failure_of(service)).last_error == "the platform has granted no grade book for this link"
    assert with_token(fake) == set()


async def test_moodle_says_which_column_is_the_links(service, moodle, fake):
    """It takes a grade for any column of its own, whatever course stands in the address."""
    fake.book.add({"resourceLinkId": "of another course"})
    fake.book.add(OURS)
    written = claims([SCORE_SCOPE, LINEITEM_READ_SCOPE], lineitem=f"{ISSUER}/items/1")
    await open_course(service, **written)
    for number in (1, 2):
        await come_and_hand_in(service, sub=f"student-{number}", **written)
        await until(lambda number=number: len(fake.grades) == number)
    assert [path for path in fake.asked if path.endswith("/scores")] == ["/items/2/scores"] * 2
    assert fake.asked.count("/items") == 1


@pytest.mark.parametrize("kept", [EVIL, f"{ISSUER}/others/4"])
async def test_line_item_of_before_is_forgotten_at_the_next_launch(service, moodle, fake, kept):
    """All grades go to the column of the link then."""
    await open_course(service, **claims())
    before = await deliver(service, **claims())
    fake.book.forget()
    await service.store(LtiLink, lineitem_url=kept)
    await open_course(service, **claims(lineitem=kept))
    await until(lambda: fake.book.column("/items/1").grades.get("user-5"))
    assert (await idle(service)).version > before.version
    assert with_token(fake) == {ISSUER}


async def test_address_of_before_at_another_site_or_inside_gets_no_token(service, platform, fake):
    await open_course(service, **claims())
    score = await deliver(service, **claims())
    for column, address, words in (
        ("lineitem_url", "https://10.0.0.5/items/4", "10.0.0.5 is in a private network"),
        ("lineitems_url", "https://[abc/items", "'https://[abc/items' is no address"),
        ("lineitem_url", EVIL, "https://evil.example is none of the platform's sites"),
        ("lineitems_url", EVIL, "https://evil.example is none of the platform's sites"),
    ):
        await service.store(LtiLink, **{"lineitem_url": None, column: address})
        await service.write(scores_changed, [score.id])
        refused = await failure_of(service)
        assert (refused.last_status, refused.last_error) == (None, f"the address is refused: {words}")
        assert (refused.attempts, refused.next_at, with_token(fake)) == (1, None, {ISSUER})
    # An admin who enters the site need not send each grade again.
    await service.write(set_origins, platform.id, ["https://evil.example"])
    await until(lambda: "https://evil.example" in with_token(fake))


async def test_list_of_members_at_another_site_gets_no_token(service, teacher, moodle, fake):
    page = await teacher.land(**TEACHER, **{NRPS: {"context_memberships_url": EVIL}})
    (context,) = await service.rows(LtiContext)
    answer = await send(teacher, f"{page}/lms", f"{page}/lms/contexts/{context.id}/members")
    assert (answer.status_code, "none of the platform" in answer.text) == (403, True)
    assert with_token(fake) == set()


async def test_line_item_that_the_platform_lists_is_at_its_own_site(service, platform, fake):
    fake.answers["/items"] = lambda: httpx.Response(200, json=[{**OURS, "id": EVIL}])
    await open_course(service, **claims())
    await come_and_hand_in(service, **claims())
    assert "none of the platform's sites" in str((await failure_of(service)).last_error)
    assert with_token(fake) == {ISSUER}


@pytest.mark.parametrize("lineitem", [None, f"{ISSUER}/mod/lti/services.php/4/lineitems/9/lineitem"])
async def test_lists_of_another_course_that_a_teacher_has_written_are_as_good_as_none(
    service, moodle, fake, caplog, lineitem
):
    """Moodle fills a claim from a parameter of the link where its own service is off for the tool."""
    below = f"{ISSUER}/mod/lti/services.php"
    written = claims(lineitems=f"{below}/4/lineitems?type_id=1", lineitem=lineitem)
    written[NRPS] = {"context_memberships_url": f"{below}/CourseSection/4/bindings/1/memberships"}
    await open_course(service, **written)
    await come_and_hand_in(service, **written)
    assert (await failure_of(service)).last_error == "the platform has granted no grade book for this link"
    (context,) = await service.rows(LtiContext)
    assert context.memberships_url is None
    assert caplog.messages.count("lti_list_refused") >= 2
    assert with_token(fake) == set()
