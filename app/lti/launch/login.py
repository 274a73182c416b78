"""The begin of a launch: the platform's browser comes with a hint, and goes back with a state and a nonce.

State, nonce and the browser's secret are random; the database keeps their hashes, in a row that the launch takes away.
So a launch is used once, by whichever process, and only in the browser that began it.

Source: OpenID Connect Core 1.0, section 4 (login from a third party); 1EdTech Security Framework 1.0, section 5.1.1.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.tokens import hash_secret
from app.errors.lti import LaunchOutdated, LoginRefused
from app.storage.models import LtiLogin, LtiPlatform, utc_now

LIFETIME = timedelta(minutes=10)
#: The address that platforms send browsers to, and the one that they post messages to.
LOGIN_PATH, LAUNCH_PATH = "/lti/login", "/lti/launch"
#: Where launches lead to: the address of the tool, which a platform may write down as that of a link.
TARGET_PATH = "/lti/open"
#: From a page in a frame to the same one in a window.
WINDOW_PATH = "/lti/window"
#: Where a teacher says which course here a course of a platform is.
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
class Asked:
    """The parameters of a login, checked as far as that goes without the platform.

    Attributes:
        storage_target: the platform's frame that keeps data for us, where cookies do not work.
    """

    issuer: str
    login_hint: str
    target_link_uri: str
    client_id: str | None = None
    message_hint: str | None = None
    deployment_id: str | None = None
    storage_target: str | None = None

    @classmethod
    def of(cls, came: Sequence[tuple[str, str]]) -> Asked:
        """Raises: LoginRefused: a parameter is missing, doubled or too long."""
        found: dict[str, str] = {}
        for name, value in came:
            if name in NAMES and found.setdefault(NAMES[name], value) is not value:
                raise LoginRefused(reason=f"{name} came twice")
        for name, field in NAMES.items():
            if len(found.get(field, "")) > HINT_CHARACTERS or not found.get(field, "").isprintable():
                raise LoginRefused(reason=f"{name} is too long or does not print")
        for name in ("iss", "login_hint", "target_link_uri"):
            if not found.get(NAMES[name]):
                raise LoginRefused(reason=f"{name} is missing")
        if found.get("storage_target") is not None and not FRAME_NAME.fullmatch(found["storage_target"]):
            del found["storage_target"]
        asked = cls(**{field: value for field, value in found.items() if value})
        if len(asked.query()) > KEPT_CHARACTERS:
            raise LoginRefused(reason="the parameters are too long")
        return asked

    def query(self) -> str:
        """Return the query with which the same launch begins once more."""
        values = {name: getattr(self, field) for name, field in NAMES.items()}
        return urlencode({name: value for name, value in values.items() if value})

    def again(self) -> str:
        """Return the query with which it begins once more in a window of its own."""
        return replace(self, storage_target=None).query()


#: From the names on the wire to ours.
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
class Begun:
    """A launch that has begun. Attributes: address: of the platform, to which the browser goes."""

    address: str
    state: str
    nonce: str


async def begin(
    session: AsyncSession, platform: LtiPlatform, asked: Asked, *, browser: str, redirect_uri: str
) -> Begun:
    """Begin a launch.

    Args:
        asked: with a storage target only if the browser's secret goes there.
        browser: the secret that only the browser has, in a cookie or in the platform's storage.
        redirect_uri: our address that the message is posted to.
    """
    state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    session.add(
        LtiLogin(
            state_sha256=hash_secret(state),
            nonce_sha256=hash_secret(nonce),
            browser_sha256=hash_secret(browser),
            platform_id=platform.id,
            asked=asked.query(),
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
        "login_hint": asked.login_hint,
        **({"lti_message_hint": asked.message_hint} if asked.message_hint else {}),
        "state": state,
        "nonce": nonce,
    }
    return Begun(_with(platform.login_url, parameters), state, nonce)


async def find(session: AsyncSession, state: str) -> LtiLogin:
    """Find the launch with this state, and leave it. Raises: LaunchOutdated: there is none, or it was taken before."""
    found = await session.get(LtiLogin, hash_secret(state))
    if found is None:
        raise LaunchOutdated(reason="state")
    return found


def asked_of(begun: LtiLogin) -> Asked:
    """Return the parameters with which a launch has begun."""
    return Asked.of(parse_qsl(begun.asked))


async def take(session: AsyncSession, state: str) -> None:
    """Take the launch with this state away, so that nobody takes it again.

    Raises:
        LaunchOutdated: there is none, it was taken before, or its time is over.
    """
    ends_at = await session.scalar(
        delete(LtiLogin)
        .where(LtiLogin.state_sha256 == hash_secret(state))
        .returning(LtiLogin.expires_at)
        .execution_options(synchronize_session=False)
    )
    if ends_at is None:
        raise LaunchOutdated(reason="state")
    if ends_at <= utc_now():
        raise LaunchOutdated(reason="state_expired")


def fits(sha256: str, secret: str) -> bool:
    """Tell whether the hash is that of the secret."""
    return hmac.compare_digest(sha256, hash_secret(secret))


def is_ours(address: str, service: str) -> bool:
    """Tell whether an address leads to this service, and to nothing but it.

    Args:
        service: its address as its users know it, without a slash at the end.
    """
    if not ORIGINLESS.fullmatch(address) or "\\" in address:
        return False
    try:
        came, ours = urlsplit(address), urlsplit(service)
    except ValueError:
        return False
    inside = came.path == ours.path or came.path.startswith(f"{ours.path}/")
    return (came.scheme, came.netloc) == (ours.scheme, ours.netloc) and inside


def _with(address: str, parameters: Mapping[str, str]) -> str:
    """Add parameters to an address that may have some."""
    parts = urlsplit(address)
    query = "&".join(filter(None, (parts.query, urlencode(parameters))))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
