"""Dynamic registration: read the platform's configuration, register our tool there, and keep the client id.

The platform's administrator opens our invitation inside the platform, which adds the address of its configuration. We
trust a configuration only about the host that publishes it: the issuer must have the same host. Blackboard is the one
known exception.

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

from app.errors import AnswerUnusable, TargetRefused
from app.errors.lti import PlatformRefused, RegistrationRefused
from app.lti.launch.message import DEEP_LINKING, RESOURCE_LINK, Id, Strings, Text, Url, strings
from app.lti.platform_services import SCORE_SCOPE, words_of
from app.lti.platforms import Registration, site_of
from app.lti.registration.kinds import BLACKBOARD, BRIGHTSPACE
from app.lti.registration.tool import SCOPES, TOOL_CONFIGURATION, Tool
from app.outgoing.client import Answer, Outgoing
from app.outgoing.targets import check_url

#: The limit of a configuration, and of the answer to a registration.
ANSWER_BYTES = 200_000
ADDRESS_CHARACTERS = 2000
#: The form of tokens that are valid in a header (RFC 6750, section 2.1). Moodle's have 700 characters.
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,4000}=*")
NAMES = ("openid_configuration", "registration_token")
#: For a platform that lists no messages.
USUAL_MESSAGES = (RESOURCE_LINK, DEEP_LINKING)
PLATFORM_CONFIGURATION = "https://purl.imsglobal.org/spec/lti-platform-configuration"
CANVAS_ACCOUNT = "https://canvas.instructure.com/lti/account_name"


@dataclass(frozen=True)
class Offer:
    """The parameters that a platform adds to an invitation.

    Attributes:
        token: lets us read the configuration, and register. Brightspace sends none.
    """

    configuration_url: str
    token: str | None

    @classmethod
    def of(cls, parameters: Sequence[tuple[str, str]]) -> Offer | None:
        """Parse the parameters; None: a person has opened the address, not a platform.

        Raises:
            RegistrationRefused: a parameter is repeated or invalid.
        """
        pairs = [(name, value) for name, value in parameters if name in NAMES]
        by_name = dict(pairs)
        if len(by_name) != len(pairs):
            raise RegistrationRefused(reason="a parameter came twice")
        url, token = by_name.get("openid_configuration"), by_name.get("registration_token") or None
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


def _types(value: object) -> object:
    """Extract the types of messages: Moodle lists texts, Canvas objects."""
    listed = value if isinstance(value, list) else []
    return strings([each.get("type") if isinstance(each, dict) else each for each in listed])


def _object(value: object) -> object:
    return value if isinstance(value, dict) else {}


class _PlatformDocument(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


Document = TypeVar("Document", bound=_PlatformDocument)


class _Platform(_PlatformDocument):
    product_family_code: Text = None
    account: Text = Field(None, alias=CANVAS_ACCOUNT)
    messages_supported: Annotated[list[str], BeforeValidator(_types)] = []


class Configuration(_PlatformDocument):
    """The members that we use of a platform's configuration (OpenID Connect Discovery 1.0)."""

    issuer: Annotated[Url, StringConstraints(max_length=500)]
    authorization_endpoint: Url
    token_endpoint: Url
    jwks_uri: Url
    registration_endpoint: Url
    authorization_server: object = None
    scopes_supported: Strings = []
    platform: Annotated[_Platform, BeforeValidator(_object)] = Field(_Platform(), alias=PLATFORM_CONFIGURATION)

    @property
    def token_audience(self) -> str | None:
        """The audience of our assertions; None: the token's address. Canvas expects that but names a bare host here."""
        server = self.authorization_server
        is_address = isinstance(server, str) and len(server) <= ADDRESS_CHARACTERS and site_of(server) is not None
        return str(server) if is_address else None

    @property
    def name(self) -> str:
        """A name by which people tell platforms apart."""
        label = self.platform.account or (self.platform.product_family_code or "").capitalize()
        host = urlsplit(self.issuer).hostname or self.issuer
        return f"{label}, {host}"[:200] if label else host[:200]


class _ToolThere(_PlatformDocument):
    deployment_id: Id | None = None


class _RegistrationAnswer(_PlatformDocument):
    client_id: Annotated[Id, StringConstraints(pattern=r"^[!-~]+$")]
    scope: str | None = None
    tool: Annotated[_ToolThere, BeforeValidator(_object)] = Field(_ToolThere(), alias=TOOL_CONFIGURATION)


@dataclass(frozen=True)
class Outcome:
    """A registration at a platform. Attributes: takes_grades: whether the platform lets us send them."""

    registration: Registration
    takes_grades: bool


async def register(outgoing: Outgoing, offer: Offer, tool: Tool) -> Outcome:
    """Register the tool at the platform.

    Raises:
        RegistrationRefused: the configuration claims to be another platform's.
        PlatformRefused: the platform refuses its configuration, or the registration.
        AnswerUnusable, TargetRefused: see `Outgoing.send`.
    """
    headers = {"Accept": "application/json"}
    if offer.token is not None:
        headers["Authorization"] = f"Bearer {offer.token}"
    answer = await outgoing.send("GET", offer.configuration_url, headers=headers, most_bytes=ANSWER_BYTES)
    configuration = _read(Configuration, answer)
    _check(configuration, offer, private=outgoing.private)
    document = tool.registration(
        scopes=configuration.scopes_supported if set(SCOPES) & set(configuration.scopes_supported) else SCOPES,
        messages=configuration.platform.messages_supported or USUAL_MESSAGES,
        is_canvas=(configuration.platform.product_family_code or "").lower() == "canvas",
    )
    answer = await outgoing.send(
        "POST",
        configuration.registration_endpoint,
        headers={**headers, "Content-Type": "application/json"},
        content=json.dumps(document, ensure_ascii=False).encode(),
        most_bytes=ANSWER_BYTES,
    )
    answered = _read(_RegistrationAnswer, answer)
    deployment = answered.tool.deployment_id
    registration = Registration(
        name=configuration.name,
        issuer=configuration.issuer,
        client_id=answered.client_id,
        login_url=configuration.authorization_endpoint,
        token_url=configuration.token_endpoint,
        keys_url=configuration.jwks_uri,
        token_audience=configuration.token_audience,
        deployments=(deployment,) if deployment else (),
    )
    granted = document["scope"] if answered.scope is None else answered.scope
    return Outcome(registration, SCORE_SCOPE in granted.split())


def _read(form: type[Document], answer: Answer) -> Document:
    """Parse an answer. Raises: PlatformRefused: it is a refusal. AnswerUnusable: it is not such a document."""
    if not answer.is_success:
        raise PlatformRefused(status=answer.status, words=words_of(answer))
    try:
        return form.model_validate(answer.json())
    except ValidationError as exc:
        where = ", ".join(sorted({str(each["loc"][0]) for each in exc.errors() if each["loc"]})) or "the document"
        raise AnswerUnusable(reason=f"missing or wrong: {where}") from exc


def _check(configuration: Configuration, offer: Offer, *, private: bool) -> None:
    """Raises: RegistrationRefused: it claims to be another platform. TargetRefused: an address may receive nothing."""
    there = site_of(offer.configuration_url)
    if site_of(configuration.issuer) != there and (configuration.issuer, there) != BLACKBOARD:
        issuer = site_of(configuration.issuer) or "another site"
        raise RegistrationRefused(reason=f"the configuration at {offer.host} speaks for {issuer}")
    audience, own = configuration.token_audience, {site_of(configuration.issuer), site_of(configuration.token_endpoint)}
    if (
        audience is not None
        and site_of(audience) not in own
        and (configuration.token_endpoint, audience) != BRIGHTSPACE
    ):
        raise RegistrationRefused(
            reason=f"authorization_server: our requests for tokens would be good at {site_of(audience)}"
        )
    for name in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint"):
        try:
            check_url(getattr(configuration, name), private=private)
        except TargetRefused as exc:
            raise TargetRefused(reason=f"{name}: {exc.params['reason']}") from exc
