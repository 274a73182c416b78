"""The message of a launch: its checks and its claims."""

import hmac
import re
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar, get_args
from urllib.parse import urlsplit

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from app.errors.lti import LaunchAnonymous, LaunchOutdated, LaunchRefused
from app.lti.launch.roles import Part, part_of
from app.texts import one_line

#: A signature that needs the platform's private key. The token has no say in the choice.
ALGORITHM = "RS256"
TOKEN_CHARACTERS = 60_000
#: The errors that an invalid token causes. RecursionError: its JSON is nested too deeply.
UNREADABLE = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
#: Tolerance between the platform's clock and ours.
LEEWAY_SECONDS = 60
#: The greatest age of a message, which is made for immediate use.
OLDEST_SECONDS = 3600
CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
MessageType = Literal["LtiResourceLinkRequest", "LtiDeepLinkingRequest", "LtiSubmissionReviewRequest"]
RESOURCE_LINK, DEEP_LINKING, REVIEW = get_args(MessageType)


def _readable(address: str) -> str:
    """Raises: ValueError: it has an invalid address in brackets, or an invalid port."""
    _ = urlsplit(address).port
    return address


Id = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
Url = Annotated[str, StringConstraints(max_length=2000, pattern=r"^https?://[^\s\x00-\x1f]+$")]
#: An address at the platform. Its parts are checked later.
PlatformUrl = Annotated[Url, AfterValidator(_readable)]


def _short(value: object) -> object:
    """Keep the printable part of a text, shortened; anything but a text becomes None."""
    return printable(value) if isinstance(value, str) else None


def printable(text: str) -> str | None:
    """Return the printable part of a text, shortened; None: nothing is left."""
    return one_line(text, 200)


def full_name(name: str | None, given_name: str | None, family_name: str | None) -> str | None:
    """Return a person's name, which platforms give as a whole or in parts."""
    return name or printable(" ".join(filter(None, (given_name, family_name))))


def _texts(value: object) -> object:
    """Keep parameters that are texts or numbers; platforms also send null."""
    if not isinstance(value, dict):
        return {}
    return {str(name)[:100]: str(item)[:1000] for name, item in value.items() if isinstance(item, str | int)}


def strings(value: object) -> object:
    """Keep the texts of a list."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _valid_or_none(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    """Treat an invalid claim as missing, where a launch can do without it."""
    try:
        return validate(value)
    except ValidationError:
        return None


T = TypeVar("T")
Text = Annotated[str | None, BeforeValidator(_short), BeforeValidator(_number_as_text)]
#: The id of a course or a link, which some platforms send as a number.
LooseId = Annotated[Id, BeforeValidator(_number_as_text)]
#: A claim that a launch can do without.
Spare = Annotated[T | None, WrapValidator(_valid_or_none)]
Strings = Annotated[list[str], BeforeValidator(strings)]


class _Claims(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Context(_Claims):
    """A course of the platform."""

    id: LooseId
    title: Text = None
    label: Text = None


class ResourceLink(_Claims):
    id: LooseId
    title: Text = None


class Endpoint(_Claims):
    """The grade book columns that this link may write (AGS)."""

    scope: Strings = []
    lineitem: Spare[PlatformUrl] = None
    lineitems: Spare[PlatformUrl] = None


class NamesAndRoles(_Claims):
    context_memberships_url: PlatformUrl


class Presentation(_Claims):
    """Attributes: locale: of the platform's pages, as `ru`, `en-GB` or `en_US`."""

    locale: Text = None


class DeepLinking(_Claims):
    """The platform's question which assignment a new link should open."""

    deep_link_return_url: PlatformUrl
    # None: the platform does not say.
    accept_lineitem: Spare[bool] = None
    # Returned unchanged.
    data: Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")] | None = None


class ForUser(_Claims):
    """The student whose work is to be reviewed; without one it is everybody's."""

    user_id: LooseId


class Lis(_Claims):
    """The id of the person in the institution's register."""

    person_sourcedid: Text = None


class Message(_Claims):
    """The claims of a verified message: the person, the course, and the link."""

    iss: str
    aud: Annotated[list[str], BeforeValidator(_as_list)]
    azp: str | None = None
    nonce: str
    exp: Annotated[float, Field(allow_inf_nan=False)]
    iat: Annotated[float, Field(allow_inf_nan=False)]
    nbf: Annotated[float, Field(allow_inf_nan=False)] | None = None
    sub: Id | None = None
    name: Text = None
    given_name: Text = None
    family_name: Text = None
    email: Text = None
    message_type: MessageType = Field(alias=f"{CLAIM}message_type")
    version: Literal["1.3.0"] = Field(alias=f"{CLAIM}version")
    deployment_id: Id = Field(alias=f"{CLAIM}deployment_id")
    target_link_uri: Url | None = Field(None, alias=f"{CLAIM}target_link_uri")
    roles: list[str] = Field([], alias=f"{CLAIM}roles")
    context: Spare[Context] = Field(None, alias=f"{CLAIM}context")
    resource_link: Spare[ResourceLink] = Field(None, alias=f"{CLAIM}resource_link")
    custom: Annotated[dict[str, str], BeforeValidator(_texts)] = Field({}, alias=f"{CLAIM}custom")
    lis: Spare[Lis] = Field(None, alias=f"{CLAIM}lis")
    presentation: Spare[Presentation] = Field(None, alias=f"{CLAIM}launch_presentation")
    for_user: Spare[ForUser] = Field(None, alias=f"{CLAIM}for_user")
    endpoint: Spare[Endpoint] = Field(None, alias="https://purl.imsglobal.org/spec/lti-ags/claim/endpoint")
    names_and_roles: Spare[NamesAndRoles] = Field(
        None, alias="https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
    )
    deep_linking: Spare[DeepLinking] = Field(
        None, alias="https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"
    )

    @property
    def subject(self) -> str:
        """The person's id at the platform; every verified message has one."""
        assert self.sub is not None
        return self.sub

    @property
    def part(self) -> Part:
        return part_of(self.roles)

    @property
    def language(self) -> str | None:
        """The language of the platform's pages, such as `ru`."""
        locale = self.presentation.locale if self.presentation else None
        return re.split("[-_]", locale)[0].lower() if locale else None

    @property
    def person_name(self) -> str | None:
        return full_name(self.name, self.given_name, self.family_name)


#: Required claims by type of message; of each tuple, one is enough. Moodle's reviews of an activity name no person.
REQUIRED_CLAIMS = {
    RESOURCE_LINK: (("target_link_uri",), ("resource_link",)),
    DEEP_LINKING: (("deep_linking",),),
    REVIEW: (("target_link_uri",), ("resource_link", "endpoint")),
}


def key_id(token: str) -> str:
    """Return the id of the key that the token names. Nothing in the token is verified yet.

    Raises:
        LaunchRefused: it is not a signed token, or uses another algorithm.
    """
    if len(token) > TOKEN_CHARACTERS:
        raise LaunchRefused(reason="token_size")
    try:
        header: Any = jws.extract_compact(token.encode()).headers()
    except UNREADABLE as exc:
        raise LaunchRefused(reason="token_form") from exc
    if not isinstance(header, dict):
        raise LaunchRefused(reason="token_form")
    if header.get("alg") != ALGORITHM:
        raise LaunchRefused(reason="algorithm")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= 255:
        raise LaunchRefused(reason="key_id")
    return kid


def read(
    token: str,
    key: RSAKey,
    *,
    issuer: str,
    client_id: str,
    fits_nonce: Callable[[str], bool],
    is_ours: Callable[[str], bool],
    now: float | None = None,
) -> Message:
    """Verify that the platform signed the message for us and for this launch, and return its claims.

    The caller checks the deployment, because it knows those of the platform.

    Args:
        key: the platform's key that `key_id` names.
        fits_nonce: tells whether the nonce is the one of the launch that this browser has begun.
        is_ours: tells whether an address leads to this service.
    Raises:
        LaunchRefused: a check failed; `reason` is for the log.
        LaunchOutdated: it has expired, or is not valid yet.
        LaunchAnonymous: it names no person.
    """
    try:
        payload = jws.deserialize_compact(token.encode(), key, algorithms=[ALGORITHM]).payload
    except UNREADABLE as exc:
        raise LaunchRefused(reason="signature") from exc
    try:
        # Unlike Python's parser, it refuses deep nesting and lone surrogates, which no database stores.
        message = Message.model_validate_json(payload)
    except ValidationError as exc:
        raise LaunchRefused(reason=_wrong(exc)) from exc
    if not hmac.compare_digest(message.iss.encode(), issuer.encode()):
        raise LaunchRefused(reason="issuer")
    _check_audience(message, client_id)
    _check_time(message, time.time() if now is None else now)
    if not fits_nonce(message.nonce):
        raise LaunchRefused(reason="nonce")
    for names in REQUIRED_CLAIMS[message.message_type]:
        if all(getattr(message, name) is None for name in names):
            raise LaunchRefused(reason=f"claim {' or '.join(names)}")
    if message.target_link_uri is not None and not is_ours(message.target_link_uri):
        raise LaunchRefused(reason="target_link_uri")
    if message.sub is None:
        raise LaunchAnonymous
    return message


def _wrong(exc: ValidationError) -> str:
    """Name the first invalid claim, without its value."""
    where = exc.errors(include_input=False)[0]["loc"]
    return f"claim {'.'.join(str(part).rpartition('/')[2] for part in where)[:80]}" if where else "claims"


def _check_audience(message: Message, client_id: str) -> None:
    """Raises: LaunchRefused: it was signed for another tool (OpenID Connect Core 1.0, section 3.1.3.7)."""
    if client_id not in message.aud:
        raise LaunchRefused(reason="audience")
    if message.azp is None and len(message.aud) > 1:
        raise LaunchRefused(reason="azp_missing")
    if message.azp is not None and message.azp != client_id:
        raise LaunchRefused(reason="azp")


def _check_time(message: Message, now: float) -> None:
    """Raises: LaunchOutdated"""
    if message.exp <= now - LEEWAY_SECONDS:
        raise LaunchOutdated(reason="expired")
    if message.iat > now + LEEWAY_SECONDS:
        raise LaunchOutdated(reason="issued_in_future")
    if message.iat < now - OLDEST_SECONDS - LEEWAY_SECONDS:
        raise LaunchOutdated(reason="issued_long_ago")
    if message.nbf is not None and message.nbf > now + LEEWAY_SECONDS:
        raise LaunchOutdated(reason="not_yet")
