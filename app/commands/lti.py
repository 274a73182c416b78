"""An operator's commands on learning platforms and on the keys that platforms check us by."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from app.commands.acting import opened, owner_of, refused_in_words
from app.errors.commands import NotPossible
from app.lti import keys, platforms
from app.lti.platform_services import PlatformServices
from app.lti.platforms import Registration
from app.lti.registration import checking, invitations, tool
from app.lti.registration.kinds import KINDS, addresses_of
from app.outgoing.client import Outgoing
from app.outgoing.targets import check_url
from app.settings import Settings
from app.texts import text


async def add_platform(
    settings: Settings,
    kind: str | None,
    site: str | None,
    client_id: str,
    deployments: list[str],
    given: dict[str, str | None],
    origins: Sequence[str] = (),
) -> list[str]:
    """Register a platform; return its id, and the addresses that its administrator enters.

    Args:
        kind: a key of `KINDS`; None: `given` has all addresses.
        given: addresses by the names of `Addresses`, and `name`; they win over those of the kind.
        origins: sites whose pages show ours in a frame, besides that of `site`.
    """
    addresses: dict[str, str | None] = {}
    if kind is not None:
        if kind not in KINDS:
            raise NotPossible(reason=f"there is no kind {kind!r}; known are {', '.join(KINDS)}")
        if site is None:
            raise NotPossible(reason="--kind needs --site, the address of the platform")
        addresses = dict(vars(addresses_of(kind, site, client_id)))
    addresses |= {name: value for name, value in given.items() if value is not None and name != "name"}
    missing = [name for name in ("issuer", "login_url", "token_url", "keys_url") if not addresses.get(name)]
    if missing:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in missing)
        raise NotPossible(reason=f"missing: {options}; or give --kind and --site")
    try:
        sites = platforms.sites_of(" ".join([*([site] if site else []), *origins]))
    except ValueError as exc:
        raise NotPossible(reason=f"expected a site such as https://school.instructure.com, not {exc}") from exc
    name = given.get("name") or urlsplit(site or addresses["issuer"] or "").hostname or client_id
    with refused_in_words():
        for address in ("login_url", "token_url", "keys_url"):
            check_url(str(addresses[address]), private=settings.lti_private_targets)
        said = Registration(
            name=name,
            client_id=client_id,
            deployments=tuple(deployments),
            issuer=str(addresses["issuer"]),
            login_url=str(addresses["login_url"]),
            token_url=str(addresses["token_url"]),
            keys_url=str(addresses["keys_url"]),
            token_audience=addresses.get("token_audience"),
            origins=sites,
        )
        async with opened(settings) as database:
            owner = await owner_of(database)
            async with database.write() as session:
                platform = await platforms.add(session, said, made_by=owner.name, confirmed=True)
    return [platform.id, *addresses_for_platform(settings)]


def addresses_for_platform(settings: Settings) -> list[str]:
    """Return the lines that an administrator of a platform copies."""
    names = {
        "target": "Tool URL",
        "login": "Login initiation URL",
        "launch": "Redirection URI",
        "keys": "Public keyset URL",
    }
    return [f"{names[id] + ':':<22} {address}" for id, address in tool.addresses_of(settings.url()).items()]


async def invite_platform(settings: Settings) -> str:
    """Return an address with which one platform registers itself."""
    with refused_in_words():
        async with opened(settings) as database:
            owner = await owner_of(database)
            async with database.write() as session:
                made = await invitations.make(session, made_by=owner.name)
    return f"{settings.url()}{made.path}"


async def list_platforms(settings: Settings) -> list[str]:
    async with opened(settings) as database, database.read() as session:
        lines = []
        for each in await platforms.list_platforms(session):
            state = "active" if each.confirmed_at else "unconfirmed"
            known = ", ".join(await platforms.deployments(session, each.id)) or "none"
            courses = await platforms.count_courses(session, each.id)
            lines.append(
                f"{each.id}  {state:<11}  {each.name}  issuer {each.issuer}  client id {each.client_id}  "
                f"deployments {known}  courses {courses}"
            )
    return lines


async def confirm_platform(settings: Settings, platform_id: str) -> list[str]:
    """Confirm a platform; return what an admin should know about it."""
    with refused_in_words():
        async with opened(settings) as database, database.write() as session:
            platform = await platforms.confirm(session, platform_id)
            same_client = await platforms.same_client(session, platform)
    return _said([checking.of_same_client(same_client)] if same_client else [])


async def deploy_platform(settings: Settings, platform_id: str, deployment_id: str) -> None:
    with refused_in_words():
        async with opened(settings) as database, database.write() as session:
            await platforms.add_deployment(session, platform_id, deployment_id)


async def remove_platform(settings: Settings, platform_id: str) -> None:
    with refused_in_words():
        async with opened(settings) as database, database.write() as session:
            await platforms.remove(session, platform_id)


async def check_platform(settings: Settings, platform_id: str) -> list[str]:
    """Return a sentence for everything that is wrong with a registration."""
    with refused_in_words():
        async with opened(settings) as database, Outgoing(private=settings.lti_private_targets) as outgoing:
            async with database.read() as session:
                platform = await platforms.find(session, platform_id)
                known = await platforms.deployments(session, platform_id)
                same_client = await platforms.same_client(session, platform)
            services = PlatformServices(database, outgoing)
            faults = await checking.check(
                platform,
                known,
                same_client,
                public_url=settings.public_url,
                seen_url=None,
                own_keys=await keys.published(database),
                outgoing=outgoing,
                services=services,
            )
    return _said(faults)


def _said(faults: Sequence[checking.Fault]) -> list[str]:
    return [text(f"platform.check.{fault.code}", "en", **fault.params) for fault in faults]


async def list_keys(settings: Settings) -> list[str]:
    async with opened(settings) as database, database.read() as session:
        return [
            f"{key.id}  {_use_of(key.signs_since is not None, key.signed_until is not None)}"
            for key in await keys.known(session)
        ]


def _use_of(has_signed: bool, has_ended: bool) -> str:
    return "published, signs no more" if has_ended else "signs" if has_signed else "published, signs next"


async def rotate_keys(settings: Settings) -> str:
    """Let the next key sign from now on; return its id."""
    async with opened(settings) as database, database.write() as session:
        return (await keys.rotate(session)).id
