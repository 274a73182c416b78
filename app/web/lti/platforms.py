"""The pages of learning platforms, for admins: listed, registered, checked, confirmed, removed."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.errors import AppError
from app.errors.lti import PlatformKnown, PlatformNotFound
from app.errors.outgoing import TargetRefused
from app.errors.requests import FieldsWrong
from app.http.auth.holders import PageFor
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.http.parameters import PathId
from app.lti import keys, platforms
from app.lti.grades import connection
from app.lti.platforms import Registration
from app.lti.registration import checking, invitations
from app.lti.registration.kinds import FORMS, KINDS, Addresses, Form, addresses_of
from app.outgoing.targets import check_url
from app.services import service_url, services
from app.storage.models import LtiContext, LtiPlatform
from app.web.lti.registering import tool_of

OTHER = "other"
#: Fields of the form with addresses, which kinds of platforms that we know fill in by themselves.
ADDRESSES = ("issuer", "login_url", "token_url", "keys_url")
CLIENT_ID_CHARACTERS = 255
ORIGINS_CHARACTERS = 2000

Admin = Annotated[Principal, Depends(PageFor(Right.MANAGE_PLATFORMS))]

router = APIRouter(prefix="/platforms", include_in_schema=False)


PlatformId = Annotated[str, Depends(PathId("platform_id", PlatformNotFound))]


@router.get("")
async def platforms_page(request: Request, viewer: Admin) -> Response:
    return await _list(request, viewer)


@router.post("")
async def register(request: Request, viewer: Admin) -> Response:
    """Register a platform by what its administrator shows."""
    parts = services(request)
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        said = _registration(fields, private=parts.settings.lti_private_targets)
        async with parts.database.write() as session:
            platform = await platforms.add(session, said, made_by=viewer.name, confirmed=True)
    except (FieldsWrong, PlatformKnown) as refusal:
        return await _list(request, viewer, fields, refusal)
    await parts.frame_sites.read()
    return see_other(f"/platforms/{platform.id}", said="platform.added")


@router.post("/invitations")
async def invite(request: Request, viewer: Admin) -> Response:
    """Make an address with which a platform registers itself, and show it."""
    parts = services(request)
    async with form_of(request), parts.database.write() as session:
        made = await invitations.make(session, made_by=viewer.name)
    return await _list(request, viewer, invitation=f"{service_url(request)}{made.path}")


@router.get("/{platform_id}")
async def platform_page(request: Request, viewer: Admin, platform_id: PlatformId) -> Response:
    return await _one(request, viewer, platform_id)


@router.post("/{platform_id}/check")
async def check(request: Request, viewer: Admin, platform_id: PlatformId) -> Response:
    """Look for what would keep launches and grades from working, and show it."""
    parts = services(request)
    async with form_of(request), parts.database.read() as session:
        platform = await platforms.find(session, platform_id)
        known = await platforms.deployments(session, platform_id)
        same_client = await platforms.same_client(session, platform)
    faults = await checking.check(
        platform,
        known,
        same_client,
        public_url=parts.settings.public_url,
        seen_url=str(request.base_url).rstrip("/"),
        own_keys=await keys.published(parts.database),
        outgoing=parts.outgoing,
        services=parts.platform_services,
    )
    return await _one(request, viewer, platform_id, faults=faults)


@router.post("/{platform_id}/confirm")
async def confirm(request: Request, viewer: Admin, platform_id: PlatformId) -> Response:  # noqa: ARG001
    parts = services(request)
    async with form_of(request), parts.database.write() as session:
        await platforms.confirm(session, platform_id)
    await parts.frame_sites.read()
    return see_other(f"/platforms/{platform_id}", said="platform.confirmed")


@router.post("/{platform_id}/suspend")
async def suspend(request: Request, viewer: Admin, platform_id: PlatformId) -> Response:  # noqa: ARG001
    """Take nothing from a platform until it is confirmed again, if the box is ticked."""
    parts = services(request)
    async with form_of(request) as form:
        is_sure = Fields(fields_of(form)).has("sure")
    if is_sure:
        async with parts.database.write() as session:
            await platforms.suspend(session, platform_id)
        await parts.frame_sites.read()
    return see_other(f"/platforms/{platform_id}", said="platform.suspended" if is_sure else None)


@router.post("/{platform_id}/deployments")
async def add_deployment(request: Request, viewer: Admin, platform_id: PlatformId) -> Response:
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    deployment = fields.name("deployment", required=True, limit=CLIENT_ID_CHARACTERS)
    try:
        fields.check()
    except FieldsWrong as refusal:
        return await _one(request, viewer, platform_id, fields=fields, refusal=refusal)
    assert deployment is not None
    async with services(request).database.write() as session:
        await platforms.add_deployment(session, platform_id, deployment)
    return see_other(f"/platforms/{platform_id}", said="platform.deployment_added")


@router.post("/{platform_id}/origins")
async def set_origins(request: Request, viewer: Admin, platform_id: PlatformId) -> Response:
    """Let pages of the sites in the form, and of no others, show ours in a frame, and grades go there."""
    parts = services(request)
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    origins = _origins(fields)
    try:
        fields.check()
    except FieldsWrong as refusal:
        return await _one(request, viewer, platform_id, fields=fields, refusal=refusal)
    async with parts.database.write() as session:
        await platforms.set_origins(session, platform_id, origins)
    await parts.frame_sites.read()
    return see_other(f"/platforms/{platform_id}", said="platform.origins_set")


@router.post("/{platform_id}/remove")
async def remove(request: Request, viewer: Admin, platform_id: PlatformId) -> Response:  # noqa: ARG001
    """Remove a platform, if the box is ticked."""
    parts = services(request)
    async with form_of(request) as form:
        is_sure = Fields(fields_of(form)).has("sure")
    if not is_sure:
        return see_other(f"/platforms/{platform_id}")
    async with parts.database.write() as session:
        await platforms.remove(session, platform_id)
    await parts.frame_sites.read()
    return see_other("/platforms", said="platform.removed")


def _registration(fields: Fields, *, private: bool) -> Registration:
    """Read the form.

    Raises:
        FieldsWrong: a field is missing, or is no address that anything is sent to.
    """
    kind = fields.choice("kind", (*KINDS, OTHER), OTHER)
    client_id = fields.name("client_id", required=True, limit=CLIENT_ID_CHARACTERS) or ""
    deployment = fields.name("deployment", limit=CLIENT_ID_CHARACTERS)
    origins = _origins(fields)
    if kind == OTHER:
        found = Addresses(*(_address(fields, name, private=private) for name in ADDRESSES))
    else:
        site = _address(fields, "site", private=private)
        found = addresses_of(kind, site, client_id)
        # In the cloud of Canvas or Blackboard it is in none of the addresses.
        origins = tuple(dict.fromkeys((*filter(None, [platforms.site_of(site)]), *origins)))
    name = fields.name("name") or _name(kind, fields.came.get("site") or found.issuer)
    fields.check()
    return Registration(
        name=name,
        issuer=found.issuer,
        client_id=client_id,
        login_url=found.login_url,
        token_url=found.token_url,
        keys_url=found.keys_url,
        token_audience=found.token_audience,
        deployments=(deployment,) if deployment else (),
        origins=origins,
    )


def _origins(fields: Fields) -> tuple[str, ...]:
    try:
        return platforms.sites_of(fields.came.get("origins", "")[:ORIGINS_CHARACTERS])
    except ValueError:
        fields.wrong("origins", "address")
        return ()


def _address(fields: Fields, name: str, *, private: bool) -> str:
    came = fields.came.get(name, "").strip()
    if not came:
        fields.wrong(name, "required")
        return ""
    try:
        check_url(came, private=private)
    except TargetRefused:
        fields.wrong(name, "address")
    return came


def _name(kind: str, site: str) -> str:
    host = urlsplit(site).hostname or site
    return f"{KINDS[kind][0]}, {host}"[:200] if kind in KINDS else host[:200]


async def _list(
    request: Request,
    viewer: Principal,
    fields: Fields | None = None,
    refusal: AppError | None = None,
    *,
    invitation: str | None = None,
) -> Response:
    async with services(request).database.read() as session:
        found = await platforms.list_platforms(session)
    return page(
        request,
        "lti/platforms.html",
        viewer=viewer,
        platforms=found,
        kinds=[(id, name) for id, (name, _) in KINDS.items()],
        forms=_forms(request),
        invitation=invitation,
        invitation_days=invitations.LIFETIME.days,
        **form_context(request, fields, refusal),
    )


async def _one(
    request: Request,
    viewer: Principal,
    platform_id: str,
    *,
    faults: list[checking.Fault] | None = None,
    fields: Fields | None = None,
    refusal: AppError | None = None,
) -> Response:
    async with services(request).database.read() as session:
        platform = await platforms.find(session, platform_id)
        known = await platforms.deployments(session, platform_id)
        courses = await platforms.count_courses(session, platform_id)
        waits = await connection.waits_of(session, LtiContext.platform_id == platform_id)
        same_client = await platforms.same_client(session, platform)
    return page(
        request,
        "lti/platform.html",
        viewer=viewer,
        platform=platform,
        deployments=known,
        courses=courses,
        sites=_sites(platform),
        faults=faults,
        same_client=checking.of_same_client(same_client) if same_client else None,
        waits=waits,
        forms=_forms(request),
        **form_context(request, fields, refusal),
    )


def _sites(platform: LtiPlatform) -> dict[str, str]:
    """Return the sites of its addresses, by field, as browsers write them: letters of other alphabets look alike."""
    addresses = {name: str(getattr(platform, name)) for name in ADDRESSES}
    return {name: site for name, address in addresses.items() if (site := platforms.site_of(address))}


def _forms(request: Request) -> dict[str, tuple[Form, list[tuple[str, str]]]]:
    """Return, by platform, its form and our values for the fields."""
    values = tool_of(request).values
    return {platform: (form, [(field, values[id]) for field, id in form.fields]) for platform, form in FORMS.items()}
