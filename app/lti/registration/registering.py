"""A registration that a platform begins: read what the platform is, say what we are, keep what it knows us by.

The platform's administrator opens our invitation inside the platform, which adds where its configuration is. A platform
is believed about itself as far as its address shows that it is itself: the issuer has the host of the configuration.
Blackboard alone has another one, which is known.

Source: 1EdTech LTI Dynamic Registration 1.0; OpenID Connect Discovery 1.0, section 3; Moodle 4.5,
mod/lti/openid-registration.php; Canvas, "Registration" (developerdocs.instructure.com); Blackboard's configuration in
"Issues with Dynamic Registration for LTI in the Developer Portal" (article 000090618).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from app.errors.lti import PlatformRefused, RegistrationRefused
from app.errors.outgoing import AnswerUnusable, TargetRefused
from app.lti.launch.message import DEEP_LINKING, RESOURCE_LINK, Id, Text, Url
from app.lti.platform_services import SCORE_SCOPE, words_of
from app.lti.platforms import Registration, site_of
from app.lti.registration.kinds import BLACKBOARD, BRIGHTSPACE
from app.lti.registration.tool import SCOPES, TOOL_CONFIGURATION, Tool
from app.outgoing.client import Answer, Outgoing
from app.outgoing.targets import check_url

#: Most bytes of a configuration, and of the answer to a registration.
ANSWER_BYTES = 200_000
ADDRESS_CHARACTERS = 2000
#: The form of tokens that may stand in a header (RFC 6750, section 2.1). Moodle's have 700 characters.
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,4000}=*")
NAMES = ("openid_configuration", "registration_token")
#: For a platform that does not say which messages it knows.
USUAL_MESSAGES = (RESOURCE_LINK, DEEP_LINKING)
PLATFORM_CONFIGURATION = "https://purl.imsglobal.org/spec/lti-platform-configuration"
CANVAS_ACCOUNT = "https://canvas.instructure.com/lti/account_name"


@dataclass(frozen=True)
class Offer:
    """The parameters with which a platform opens an invitation.

    Attributes:
        token: lets us read the configuration, and register. Brightspace sends none.
    """

    configuration_url: str
    token: str | None

    @classmethod
    def of(cls, came: Sequence[tuple[str, str]]) -> Offer | None:
        """Read them; None: nobody but a person has opened the address.

        Raises:
            RegistrationRefused: a parameter is doubled or unusable.
        """
        given = [(name, value) for name, value in came if name in NAMES]
        found = dict(given)
        if len(found) != len(given):
            raise RegistrationRefused(reason="a parameter came twice")
        url, token = found.get("openid_configuration"), found.get("registration_token") or None
        if url is None:
            return None
        if not url.isprintable() or len(url) > ADDRESS_CHARACTERS or site_of(url) is None or httpx.URL(url).userinfo:
            raise RegistrationRefused(reason="openid_configuration is no address")
        if token is not None and not TOKEN.fullmatch(token):
            raise RegistrationRefused(reason="registration_token is no token")
        return cls(url, token)

    @property
    def host(self) -> str:
        return urlsplit(self.configuration_url).netloc


def _texts(came: object) -> object:
    return [each for each in came if isinstance(each, str)] if isinstance(came, list) else []


def _types(came: object) -> object:
    """Take the types of messages: Moodle lists texts, Canvas objects."""
    listed = came if isinstance(came, list) else []
    return _texts([each.get("type") if isinstance(each, dict) else each for each in listed])


def _object(came: object) -> object:
    return came if isinstance(came, dict) else {}


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


Document = TypeVar("Document", bound=_Said)


class _Platform(_Said):
    product_family_code: Text = None
    account: Text = Field(None, alias=CANVAS_ACCOUNT)
    messages_supported: Annotated[list[str], BeforeValidator(_types)] = []


class Configuration(_Said):
    """A platform's word on itself (OpenID Connect Discovery 1.0), as far as it is used."""

    issuer: Annotated[Url, StringConstraints(max_length=500)]
    authorization_endpoint: Url
    token_endpoint: Url
    jwks_uri: Url
    registration_endpoint: Url
    authorization_server: object = None
    scopes_supported: Annotated[list[str], BeforeValidator(_texts)] = []
    platform: Annotated[_Platform, BeforeValidator(_object)] = Field(_Platform(), alias=PLATFORM_CONFIGURATION)

    @property
    def token_audience(self) -> str | None:
        """The audience of our assertions. Canvas names a bare host here, and wants the token's address all the same."""
        named = self.authorization_server
        is_address = isinstance(named, str) and len(named) <= ADDRESS_CHARACTERS and site_of(named) is not None
        return str(named) if is_address else None

    @property
    def name(self) -> str:
        """A name that people tell platforms apart by."""
        label = self.platform.account or (self.platform.product_family_code or "").capitalize()
        host = urlsplit(self.issuer).hostname or self.issuer
        return f"{label}, {host}"[:200] if label else host[:200]


class _ToolThere(_Said):
    deployment_id: Id | None = None


class _Registered(_Said):
    client_id: Annotated[Id, StringConstraints(pattern=r"^[!-~]+$")]
    scope: str | None = None
    tool: Annotated[_ToolThere, BeforeValidator(_object)] = Field(_ToolThere(), alias=TOOL_CONFIGURATION)


@dataclass(frozen=True)
class Outcome:
    """A registration at a platform. Attributes: takes_grades: whether the platform lets us send them."""

    said: Registration
    takes_grades: bool


async def register(outgoing: Outgoing, offer: Offer, tool: Tool) -> Outcome:
    """Register the tool at the platform.

    Raises:
        RegistrationRefused: the configuration is not one of this platform.
        PlatformRefused: the platform gives no configuration, or takes no registration.
        AnswerUnusable, TargetRefused: see `Outgoing.send`.
    """
    headers = {"Accept": "application/json"}
    if offer.token is not None:
        headers["Authorization"] = f"Bearer {offer.token}"
    answer = await outgoing.send("GET", offer.configuration_url, headers=headers, most_bytes=ANSWER_BYTES)
    found = _read(Configuration, answer)
    _check(found, offer, private=outgoing.private)
    document = tool.registration(
        scopes=found.scopes_supported if set(SCOPES) & set(found.scopes_supported) else SCOPES,
        messages=found.platform.messages_supported or USUAL_MESSAGES,
        is_canvas=(found.platform.product_family_code or "").lower() == "canvas",
    )
    answer = await outgoing.send(
        "POST",
        found.registration_endpoint,
        headers={**headers, "Content-Type": "application/json"},
        content=json.dumps(document, ensure_ascii=False).encode(),
        most_bytes=ANSWER_BYTES,
    )
    registered = _read(_Registered, answer)
    deployment = registered.tool.deployment_id
    said = Registration(
        name=found.name,
        issuer=found.issuer,
        client_id=registered.client_id,
        login_url=found.authorization_endpoint,
        token_url=found.token_endpoint,
        keys_url=found.jwks_uri,
        token_audience=found.token_audience,
        deployments=(deployment,) if deployment else (),
    )
    granted = document["scope"] if registered.scope is None else registered.scope
    return Outcome(said, SCORE_SCOPE in granted.split())


def _read(form: type[Document], answer: Answer) -> Document:
    """Raises: PlatformRefused: it is a refusal. AnswerUnusable: it is no such document."""
    if not answer.is_success:
        raise PlatformRefused(status=answer.status, words=words_of(answer))
    try:
        return form.model_validate(answer.json())
    except ValidationError as exc:
        where = ", ".join(sorted({str(each["loc"][0]) for each in exc.errors() if each["loc"]})) or "the document"
        raise AnswerUnusable(reason=f"missing or wrong: {where}") from exc


def _check(found: Configuration, offer: Offer, *, private: bool) -> None:
    """Raises: RegistrationRefused: it speaks for another platform. TargetRefused: nothing is sent to an address."""
    there = site_of(offer.configuration_url)
    if site_of(found.issuer) != there and (found.issuer, there) != BLACKBOARD:
        issuer = site_of(found.issuer) or "another site"
        raise RegistrationRefused(reason=f"the configuration at {offer.host} speaks for {issuer}")
    audience, own = found.token_audience, {site_of(found.issuer), site_of(found.token_endpoint)}
    if audience is not None and site_of(audience) not in own and (found.token_endpoint, audience) != BRIGHTSPACE:
        raise RegistrationRefused(
            reason=f"authorization_server: our requests for tokens would be good at {site_of(audience)}"
        )
    for name in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint"):
        try:
            check_url(getattr(found, name), private=private)
        except TargetRefused as exc:
            raise TargetRefused(reason=f"{name}: {exc.params['reason']}") from exc
