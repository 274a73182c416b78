"""Registered platforms, and the changes to them."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

import httpx
from sqlalchemy import delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import existing
from app.errors.lti import PlatformInUse, PlatformKnown, PlatformNotFound, PlatformUnknown, RegistrationRefused
from app.storage import passback
from app.storage.models import (
    OF_PLATFORMS,
    Identity,
    LtiContext,
    LtiDeployment,
    LtiLogin,
    LtiMember,
    LtiPlatform,
    LtiQuestion,
    Membership,
    Session,
    utc_now,
)
from app.storage.turns import take_turns

MOST_PORT = 65_535


@dataclass(frozen=True)
class Registration:
    """A platform's description of itself.

    Attributes:
        origins: further sites, besides those of the addresses, that may embed our pages.
    """

    name: str
    issuer: str
    client_id: str
    login_url: str
    token_url: str
    keys_url: str
    deployments: tuple[str, ...] = ()
    token_audience: str | None = None
    origins: tuple[str, ...] = ()


async def find_for_login(session: AsyncSession, issuer: str, client_id: str | None) -> LtiPlatform:
    """Find the platform that a login comes from.

    Raises:
        PlatformUnknown: no confirmed platform has this issuer and client id, or several match a login without client
            id.
    """
    of = [LtiPlatform.issuer == issuer, LtiPlatform.confirmed_at.is_not(None)]
    if client_id is not None:
        of.append(LtiPlatform.client_id == client_id)
    platforms = (await session.scalars(select(LtiPlatform).where(*of).limit(2))).all()
    if len(platforms) != 1:
        raise PlatformUnknown(issuer=issuer[:200], client_id=(client_id or "")[:200])
    return platforms[0]


async def list_platforms(session: AsyncSession) -> Sequence[LtiPlatform]:
    """List all platforms, the newest first."""
    return (await session.scalars(select(LtiPlatform).order_by(LtiPlatform.id.desc()))).all()


async def find(session: AsyncSession, platform_id: str) -> LtiPlatform:
    """Raises: PlatformNotFound"""
    return existing(await session.get(LtiPlatform, platform_id), PlatformNotFound)


async def add(session: AsyncSession, registration: Registration, *, made_by: str, confirmed: bool) -> LtiPlatform:
    """Add a platform.

    Args:
        confirmed: whether an admin vouches for it.
    Raises:
        PlatformKnown: a platform with this issuer and client id is registered.
        RegistrationRefused: nobody vouches for it, and it claims the client id that another platform gave us.
    """
    await take_turns(session, [f"lti:{registration.issuer}", f"lti-client:{registration.client_id.lower()}"])
    of = LtiPlatform.issuer == registration.issuer, LtiPlatform.client_id == registration.client_id
    if (other := await session.scalar(select(LtiPlatform).where(*of))) is not None:
        raise PlatformKnown(platform=other.id)
    if not confirmed and await _of_client(session, registration.client_id):
        raise RegistrationRefused(reason="the client id is that of another platform here")
    facts = asdict(registration)
    deployments, origins = facts.pop("deployments"), " ".join(facts.pop("origins"))
    confirmed_at = utc_now() if confirmed else None
    platform = LtiPlatform(**facts, origins=origins, made_by=made_by, confirmed_at=confirmed_at)
    session.add(platform)
    await session.flush()
    for deployment in dict.fromkeys(deployments):
        session.add(LtiDeployment(platform_id=platform.id, deployment_id=deployment))
    await session.flush()
    return platform


async def same_client(session: AsyncSession, platform: LtiPlatform) -> Sequence[LtiPlatform]:
    """List the other platforms that know us by the client id of this one."""
    return [each for each in await _of_client(session, platform.client_id) if each.id != platform.id]


async def _of_client(session: AsyncSession, client_id: str) -> Sequence[LtiPlatform]:
    """List the platforms that know us by a client id: a signature for one of them would be valid at the others.

    A platform on MySQL ignores upper and lower case.
    """
    of = func.lower(LtiPlatform.client_id) == client_id.lower()
    return (await session.scalars(select(LtiPlatform).where(of).order_by(LtiPlatform.id))).all()


async def confirm(session: AsyncSession, platform_id: str) -> LtiPlatform:
    """Accept launches of this platform from now on. Raises: PlatformNotFound"""
    platform = await find(session, platform_id)
    platform.confirmed_at = platform.confirmed_at or utc_now()
    return platform


async def suspend(session: AsyncSession, platform_id: str) -> None:
    """Refuse launches of this platform from now on, and end the sessions that its launches began.

    Raises:
        PlatformNotFound
    """
    platform = await find(session, platform_id)
    platform.confirmed_at = None
    courses = select(LtiContext.course_id).where(LtiContext.platform_id == platform_id)
    known = select(Identity.person_id).where(Identity.issuer == issuer_of_people(platform_id))
    # A joined member is signed in as the person of the other member, whom the platform does not know.
    brought = (
        select(Membership.person_id)
        .join(LtiMember, LtiMember.membership_id == Membership.id)
        .join(LtiContext, LtiContext.id == LtiMember.lti_context_id)
        .where(LtiContext.platform_id == platform_id)
    )
    sent = Session.course_id.in_(courses), or_(Session.person_id.in_(known), Session.person_id.in_(brought))
    await session.execute(delete(Session).where(*sent).execution_options(synchronize_session=False))


async def deployments(session: AsyncSession, platform_id: str) -> Sequence[str]:
    of = select(LtiDeployment.deployment_id).where(LtiDeployment.platform_id == platform_id)
    return (await session.scalars(of.order_by(LtiDeployment.id))).all()


async def add_deployment(session: AsyncSession, platform_id: str, deployment_id: str) -> None:
    """Accept one more deployment of a platform. Raises: PlatformNotFound"""
    platform = await find(session, platform_id)
    await take_turns(session, [f"lti:{platform.issuer}"])
    if deployment_id not in await deployments(session, platform_id):
        session.add(LtiDeployment(platform_id=platform_id, deployment_id=deployment_id))
    if platform.refused_deployment == deployment_id:
        platform.refused_deployment = None
    await session.flush()


async def refuse_deployment(session: AsyncSession, platform_id: str, deployment_id: str) -> None:
    """Record an unknown deployment, for an admin to add. Raises: PlatformNotFound"""
    (await find(session, platform_id)).refused_deployment = deployment_id


async def name_for_course(session: AsyncSession, course_id: str) -> str | None:
    """Return the name of the platform whose people come into the course; of several, the one connected first."""
    of_course = select(LtiPlatform.name).join(LtiContext, LtiContext.platform_id == LtiPlatform.id)
    can_come = LtiContext.course_id == course_id, LtiPlatform.confirmed_at.is_not(None)
    return await session.scalar(of_course.where(*can_come).order_by(LtiContext.id).limit(1))


async def count_courses(session: AsyncSession, platform_id: str) -> int:
    of = select(func.count()).select_from(LtiContext).where(LtiContext.platform_id == platform_id)
    return await session.scalar(of) or 0


async def remove(session: AsyncSession, platform_id: str) -> None:
    """Remove a platform without connected courses.

    Raises:
        PlatformNotFound
        PlatformInUse: courses are connected with it; their grades would be lost.
    """
    platform = await find(session, platform_id)
    if await session.scalar(select(LtiContext.id).where(LtiContext.platform_id == platform_id).limit(1)) is not None:
        raise PlatformInUse
    for table in (LtiLogin, LtiQuestion, LtiDeployment):
        await session.execute(delete(table).where(table.platform_id == platform_id))
    await session.execute(delete(Identity).where(Identity.issuer == issuer_of_people(platform_id)))
    await session.delete(platform)
    await session.flush()


async def set_origins(session: AsyncSession, platform_id: str, origins: Collection[str]) -> None:
    """Let these sites embed our pages and receive grades. Raises: PlatformNotFound"""
    (await find(session, platform_id)).origins = " ".join(origins)
    await passback.sites_changed(session, platform_id)


async def origins(session: AsyncSession) -> Collection[str]:
    """Return the sites that may embed our pages: those of confirmed platforms."""
    confirmed = await session.scalars(select(LtiPlatform).where(LtiPlatform.confirmed_at.is_not(None)))
    addresses = [address for each in confirmed for address in (each.issuer, each.login_url, *each.origins.split())]
    return sorted({site for site in map(site_of, addresses) if site})


def sites_of(addresses: str) -> tuple[str, ...]:
    """Return the sites of addresses separated by spaces or commas.

    Raises:
        ValueError: one is not a valid address.
    """
    sites = []
    for address in addresses.replace(",", " ").split():
        if (site := site_of(address)) is None:
            raise ValueError(address)
        sites.append(site)
    return tuple(dict.fromkeys(sites))


def issuer_of_people(platform_id: str) -> str:
    """Return the issuer in the identities of this platform's people."""
    return f"{OF_PLATFORMS}{platform_id}"


def site_of(address: str) -> str | None:
    """Return an address's origin (scheme, host, port) as browsers write it; None: an issuer need not be an address."""
    try:
        parts = httpx.URL(address)
    except httpx.InvalidURL:
        return None
    # An international host name is ASCII here, and valid in a header.
    host = parts.raw_host.decode()
    if (
        parts.scheme not in ("http", "https")
        or not host.replace(".", "").replace("-", "").isalnum()
        or not 0 <= (parts.port or 0) <= MOST_PORT
    ):
        return None
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"
