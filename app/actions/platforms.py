"""Learning platforms: registered, invited, confirmed, removed."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from app.access.rights import Right
from app.actions.asking import Asking, action
from app.actions.fields import ActionRequest, Name
from app.errors.outgoing import TargetRefused
from app.lti import keys, platforms
from app.lti.platforms import Registration
from app.lti.registration import invitations
from app.lti.registration.invitations import Invitation
from app.lti.registration.kinds import KINDS, addresses_of
from app.outgoing.targets import check_url
from app.storage.models import LtiKey, LtiPlatform

ORIGINS_CHARACTERS = 2000


def _address(url: str, info: ValidationInfo) -> str:
    """Refuse what nothing is sent to. The context says whether the operator allows ``private`` networks."""
    assert info.context is not None
    try:
        check_url(url, private=info.context["private"])
    except TargetRefused as exc:
        raise PydanticCustomError("address", "expected an address that begins with https://") from exc
    return url


def _sites(addresses: object) -> object:
    if not isinstance(addresses, str):
        return addresses
    try:
        return platforms.sites_of(addresses[:ORIGINS_CHARACTERS])
    except ValueError as exc:
        raise PydanticCustomError("address", "expected addresses such as https://school.instructure.com") from exc


#: An id that a platform gives us: of the client, of a deployment.
TheirId = Annotated[Name, Field(max_length=255)]
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
        # In the cloud of Canvas or Blackboard the site is in none of the addresses.
        origins = dict.fromkeys((*filter(None, [platforms.site_of(self.site)]), *self.origins))
        return Registration(
            name=self.name or f"{KINDS[self.kind][0]}, {_host(self.site)}"[:200],
            client_id=self.client_id,
            **vars(addresses_of(self.kind, self.site, self.client_id)),
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


@action(Right.MANAGE_PLATFORMS)
async def register_platform(asking: Asking, wanted: RegisterKnownPlatform | RegisterOtherPlatform) -> LtiPlatform:
    """Register a platform by what its administrator shows. Raises: PlatformKnown"""
    async with asking.write() as session:
        return await platforms.add(session, wanted.registration(), made_by=asking.name, confirmed=True)


@action(Right.MANAGE_PLATFORMS)
async def invite_platform(asking: Asking) -> Invitation:
    """Make an address with which one platform registers itself."""
    async with asking.write() as session:
        return await invitations.make(session, made_by=asking.name)


@action(Right.MANAGE_PLATFORMS)
async def confirm_platform(asking: Asking, platform_id: str) -> None:
    """Take launches of a platform from now on. Raises: PlatformNotFound"""
    async with asking.write() as session:
        await platforms.confirm(session, platform_id)


@action(Right.MANAGE_PLATFORMS)
async def suspend_platform(asking: Asking, platform_id: str) -> None:
    """Take nothing from a platform until it is confirmed again. Raises: PlatformNotFound"""
    async with asking.write() as session:
        await platforms.suspend(session, platform_id)


@action(Right.MANAGE_PLATFORMS)
async def add_deployment(asking: Asking, platform_id: str, wanted: AddDeployment) -> None:
    """Know one more deployment of a platform. Raises: PlatformNotFound"""
    async with asking.write() as session:
        await platforms.add_deployment(session, platform_id, wanted.deployment)


@action(Right.MANAGE_PLATFORMS)
async def set_origins(asking: Asking, platform_id: str, wanted: SetOrigins) -> None:
    """Let pages of these sites, and of no others, show ours in a frame, and grades go there.

    Raises:
        PlatformNotFound
    """
    async with asking.write() as session:
        await platforms.set_origins(session, platform_id, wanted.origins)


@action(Right.MANAGE_PLATFORMS)
async def remove_platform(asking: Asking, platform_id: str) -> None:
    """Remove a platform that no course has come from. Raises: PlatformNotFound, PlatformInUse"""
    async with asking.write() as session:
        await platforms.remove(session, platform_id)


@action(Right.MANAGE_PLATFORMS)
async def rotate_keys(asking: Asking) -> LtiKey:
    """Let the key sign from now on that is published as the next one. Return it."""
    async with asking.write() as session:
        return await keys.rotate(session)


def _host(address: str) -> str:
    return urlsplit(address).hostname or address
