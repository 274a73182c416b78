"""The first step of a launch: a browser arrives from the platform with a hint, and returns with a state and a nonce.

State, nonce and the browser's secret are random; the database keeps their hashes, in a row that the launch
deletes. So a launch works once, in any process, and only in the browser that began it.

Source: OpenID Connect Core 1.0, section 4 (login from a third party); 1EdTech Security Framework 1.0, section 5.1.1.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.tokens import hash_secret
from app.errors import existing
from app.errors.lti import LaunchOutdated, LoginRefused
from app.lti.addresses import with_query
from app.storage.models import LtiLogin, LtiPlatform, utc_now

LIFETIME = timedelta(minutes=10)
#: The address that begins a launch, and the one to which platforms post their messages.
LOGIN_PATH, LAUNCH_PATH = "/lti/login", "/lti/launch"
#: The destination of launches: the tool's address, which a platform may store as that of a link.
TARGET_PATH = "/lti/open"
#: Leads from a page in a frame to the same page in a window.
WINDOW_PATH = "/lti/window"
#: The page on which a teacher connects a platform's course with a course here.
COURSE_PATH = "/lti/course"
#: Our public keys.
KEYS_PATH = "/lti/keys"
HINT_CHARACTERS = 4000
#: Most characters of all parameters, which are kept until the launch ends: anybody may begin launches.
KEPT_CHARACTERS = 6000
ORIGINLESS = re.compile(r"[!-~]{1,2000}")
#: A frame's name at the platform, as `window.frames` takes it (`lti_storage_target`).
FRAME_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True)
class LoginRequest:
    """The parameters of a login, with the checks that need no knowledge of the platform.

    Attributes:
        storage_target: the platform's frame that stores data for us where cookies are blocked.
    """

    issuer: str
    login_hint: str
    target_link_uri: str
    client_id: str | None = None
    message_hint: str | None = None
    deployment_id: str | None = None
    storage_target: str | None = None

    @classmethod
    def of(cls, parameters: Sequence[tuple[str, str]]) -> LoginRequest:
        """Raises: LoginRefused: a parameter is missing, doubled or too long."""
        fields: dict[str, str] = {}
        for name, value in parameters:
            if name in NAMES and fields.setdefault(NAMES[name], value) is not value:
                raise LoginRefused(reason=f"{name} came twice")
        for name, field in NAMES.items():
            if len(fields.get(field, "")) > HINT_CHARACTERS or not fields.get(field, "").isprintable():
                raise LoginRefused(reason=f"{name} is too long or does not print")
        for name in ("iss", "login_hint", "target_link_uri"):
            if not fields.get(NAMES[name]):
                raise LoginRefused(reason=f"{name} is missing")
        if fields.get("storage_target") is not None and not FRAME_NAME.fullmatch(fields["storage_target"]):
            del fields["storage_target"]
        request = cls(**{field: value for field, value in fields.items() if value})
        if len(request.query()) > KEPT_CHARACTERS:
            raise LoginRefused(reason="the parameters are too long")
        return request

    def query(self) -> str:
        """Return the query that restarts the same launch."""
        values = {name: getattr(self, field) for name, field in NAMES.items()}
        return urlencode({name: value for name, value in values.items() if value})

    def again(self) -> str:
        """Return the query that restarts it in a window of its own."""
        return replace(self, storage_target=None).query()


#: Our field names, by the names in the request.
NAMES: Mapping[str, str] = {
    "iss": "issuer",
    "login_hint": "login_hint",
    "target_link_uri": "target_link_uri",
    "client_id": "client_id",
    "lti_message_hint": "message_hint",
    "lti_deployment_id": "deployment_id",
    "lti_storage_target": "storage_target",
}


@dataclass(frozen=True)
class LaunchStart:
    """The beginning of a launch. Attributes: address: the platform's, to which the browser is redirected."""

    address: str
    state: str
    nonce: str


async def begin(
    session: AsyncSession, platform: LtiPlatform, request: LoginRequest, *, browser: str, redirect_uri: str
) -> LaunchStart:
    """Begin a launch.

    Args:
        request: has a storage target only if the browser's secret is stored there.
        browser: the browser's secret, in a cookie or in the platform's storage.
        redirect_uri: our address for the platform's message.
    """
    state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    session.add(
        LtiLogin(
            state_sha256=hash_secret(state),
            nonce_sha256=hash_secret(nonce),
            browser_sha256=hash_secret(browser),
            platform_id=platform.id,
            asked=request.query(),
            expires_at=utc_now() + LIFETIME,
        )
    )
    await session.flush()
    parameters = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": platform.client_id,
        "redirect_uri": redirect_uri,
        "login_hint": request.login_hint,
        **({"lti_message_hint": request.message_hint} if request.message_hint else {}),
        "state": state,
        "nonce": nonce,
    }
    return LaunchStart(with_query(platform.login_url, parameters), state, nonce)


async def find(session: AsyncSession, state: str) -> LtiLogin:
    """Find the launch with this state without using it up. Raises: LaunchOutdated: it is unknown or was used."""
    return existing(await session.get(LtiLogin, hash_secret(state)), LaunchOutdated(reason="state"))


def request_of(login: LtiLogin) -> LoginRequest:
    """Return the request that began this launch."""
    return LoginRequest.of(parse_qsl(login.asked))


async def take(session: AsyncSession, state: str) -> None:
    """Use up the launch with this state.

    Raises:
        LaunchOutdated: it is unknown, was used before, or has expired.
    """
    ends_at = await session.scalar(
        delete(LtiLogin)
        .where(LtiLogin.state_sha256 == hash_secret(state))
        .returning(LtiLogin.expires_at)
        .execution_options(synchronize_session=False)
    )
    if existing(ends_at, LaunchOutdated(reason="state")) <= utc_now():
        raise LaunchOutdated(reason="state_expired")


def matches(sha256: str, secret: str) -> bool:
    """Tell whether this is the secret's hash."""
    return hmac.compare_digest(sha256, hash_secret(secret))


def is_ours(address: str, service: str) -> bool:
    """Tell whether an address leads to this service and nowhere else.

    Args:
        service: its public address, without a trailing slash.
    """
    if not ORIGINLESS.fullmatch(address) or "\\" in address:
        return False
    try:
        parts, ours = urlsplit(address), urlsplit(service)
    except ValueError:
        return False
    inside = parts.path == ours.path or parts.path.startswith(f"{ours.path}/")
    return (parts.scheme, parts.netloc) == (ours.scheme, ours.netloc) and inside
