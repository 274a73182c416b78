"""The pages of learning platforms, for admins: list, register, check, confirm and remove them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import platforms as actions
from app.actions.asking import Asking
from app.actions.platforms import AddDeployment, RegisterKnownPlatform, RegisterOtherPlatform, SetOrigins
from app.errors import AppError
from app.errors.lti import PlatformKnown, PlatformNotFound
from app.errors.requests import FieldsWrong
from app.http.auth.holders import FormAsks, PageFor
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.http.parameters import PathId
from app.lti import keys, platforms
from app.lti.grades import connection
from app.lti.registration import checking, invitations
from app.lti.registration.kinds import FORMS, KINDS, Form
from app.services import service_url, services
from app.storage.models import LtiContext, LtiPlatform
from app.web.lti.registering import tool_of

OTHER = "other"
ADDRESSES = ("issuer", "login_url", "token_url", "keys_url")

Admin = Annotated[Principal, Depends(PageFor(Right.MANAGE_PLATFORMS))]

router = APIRouter(prefix="/platforms", include_in_schema=False)


PlatformId = Annotated[str, Depends(PathId("platform_id", PlatformNotFound))]


@router.get("")
async def platforms_page(request: Request, viewer: Admin) -> Response:
    return await _list(request, viewer)


@router.post("")
async def register(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.register_platform))]
) -> Response:
    """Register a platform by what its administrator shows."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    form_of_kind: type[RegisterKnownPlatform] | type[RegisterOtherPlatform] = (
        RegisterOtherPlatform if fields.typed.get("kind", OTHER) == OTHER else RegisterKnownPlatform
    )
    private = {"private": services(request).settings.lti_private_targets}
    try:
        wanted = fields.read(form_of_kind, filled_only=True, context=private)
        platform = await actions.register_platform(asking, wanted)
    except (FieldsWrong, PlatformKnown) as refusal:
        return await _list(request, asking.holder, fields, refusal)
    return await _reload_frame_sites(request, f"/platforms/{platform.id}", "platform.added")


@router.post("/invitations")
async def invite(request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.invite_platform))]) -> Response:
    """Make an address at which a platform can register itself, and show it."""
    async with form_of(request):
        invitation = await actions.invite_platform(asking)
    return await _list(request, asking.holder, invitation=f"{service_url(request)}{invitation.path}")


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
        own_keys=await keys.public_key_set(parts.database),
        outgoing=parts.outgoing,
        services=parts.platform_services,
    )
    return await _one(request, viewer, platform_id, faults=faults)


@router.post("/{platform_id}/confirm")
async def confirm(
    request: Request,
    asking: Annotated[Asking, Depends(FormAsks(actions.confirm_platform))],
    platform_id: PlatformId,
) -> Response:
    async with form_of(request):
        await actions.confirm_platform(asking, platform_id)
    return await _reload_frame_sites(request, f"/platforms/{platform_id}", "platform.confirmed")


@router.post("/{platform_id}/suspend")
async def suspend(
    request: Request,
    asking: Annotated[Asking, Depends(FormAsks(actions.suspend_platform))],
    platform_id: PlatformId,
) -> Response:
    """Accept nothing from a platform until it is confirmed again, if the box is ticked."""
    if not await _is_sure(request):
        return see_other(f"/platforms/{platform_id}")
    await actions.suspend_platform(asking, platform_id)
    return await _reload_frame_sites(request, f"/platforms/{platform_id}", "platform.suspended")


@router.post("/{platform_id}/deployments")
async def add_deployment(
    request: Request,
    asking: Annotated[Asking, Depends(FormAsks(actions.add_deployment))],
    platform_id: PlatformId,
) -> Response:
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        await actions.add_deployment(asking, platform_id, fields.read(AddDeployment))
    except FieldsWrong as refusal:
        return await _one(request, asking.holder, platform_id, fields=fields, refusal=refusal)
    return see_other(f"/platforms/{platform_id}", said="platform.deployment_added")


@router.post("/{platform_id}/origins")
async def set_origins(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.set_origins))], platform_id: PlatformId
) -> Response:
    """Allow only the sites in the form to show our pages in a frame, and to receive grades."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        await actions.set_origins(asking, platform_id, fields.read(SetOrigins))
    except FieldsWrong as refusal:
        return await _one(request, asking.holder, platform_id, fields=fields, refusal=refusal)
    return await _reload_frame_sites(request, f"/platforms/{platform_id}", "platform.origins_set")


@router.post("/{platform_id}/remove")
async def remove(
    request: Request,
    asking: Annotated[Asking, Depends(FormAsks(actions.remove_platform))],
    platform_id: PlatformId,
) -> Response:
    """Remove a platform, if the box is ticked."""
    if not await _is_sure(request):
        return see_other(f"/platforms/{platform_id}")
    await actions.remove_platform(asking, platform_id)
    return await _reload_frame_sites(request, "/platforms", "platform.removed")


async def _is_sure(request: Request) -> bool:
    async with form_of(request) as form:
        return Fields(fields_of(form)).has("sure")


async def _reload_frame_sites(request: Request, address: str, said: str) -> Response:
    """Read again which sites may show our pages in a frame, and redirect to a page."""
    await services(request).frame_sites.read()
    return see_other(address, said=said)


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
