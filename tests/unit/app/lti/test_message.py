"""A platform's message is believed only if it is signed by the platform, for us, for this launch, and now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors.lti import LaunchAnonymous, LaunchOutdated, LaunchRefused
from app.lti.launch.login import is_ours
from app.lti.launch.message import Endpoint, Message, key_id, read
from app.lti.launch.roles import Part, part_of
from tests.platforms import (
    AGS,
    CLIENT_ID,
    ISSUER,
    KEY,
    LTI,
    NRPS,
    ROLE,
    SERVICE,
    claims_of,
    signed,
)

NONCE = "nonce-1"
SETTINGS = "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"


def test_column_that_is_no_address_is_none() -> None:
    came = believed(signed(claims_of(NONCE, **{AGS: {"scope": [5, "a"], "lineitem": "file:///etc/passwd"}})))
    assert came.endpoint is not None
    assert (came.endpoint.scope, came.endpoint.lineitem) == (["a"], None)


def believed(token: str, now: float | None = None) -> Message:
    key_id(token)
    return read(
        token,
        KEY,
        issuer=ISSUER,
        client_id=CLIENT_ID,
        fits_nonce=lambda nonce: nonce == NONCE,
        is_ours=lambda address: is_ours(address, SERVICE),
        now=now,
    )


def test_message_says_who_comes_from_where_to_what() -> None:
    came = believed(signed(claims_of(NONCE)))
    assert (came.subject, came.part, came.person_name) == ("user-5", Part.STUDENT, "Анна Петрова")
    assert came.context is not None
    assert came.resource_link is not None
    assert came.endpoint is not None
    assert (came.context.id, came.resource_link.id) == ("course-3", "link-9")
    assert came.endpoint.lineitem == f"{ISSUER}/items/4?type=7"


def test_name_in_two_long_parts_is_as_long_as_a_name_may_be() -> None:
    came = believed(signed({**claims_of(NONCE), "name": None, "given_name": "a" * 200, "family_name": "b" * 200}))
    assert came.person_name == "a" * 200


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": [CLIENT_ID]},
        {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID},
        {"azp": CLIENT_ID},
        {"nbf": timedelta(seconds=-5)},
        {"exp": timedelta(seconds=3600.5)},
        {"name": None, "email": None, "given_name": "Анна"},
        {"name": 5, "email": ["a"], "locale": {}},
        {f"{LTI}roles": []},
        {f"{LTI}custom": {"assignment": "lstm-layer", "number": 5, "nothing": None}},
        {f"{LTI}custom": None},
        {f"{LTI}context": {"id": "3", "type": ["CourseSection"]}},
        {AGS: None},
        {"https://example.edu/claim": {"anything": 1}},
        {f"{LTI}context": {"id": 3, "title": None, "label": 5}},
        {f"{LTI}context": "course-3"},
        {f"{LTI}context": {"title": "no id"}},
        {f"{LTI}resource_link": {"id": 9, "title": None}},
        {f"{LTI}lis": {"person_sourcedid": 17, "course_section_sourcedid": None}},
        {f"{LTI}lis": "none"},
        {f"{LTI}for_user": None},
        {f"{LTI}for_user": []},
        {f"{LTI}custom": ["assignment"]},
        {f"{LTI}custom": {"assignment": {"id": 1}, "list": [1]}},
        {f"{LTI}launch_presentation": 5},
        {AGS: []},
        {AGS: {"scope": None, "lineitem": None, "lineitems": ""}},
        {AGS: {"scope": [5, None], "lineitem": "file:///etc/passwd"}},
        {NRPS: {"context_memberships_url": None, "service_versions": 2}},
        {SETTINGS: {"deep_link_return_url": "javascript:alert(1)"}},
    ],
    ids=str,
)
def test_right_message_is_believed(changed: dict[str, Any]) -> None:
    assert believed(signed(claims_of(NONCE, **changed))).subject == "user-5"


# Wrong signatures, and the claims that a mistake or an attacker would change first, stand in test_refusals.
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": f"{ISSUER}/"}, "issuer"),
        ({"aud": ["another"]}, "audience"),
        ({"aud": None}, "claim aud"),
        ({"aud": {"a": CLIENT_ID}}, "claim aud"),
        ({"exp": True}, "claim exp"),
        ({"sub": 5}, "claim sub"),
        ({f"{LTI}deployment_id": ""}, "claim deployment_id"),
        ({f"{LTI}deployment_id": "x" * 256}, "claim deployment_id"),
        ({f"{LTI}resource_link": {}}, "claim resource_link"),
        ({f"{LTI}resource_link": {"id": "x" * 256}}, "claim resource_link"),
        ({f"{LTI}roles": [5]}, "claim roles.0"),
        (
            {f"{LTI}message_type": "LtiDeepLinkingRequest", SETTINGS: {"deep_link_return_url": "javascript:alert(1)"}},
            "claim deep_linking",
        ),
    ],
    ids=str,
)
def test_wrong_message_is_refused(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(LaunchRefused) as refusal:
        believed(signed(claims_of(NONCE, **changed)))
    assert refusal.value.params == {"reason": reason}


def test_text_that_is_no_token_is_refused() -> None:
    with pytest.raises(LaunchRefused) as refusal:
        believed("ы" * 100)
    assert refusal.value.params == {"reason": "token_form"}


@pytest.mark.parametrize(("seconds", "is_in_time"), [(-59, True), (359, True), (-62, False), (362, False)])
def test_clocks_may_differ_by_a_minute(seconds: int, is_in_time: bool) -> None:
    claims = claims_of(NONCE)
    token, now = signed(claims), claims["iat"] + seconds
    if is_in_time:
        assert believed(token, now)
    else:
        with pytest.raises(LaunchOutdated):
            believed(token, now)


@pytest.mark.parametrize(("seconds", "is_in_time"), [(58, True), (63, False)])
def test_message_that_holds_a_minute_from_now_is_believed(seconds: int, is_in_time: bool) -> None:
    claims = claims_of(NONCE, nbf=timedelta(seconds=seconds))
    token, now = signed(claims), claims["iat"]
    if is_in_time:
        assert believed(token, now).nbf is not None
    else:
        with pytest.raises(LaunchOutdated, match="not_yet"):
            believed(token, now)


@given(
    st.dictionaries(
        st.sampled_from(sorted(claims_of(NONCE))),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        ),
        max_size=3,
    )
)
def test_any_claims_are_believed_or_refused(changed: dict[str, Any]) -> None:
    """The law: whatever a platform signs ends as a message or as one of our refusals."""
    try:
        came = believed(signed(claims_of(NONCE) | changed))
    except (LaunchRefused, LaunchOutdated, LaunchAnonymous):
        pass
    else:
        assert (came.iss, came.nonce, came.version) == (ISSUER, NONCE, "1.3.0")


PERSON = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"
SUB_ROLE = "http://purl.imsglobal.org/vocab/lis/v2/membership"
SYSTEM = "http://purl.imsglobal.org/vocab/lis/v2/system/person#"


@pytest.mark.parametrize(
    ("roles", "part"),
    [
        ([f"{ROLE}Instructor"], Part.TEACHER),
        ([f"{ROLE}Learner"], Part.STUDENT),
        ([f"{ROLE}Instructor", f"{ROLE}Learner"], Part.TEACHER),
        (["http://purl.imsglobal.org/vocab/lis/v2/membership/Instructor#TeachingAssistant"], Part.ASSISTANT),
        ([f"{ROLE}Instructor", f"{ROLE}TeachingAssistant"], Part.ASSISTANT),
        *(
            ([f"{ROLE}Instructor", f"{SUB_ROLE}/Instructor#{name}"], Part.ASSISTANT)
            for name in (
                "TeachingAssistant",
                "TeachingAssistantGroup",
                "TeachingAssistantOffering",
                "TeachingAssistantSection",
                "TeachingAssistantSectionAssociation",
                "TeachingAssistantTemplate",
                "Grader",
            )
        ),
        ([f"{SUB_ROLE}/Instructor#TeachingAssistantX"], Part.TEACHER),
        ([f"{SUB_ROLE}/Manager#AreaManager"], Part.TEACHER),
        ([f"{SUB_ROLE}/Manager#Observer"], Part.STUDENT),
        ([f"{SUB_ROLE}/Manager#ExternalObserver", f"{ROLE}Manager"], Part.STUDENT),
        ([f"{SUB_ROLE}/Manager#Observer", f"{ROLE}Manager", f"{ROLE}Instructor"], Part.TEACHER),
        ([f"{ROLE}ContentDeveloper"], Part.TEACHER),
        ([f"{ROLE}Administrator"], Part.TEACHER),
        ([f"{PERSON}Administrator"], Part.TEACHER),
        ([f"{SYSTEM}Administrator"], Part.TEACHER),
        ([f"{PERSON}Administrator", f"{ROLE}Learner"], Part.STUDENT),
        ([f"{PERSON}Instructor"], Part.STUDENT),
        ([f"{PERSON}Faculty", f"{PERSON}Staff"], Part.STUDENT),
        ([f"{ROLE}Mentor"], Part.MENTOR),
        ([f"{ROLE}Mentor", f"{ROLE}Learner"], Part.STUDENT),
        ([], Part.STUDENT),
        (["Instructor"], Part.TEACHER),
        (["Learner"], Part.STUDENT),
        (["urn:lti:role:ims/lis/Instructor"], Part.STUDENT),
        (["https://evil.example/membership#Instructor"], Part.STUDENT),
        ([f"{ROLE}Observer", "nonsense"], Part.STUDENT),
        ([f"{SUB_ROLE}/Learner#Instructor"], Part.STUDENT),
        ([f"{SUB_ROLE}/Learner#GuestLearner"], Part.STUDENT),
        ([f"{SUB_ROLE}/Learner#TeachingAssistant"], Part.STUDENT),
        ([f"{SUB_ROLE}/Instructor#GuestInstructor"], Part.TEACHER),
        ([f"{SUB_ROLE}/Mentor#Advisor"], Part.MENTOR),
        ([f"{SUB_ROLE}s#Instructor"], Part.STUDENT),
        ([f"{SUB_ROLE}Instructor"], Part.STUDENT),
    ],
)
def test_part_follows_from_the_roles_in_the_course(roles: list[str], part: Part) -> None:
    assert part_of(roles) == part


@pytest.mark.parametrize("address", ["https://[abc/items", "https://lms.example.edu:99999/items", "https://lms:x/"])
def test_address_of_a_service_that_cannot_be_read_is_none(address: str) -> None:
    scope = ["https://purl.imsglobal.org/spec/lti-ags/scope/score"]
    endpoint = Endpoint.model_validate({"scope": scope, "lineitem": address, "lineitems": address})
    assert (endpoint.scope, endpoint.lineitem, endpoint.lineitems) == (scope, None, None)


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "http://grader.test.evil.example/",
        "http://grader.test@evil.example/",
        "http://evil.example#http://grader.test/",
        "//grader.test/",
        "/lti/open",
        "https://grader.test/",
        "http://grader.test:81/",
        "http://grader.test\\@evil.example/",
        "http://grader.test /",
        "http://grader.test\r\nLocation: x",
        "javascript:alert(1)",
        "",
        "http://[",
    ],
)
def test_address_of_another_place_is_not_ours(address: str) -> None:
    assert not is_ours(address, SERVICE)


@pytest.mark.parametrize("address", ["http://grader.test", "http://grader.test/", "http://grader.test/lti/open?a=1"])
def test_own_address_is_ours(address: str) -> None:
    assert is_ours(address, SERVICE)
