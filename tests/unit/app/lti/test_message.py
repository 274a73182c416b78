"""A platform's message is believed only if it is signed by the platform, for us, for this launch, and now."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
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
    OTHER_KEY,
    ROLE,
    SERVICE,
    altered,
    claims_of,
    encoded,
    signed,
    signed_text,
    signed_with_the_public_key,
    unsigned,
    with_its_own_key,
    without_key_id,
)

NONCE = "nonce-1"
SETTINGS = "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"


def believe(token: str, now: float | None = None) -> Message:
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


def test_message_says_who_comes_from_where_to_what():
    message = believe(signed(claims_of(NONCE)))
    assert (message.subject, message.part, message.person_name) == ("user-5", Part.STUDENT, "Анна Петрова")
    assert (message.context.id, message.resource_link.id) == ("course-3", "link-9")
    assert message.endpoint.lineitem == f"{ISSUER}/items/4?type=7"


def test_name_in_two_long_parts_is_as_long_as_a_name_may_be():
    message = believe(signed({**claims_of(NONCE), "name": None, "given_name": "a" * 200, "family_name": "b" * 200}))
    assert message.person_name == "a" * 200


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID},
        {"azp": CLIENT_ID},
        {"nbf": timedelta(seconds=-5)},
        {"exp": timedelta(seconds=3600.5)},
        {"name": 5, "email": ["a"], "locale": {}},
        {"https://example.edu/claim": {"anything": 1}},
        {f"{LTI}context": {"id": 3, "title": None, "label": 5}},
        {f"{LTI}context": "course-3"},
        {f"{LTI}resource_link": {"id": 9, "title": None}},
        {f"{LTI}lis": {"person_sourcedid": 17, "course_section_sourcedid": None}},
        {f"{LTI}lis": "none"},
        {f"{LTI}for_user": []},
        {f"{LTI}custom": ["assignment"]},
        {f"{LTI}launch_presentation": 5},
        {AGS: []},
        {AGS: {"scope": None, "lineitem": None, "lineitems": ""}},
        {NRPS: {"context_memberships_url": None, "service_versions": 2}},
        {SETTINGS: {"deep_link_return_url": "javascript:alert(1)"}},
    ],
    ids=str,
)
def test_right_message_is_believed(changed):
    assert believe(signed(claims_of(NONCE, **changed))).subject == "user-5"


def test_custom_values_are_texts_of_limited_length():
    custom = {"number": 5, "nothing": None, "n" * 200: "v" * 2000}
    believed = believe(signed(claims_of(NONCE, **{f"{LTI}custom": custom})))
    assert believed.custom == {"number": "5", "n" * 100: "v" * 1000}


def refusal(token: str, error: type[LaunchRefused | LaunchOutdated] = LaunchRefused) -> object:
    with pytest.raises(error) as caught:
        believe(token)
    return caught.value.params["reason"]


SIGNATURES: dict[str, tuple[Callable[[dict[str, Any]], str], str]] = {
    "no algorithm": (unsigned, "algorithm"),
    "the public key as a secret": (signed_with_the_public_key, "algorithm"),
    "PS256": (partial(signed, alg="PS256"), "algorithm"),
    "no key id": (without_key_id, "key_id"),
    "long key id": (partial(signed, kid="k" * 256), "key_id"),
    "another key under the id": (partial(signed, key=OTHER_KEY, kid=KEY.kid), "signature"),
    "key in the message": (with_its_own_key, "token_form"),
    "changed after signing": (altered, "signature"),
    "cut signature": (lambda claims: signed(claims)[:-6], "signature"),
    "header that is a list": (lambda claims: f"{encoded(b'[]')}.e30.e30", "token_form"),
    "header nested deeply": (lambda claims: f"{encoded(b'[' * 30_000)}.e30.AA", "token_form"),
    "no token": (lambda claims: "", "token_form"),
    "no Latin letters": (lambda claims: "ы" * 100, "token_form"),
    "huge token": (lambda claims: "e" * 62_000, "token_size"),
    "claims nested deeply": (partial(signed_text, text=f'{{"a":{"[" * 30_000}'), "claims"),
    "half a character in the nonce": (partial(signed_text, text='{"nonce": "\\ud800"}'), "claims"),
}


@pytest.mark.parametrize(("sign", "reason"), SIGNATURES.values(), ids=SIGNATURES)
def test_message_that_the_platform_did_not_sign_is_refused(sign, reason):
    assert refusal(sign(claims_of(NONCE))) == reason


NEEDED = ["iss", "aud", "nonce", "exp", "iat"]
NEEDED += [f"{LTI}{name}" for name in ("version", "message_type", "deployment_id", "target_link_uri", "resource_link")]


@pytest.mark.parametrize("claim", NEEDED)
def test_message_without_a_claim_that_it_needs_is_refused(claim):
    assert refusal(signed(claims_of(NONCE, **{claim: None}))) == f"claim {claim.rpartition('/')[2]}"


CHOICE = {f"{LTI}message_type": "LtiDeepLinkingRequest"}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"aud": "another"}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": [CLIENT_ID, "another"]}, "azp_missing"),
        ({"aud": [CLIENT_ID, "another"], "azp": "another"}, "azp"),
        ({"azp": "another"}, "azp"),
        ({"nonce": "another"}, "nonce"),
        ({"exp": True}, "claim exp"),
        ({"sub": 5}, "claim sub"),
        ({"sub": ""}, "claim sub"),
        ({"sub": "x" * 256}, "claim sub"),
        ({"sub": "a\nb"}, "claim sub"),
        ({f"{LTI}version": "1.1"}, "claim version"),
        ({f"{LTI}message_type": "LtiStartProctoring"}, "claim message_type"),
        ({f"{LTI}target_link_uri": "https://evil.example/"}, "target_link_uri"),
        ({f"{LTI}target_link_uri": "javascript:alert(1)"}, "claim target_link_uri"),
        ({f"{LTI}roles": [5]}, "claim roles.0"),
        (CHOICE, "claim deep_linking"),
        ({**CHOICE, SETTINGS: {"deep_link_return_url": "javascript:alert(1)"}}, "claim deep_linking"),
        ({**CHOICE, SETTINGS: {"deep_link_return_url": f"{ISSUER}/return", "data": "a\0b"}}, "claim deep_linking"),
        (
            {f"{LTI}message_type": "LtiSubmissionReviewRequest", f"{LTI}resource_link": None, AGS: None},
            "claim resource_link or endpoint",
        ),
    ],
    ids=str,
)
def test_wrong_message_is_refused(changed, reason):
    assert refusal(signed(claims_of(NONCE, **changed))) == reason


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"exp": timedelta(hours=-1)}, "expired"),
        ({"iat": timedelta(hours=1)}, "issued_in_future"),
        ({"iat": timedelta(hours=-2)}, "issued_long_ago"),
        ({"nbf": timedelta(hours=1)}, "not_yet"),
    ],
)
def test_message_of_another_time_is_outdated(changed, reason):
    assert refusal(signed(claims_of(NONCE, **changed)), LaunchOutdated) == reason


def test_message_about_nobody_is_refused():
    with pytest.raises(LaunchAnonymous):
        believe(signed(claims_of(NONCE, sub=None)))


@pytest.mark.parametrize(
    ("nbf", "seconds", "is_in_time"),
    [
        (None, -59, True),
        (None, -62, False),
        (None, 359, True),
        (None, 362, False),
        (timedelta(seconds=58), 0, True),
        (timedelta(seconds=63), 0, False),
    ],
)
def test_clocks_may_differ_by_a_minute(nbf, seconds, is_in_time):
    claims = claims_of(NONCE, nbf=nbf)
    token, now = signed(claims), claims["iat"] + seconds
    if is_in_time:
        assert believe(token, now)
    else:
        with pytest.raises(LaunchOutdated):
            believe(token, now)


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
def test_any_claims_are_believed_or_refused(changed):
    """The law: whatever a platform signs ends as a message or as one of our refusals."""
    try:
        message = believe(signed(claims_of(NONCE) | changed))
    except (LaunchRefused, LaunchOutdated, LaunchAnonymous):
        pass
    else:
        assert (message.iss, message.nonce, message.version) == (ISSUER, NONCE, "1.3.0")


PERSON = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"
SYSTEM = "http://purl.imsglobal.org/vocab/lis/v2/system/person#"
SUB_ROLE = "http://purl.imsglobal.org/vocab/lis/v2/membership"


@pytest.mark.parametrize("group", ["", "Group", "Offering", "Section", "SectionAssociation", "Template"])
def test_assistant_is_one_though_platforms_call_them_instructors_too(group):
    assert part_of([f"{ROLE}Instructor", f"{SUB_ROLE}/Instructor#TeachingAssistant{group}"]) == Part.ASSISTANT


@pytest.mark.parametrize(
    ("roles", "part"),
    [
        ([f"{ROLE}Instructor", f"{ROLE}Learner"], Part.TEACHER),
        ([f"{ROLE}ContentDeveloper"], Part.TEACHER),
        ([f"{ROLE}Administrator"], Part.TEACHER),
        ([f"{SUB_ROLE}/Instructor#GuestInstructor"], Part.TEACHER),
        ([f"{SUB_ROLE}/Manager#AreaManager"], Part.TEACHER),
        ([f"{ROLE}Instructor", f"{SUB_ROLE}/Instructor#Grader"], Part.ASSISTANT),
        ([f"{SUB_ROLE}/Manager#Observer"], Part.STUDENT),
        ([f"{SUB_ROLE}/Manager#ExternalObserver", f"{ROLE}Manager"], Part.STUDENT),
        ([f"{SUB_ROLE}/Manager#Observer", f"{ROLE}Manager", f"{ROLE}Instructor"], Part.TEACHER),
        ([f"{PERSON}Administrator"], Part.TEACHER),
        ([f"{SYSTEM}SysAdmin"], Part.TEACHER),
        ([f"{PERSON}Administrator", f"{ROLE}Learner"], Part.STUDENT),
        ([f"{PERSON}Instructor"], Part.STUDENT),
        ([f"{ROLE}Mentor"], Part.MENTOR),
        ([f"{SUB_ROLE}/Mentor#Advisor"], Part.MENTOR),
        ([f"{ROLE}Mentor", f"{ROLE}Learner"], Part.STUDENT),
        ([], Part.STUDENT),
        (["Instructor"], Part.TEACHER),
        (["TeachingAssistant"], Part.ASSISTANT),
        (["urn:lti:role:ims/lis/Instructor"], Part.STUDENT),
        (["https://evil.example/membership#Instructor"], Part.STUDENT),
        ([f"{ROLE}Observer", "nonsense"], Part.STUDENT),
        ([f"{SUB_ROLE}/Learner#Instructor"], Part.STUDENT),
        ([f"{SUB_ROLE}/Learner#TeachingAssistant"], Part.STUDENT),
        ([f"{SUB_ROLE}s#Instructor"], Part.STUDENT),
        ([f"{SUB_ROLE}Instructor"], Part.STUDENT),
    ],
)
def test_part_follows_from_the_roles_in_the_course(roles, part):
    assert part_of(roles) == part


@pytest.mark.parametrize("address", ["file:///etc/passwd", "https://[abc/items", "https://lms.example.edu:99999/items"])
def test_address_of_a_service_that_cannot_be_read_is_none(address):
    scope = ["https://purl.imsglobal.org/spec/lti-ags/scope/score"]
    endpoint = Endpoint.model_validate({"scope": scope, "lineitem": address, "lineitems": address})
    assert (endpoint.scope, endpoint.lineitem, endpoint.lineitems) == (scope, None, None)


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "http://grader.test.evil.example/",
        "http://grader.test@evil.example/",
        "https://grader.test/",
        "http://grader.test\\@evil.example/",
        "http://grader.test\r\nLocation: x",
        "",
        "http://[",
    ],
)
def test_address_of_another_place_is_not_ours(address):
    assert not is_ours(address, SERVICE)


@pytest.mark.parametrize("address", ["http://grader.test", "http://grader.test/", "http://grader.test/lti/open?a=1"])
def test_own_address_is_ours(address):
    assert is_ours(address, SERVICE)
