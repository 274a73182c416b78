"""Learning platforms: register, invite, confirm and remove them."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from app.access.rights import Right
from app.actions.actor import Writer, change
from app.actions.fields import ActionRequest, Name, text_field
from app.client.notebook import in_ascii
from app.errors import TargetRefused
from app.lti import keys, platforms
from app.lti.platforms import Registration
from app.lti.registration import invitations
from app.lti.registration.invitations import Invitation
from app.lti.registration.kinds import KINDS, addresses_of
from app.outgoing.targets import check_url
from app.storage.models import PLATFORM_ID_LENGTH, LtiKey, LtiPlatform

ORIGINS_CHARACTERS = 2000
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")


def _address(url: str, info: ValidationInfo) -> str:
    """Refuse addresses that we never send to. The context says whether the operator allows ``private`` networks."""
    assert info.context is not None
    try:
        check_url(url, private=info.context["private"])
        # Platforms write an international host as DNS does.
        return in_ascii(url)
    except (TargetRefused, ValueError) as exc:
        raise PydanticCustomError("address", "expected an address that begins with https://") from exc


def _without_control_characters(id: str) -> str:
    if CONTROL_CHARACTERS.search(id) or not id.strip():
        raise PydanticCustomError("name", "expected an id of printable characters")
    return id


def _sites(addresses: object) -> object:
    if not isinstance(addresses, str):
        return addresses
    try:
        return platforms.sites_of(addresses[:ORIGINS_CHARACTERS])
    except ValueError as exc:
        raise PydanticCustomError("address", "expected addresses such as https://school.instructure.com") from exc


#: An id that a platform gives us, of the client or of a deployment, as its launches bring it.
TheirId = Annotated[str, text_field(PLATFORM_ID_LENGTH), AfterValidator(_without_control_characters)]
Address = Annotated[str, AfterValidator(_address)]
#: Sites whose pages may show ours in a frame; also a text with spaces or commas between them.
Sites = Annotated[tuple[str, ...], BeforeValidator(_sites)]


class _RegisterPlatform(ActionRequest):
    name: Name | None = None
    client_id: TheirId
    deployment: TheirId | None = None
    origins: Sites = ()

    @property
    def deployments(self) -> tuple[str, ...]:
        return (self.deployment,) if self.deployment else ()


class RegisterKnownPlatform(_RegisterPlatform):
    """A platform whose addresses follow from that of its site."""

    kind: Literal["moodle", "canvas", "blackboard", "d2l"]
    site: Address

    def registration(self) -> Registration:
        # Cloud addresses of Canvas and Blackboard do not contain the site.
        origins = dict.fromkeys((*filter(None, [platforms.site_of(self.site)]), *self.origins))
        return Registration(
            name=self.name or f"{KINDS[self.kind]['name']}, {_host(self.site)}"[:200],
            client_id=self.client_id,
            **addresses_of(self.kind, self.site, self.client_id),
            deployments=self.deployments,
            origins=tuple(origins),
        )


class RegisterOtherPlatform(_RegisterPlatform):
    kind: Literal["other"] = "other"
    issuer: Address
    login_url: Address
    token_url: Address
    keys_url: Address

    def registration(self) -> Registration:
        return Registration(
            name=self.name or _host(self.issuer)[:200],
            **self.model_dump(exclude={"name", "kind", "deployment"}),
            deployments=self.deployments,
        )


class AddDeployment(ActionRequest):
    deployment: TheirId


class SetOrigins(ActionRequest):
    origins: Sites = ()


@change(Right.MANAGE_PLATFORMS)
async def register_platform(actor: Writer, wanted: RegisterKnownPlatform | RegisterOtherPlatform) -> LtiPlatform:
    """Register a platform from the data of its administrator. Raises: PlatformKnown"""
    return await platforms.add(actor.session, wanted.registration(), made_by=actor.name, confirmed=True)


@change(Right.MANAGE_PLATFORMS)
async def invite_platform(actor: Writer) -> Invitation:
    """Make an address at which one platform can register itself."""
    return await invitations.make(actor.session, made_by=actor.name)


@change(Right.MANAGE_PLATFORMS)
async def confirm_platform(actor: Writer, platform_id: str) -> None:
    """Accept launches from a platform. Raises: PlatformNotFound"""
    await platforms.confirm(actor.session, platform_id)


@change(Right.MANAGE_PLATFORMS)
async def suspend_platform(actor: Writer, platform_id: str) -> None:
    """Accept nothing from a platform until it is confirmed again. Raises: PlatformNotFound"""
    await platforms.suspend(actor.session, platform_id)


@change(Right.MANAGE_PLATFORMS)
async def add_deployment(actor: Writer, platform_id: str, wanted: AddDeployment) -> None:
    """Add a deployment of a platform. Raises: PlatformNotFound"""
    await platforms.add_deployment(actor.session, platform_id, wanted.deployment)


@change(Right.MANAGE_PLATFORMS)
async def set_origins(actor: Writer, platform_id: str, wanted: SetOrigins) -> None:
    """Allow only these sites to show our pages in a frame, and to receive grades. Raises: PlatformNotFound"""
    await platforms.set_origins(actor.session, platform_id, wanted.origins)


@change(Right.MANAGE_PLATFORMS)
async def remove_platform(actor: Writer, platform_id: str) -> None:
    """Remove a platform without courses. Raises: PlatformNotFound, PlatformInUse"""
    await platforms.remove(actor.session, platform_id)


@change(Right.MANAGE_PLATFORMS)
async def rotate_keys(actor: Writer) -> LtiKey:
    """Start to sign with the key that is already published as the next one, and return it."""
    return await keys.rotate(actor.session)


def _host(address: str) -> str:
    return urlsplit(address).hostname or address
