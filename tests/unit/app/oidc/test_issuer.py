"""The answer of an issuer is believed only if it is one to this sign-in, signed for this service, and in time."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import IssuerUnavailable, SignOnRefused
from app.oidc import issuer as module
from app.oidc.flow import Flow, begin
from app.oidc.issuer import LEEWAY_SECONDS, Claims, Issuer
from tests.issuers import (
    CLIENT_ID,
    CLIENT_SECRET,
    EC_KEY,
    KEY,
    OTHER_KEY,
    REGISTRATION,
    URL,
    FakeIssuer,
    signed,
    signed_with_a_text,
    unsigned,
)


@pytest.fixture
def fake() -> FakeIssuer:
    return FakeIssuer()


@pytest.fixture
async def issuer(anyio_backend: str, fake: FakeIssuer) -> AsyncIterator[Issuer]:
    async with Issuer(REGISTRATION, transport=fake.transport()) as issuer:
        yield issuer


async def sign_in(issuer: Issuer, fake: FakeIssuer, flow: Flow | None = None, **answer: str) -> Claims:
    flow = flow or begin("/")
    return await issuer.claims(flow, fake.authorize(await issuer.address(flow)) | answer)


async def test_person_is_who_the_issuer_says(issuer, fake):
    claims = await sign_in(issuer, fake)
    assert claims == Claims(URL, "248289761001", "ivanov@example.edu", True, "Ivan Ivanov")
    assert fake.asked == ["openid-configuration", "jwks", "token"]


NOTHING = None, False, None


@pytest.mark.parametrize(
    ("userinfo", "said"),
    [({}, ("ivanov@example.edu", True, "Ivan Ivanov")), ({"sub": "another"}, NOTHING), (None, NOTHING)],
    ids=["of the subject", "of another", "away"],
)
async def test_address_and_name_come_from_userinfo_if_the_id_token_has_none(issuer, fake, userinfo, said):
    fake.in_userinfo, fake.userinfo = True, userinfo
    if userinfo is None:
        fake.away = {"userinfo": lambda: httpx.Response(500)}
    claims = await sign_in(issuer, fake)
    assert claims == Claims(URL, "248289761001", *said)


@pytest.mark.parametrize(
    ("claim", "value", "shown"),
    [
        *(("email_verified", value, False) for value in ("true", 1, None, False)),
        *(("email", value, None) for value in ("", "a@b, c@d", 5, ["a@b.c"])),
        *(("name", value, None) for value in ("\u202e", 7)),
        ("name", "Иван\r\n\x1b[31mИванов", "Иван [31mИванов"),
    ],
)
async def test_only_what_a_claim_may_be_is_believed_of_a_person(issuer, fake, claim, value, shown):
    """True alone means verified; an address that is none is left out; a name shows no character that does not print."""
    fake.person[claim] = value
    assert getattr(await sign_in(issuer, fake), claim) == shown


def from_now(seconds: int) -> Callable[[], int]:
    """A moment of the test's own run, which may be minutes after this module was read."""
    return lambda: int(time.time()) + seconds


def with_claims(**changed: object) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(claims: dict[str, Any]) -> dict[str, Any]:
        now = {name: value() if callable(value) else value for name, value in changed.items()}
        return {name: value for name, value in {**claims, **now}.items() if value is not None}

    return change


WRONG_CLAIMS = {
    "foreign_issuer": {"iss": "https://evil.example.org"},
    "no_issuer": {"iss": None},
    "for_another_client": {"aud": "another"},
    "no_audience": {"aud": None},
    "several_audiences_and_no_azp": {"aud": [CLIENT_ID, "another"]},
    "authorized_another": {"azp": "another"},
    "expired": {"exp": from_now(-LEEWAY_SECONDS - 10)},
    "no_expiry": {"exp": None},
    "made_in_the_future": {"iat": from_now(3600)},
    "no_time": {"iat": None},
    "not_yet": {"nbf": from_now(3600)},
    "wrong_nonce": {"nonce": "another"},
    "no_nonce": {"nonce": None},
    "no_subject": {"sub": None},
    "empty_subject": {"sub": ""},
    "subject_is_a_number": {"sub": 5},
    "subject_too_long": {"sub": "x" * 256},
    "subject_with_a_line_break": {"sub": "a\nb"},
    "access_token_of_another": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


@pytest.mark.parametrize("changed", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS.keys())
async def test_wrong_claims_are_refused(issuer, fake, changed):
    fake.change = with_claims(**changed)
    with pytest.raises(SignOnRefused):
        await sign_in(issuer, fake)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": [CLIENT_ID]},
        {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID},
        {"exp": from_now(-LEEWAY_SECONDS + 30)},
        {"iat": from_now(LEEWAY_SECONDS - 30)},
    ],
    ids=["list", "authorized", "clock_behind", "clock_ahead"],
)
async def test_unusual_claims_are_believed(issuer, fake, changed):
    fake.change = with_claims(**changed)
    assert (await sign_in(issuer, fake)).subject == "248289761001"


PUBLIC_KEY = KEY.as_pem(private=False)
FORGED = {
    "unsigned": unsigned,
    "hs256_with_the_public_key": lambda claims: signed_with_a_text(claims, PUBLIC_KEY),
    "hs256_with_the_secret_of_the_client": lambda claims: signed_with_a_text(claims, CLIENT_SECRET.encode()),
    "signed_by_another_key": lambda claims: signed(claims, OTHER_KEY),
    "another_key_under_a_known_name": lambda claims: signed(claims, OTHER_KEY, kid="first"),
    "key_in_the_header": lambda claims: signed(claims, OTHER_KEY, jwk=OTHER_KEY.as_dict(private=False)),
    "another_algorithm": lambda claims: signed(claims, KEY, alg="PS256"),
    "no_token": lambda claims: "",
    "changed_after_signing": lambda claims: signed(claims)[:-6] + "AAAAAA",
}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("sign", FORGED.values(), ids=FORGED.keys())
async def test_id_token_that_the_issuer_did_not_sign_is_refused(issuer, fake, sign):
    fake.sign = sign
    with pytest.raises(SignOnRefused):
        await sign_in(issuer, fake)


async def test_elliptic_keys_sign_too(issuer, fake):
    fake.keys = [KEY, EC_KEY]
    fake.sign = lambda claims: signed(claims, EC_KEY)
    assert (await sign_in(issuer, fake)).subject == "248289761001"


async def test_new_keys_are_fetched_when_an_id_token_names_an_unknown_one(issuer, fake):
    await sign_in(issuer, fake)
    fake.keys = [OTHER_KEY]
    fake.sign = lambda claims: signed(claims, OTHER_KEY)
    assert (await sign_in(issuer, fake)).subject == "248289761001"
    assert fake.asked.count("jwks") == 2
    fake.sign = signed  # The withdrawn key.
    with pytest.raises(SignOnRefused):
        await sign_in(issuer, fake)


async def test_keys_are_forgotten_in_an_hour(issuer, fake, monkeypatch):
    await sign_in(issuer, fake)
    fake.keys = [OTHER_KEY]
    later = time.monotonic() + module.KEPT_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    with pytest.raises(SignOnRefused):
        await sign_in(issuer, fake)


async def test_keys_that_cannot_be_read_do_not_hide_the_others(issuer, fake):
    good = KEY.as_dict(private=False)
    keys = [{"kty": "RSA", "n": 5}, {"kty": "EC", "crv": "P-0"}, {"kty": "new"}, 7, {**good, "use": "enc"}, good]
    fake.away = {"jwks": lambda: httpx.Response(200, json={"keys": keys})}
    assert (await sign_in(issuer, fake)).subject == "248289761001"


@pytest.mark.parametrize("parts", [{"code", "state"}, {"code"}], ids=["answer", "code"])
async def test_answer_or_code_of_another_sign_in_is_refused(issuer, fake, parts):
    mine, theirs = begin("/"), begin("/")
    stolen = fake.authorize(await issuer.address(theirs))
    answer = fake.authorize(await issuer.address(mine))
    with pytest.raises(SignOnRefused):
        await issuer.claims(mine, answer | {name: stolen[name] for name in parts})
    # The answer to another sign-in is refused before the issuer is asked.
    assert ("token" in fake.asked) == ("state" not in parts)


async def test_answer_of_another_issuer_is_refused(issuer, fake):
    assert (await sign_in(issuer, fake, iss=URL)).subject == "248289761001"
    with pytest.raises(SignOnRefused):
        await sign_in(issuer, fake, iss="https://evil.example.org")


async def test_issuer_that_names_itself_in_answers_must(issuer, fake):
    fake.metadata["authorization_response_iss_parameter_supported"] = True
    with pytest.raises(SignOnRefused):
        await sign_in(issuer, fake)


@pytest.mark.parametrize(
    ("error", "raised"),
    [("access_denied", SignOnRefused), ("x" * 10_000, SignOnRefused), ("temporarily_unavailable", IssuerUnavailable)],
    ids=["denied", "unknown", "passing"],
)
async def test_issuer_s_refusal_is_told(issuer, fake, error, raised):
    with pytest.raises(raised):
        await sign_in(issuer, fake, error=error)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_client_names_itself_as_the_issuer_expects(issuer, fake, method):
    fake.metadata["token_endpoint_auth_methods_supported"] = [method]
    assert (await sign_in(issuer, fake)).subject == "248289761001"


def down() -> httpx.Response:
    raise httpx.ConnectError("refused")


AWAY: dict[str, Callable[[], httpx.Response]] = {
    "down": down,
    "failing": lambda: httpx.Response(503, text="maintenance"),
    "no_json": lambda: httpx.Response(200, text="<html>"),
    "no_object": lambda: httpx.Response(200, json=[1]),
    "moved": lambda: httpx.Response(302, headers={"Location": "https://evil.example.org/"}),
}


@pytest.mark.parametrize("path", ["openid-configuration", "jwks", "token"])
@pytest.mark.parametrize("away", AWAY.values(), ids=AWAY.keys())
async def test_issuer_that_is_away_or_answers_nonsense_is_unavailable(issuer, fake, caplog, path, away):
    fake.away = {path: away}
    with pytest.raises(IssuerUnavailable):
        await sign_in(issuer, fake)
    (line,) = [vars(record) for record in caplog.records if record.msg == "issuer_unavailable"]
    assert line["reason"]
    assert line.get("error") == "ConnectError" or away is not down
    fake.away = {}
    assert (await sign_in(issuer, fake)).subject == "248289761001"


@pytest.mark.parametrize("away", [{}, {"jwks": down}], ids=["well", "down"])
async def test_many_who_begin_at_once_wait_for_one_answer(issuer, fake, away):
    fake.away = away
    answers = await asyncio.gather(*(issuer.address(begin("/")) for _ in range(50)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {IssuerUnavailable if away else str}
    assert fake.asked == ["openid-configuration", "jwks"]


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://evil.example.org"},
        {"token_endpoint": "http://id.example.edu/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=["issuer", "unencrypted", "missing", "script"],
)
async def test_discovery_that_leads_elsewhere_is_not_followed(issuer, fake, changed):
    fake.metadata |= changed
    with pytest.raises(IssuerUnavailable):
        await issuer.address(begin("/"))


async def test_log_says_why_but_not_who(issuer, fake, caplog):
    caplog.set_level(logging.DEBUG)
    fake.change = with_claims(nonce="another")
    with pytest.raises(SignOnRefused):
        await sign_in(issuer, fake)
    ours = [record for record in caplog.records if record.name.startswith("app.")]
    assert [record.message for record in ours] == ["sign_on_refused"]
    assert vars(ours[0])["claim"] == "nonce"
    facts = str([vars(record) for record in ours])
    for secret in ("ivanov", "248289761001", CLIENT_SECRET, "code-0"):
        assert secret not in facts


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers())


CHECKED = ["iss", "aud", "azp", "exp", "iat", "nbf", "auth_time", "amr", "sub", "email", "at_hash"]


@given(name=st.sampled_from(CHECKED), value=VALUES | st.dictionaries(st.text(max_size=3), VALUES, max_size=2))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
async def test_whatever_an_issuer_signs_is_believed_or_refused(fake, name, value):
    fake.change = lambda claims: {**claims, name: value}
    async with Issuer(REGISTRATION, transport=fake.transport()) as issuer:
        try:
            claims = await sign_in(issuer, fake)
        except SignOnRefused:
            return
    assert (claims.issuer, type(claims.subject)) == (URL, str)
