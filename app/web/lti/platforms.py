"""The pages of learning platforms, for admins: list, register, check, confirm and remove them."""

from typing import Annotated

from fastapi import Depends, Response

from app.access.rights import Right
from app.actions import platforms as actions
from app.http.forms import read_page_form, see_other
from app.http.parameters import PlatformId
from app.http.visits import PageFor, Pages, Visit
from app.lti import keys, platforms
from app.lti.grades import connection
from app.lti.registration import checking, invitations
from app.lti.registration.kinds import FORMS, KINDS, Form
from app.storage.models import LtiContext, LtiPlatform
from app.web.lti.registering import tool_of

OTHER = "other"
ADDRESSES = ("issuer", "login_url", "token_url", "keys_url")

Admin = Annotated[Visit, Depends(PageFor(Right.MANAGE_PLATFORMS))]

router = Pages("/platforms")


@router.get("")
async def platforms_page(visit: Admin) -> Response:
    return await _list(visit)


async def _list(visit: Visit, invitation: str | None = None) -> Response:
    async with visit.database.read() as session:
        rows = await platforms.list_platforms(session)
    return visit.page(
        "lti/platforms.html",
        platforms=rows,
        kinds=[(id, name) for id, (name, _) in KINDS.items()],
        forms=_forms(visit),
        invitation=invitation,
        invitation_days=invitations.LIFETIME.days,
    )


@router.form("", actions.register_platform, again=_list)
async def register(visit: Visit) -> Response:
    form_of_kind: type[actions.RegisterKnownPlatform] | type[actions.RegisterOtherPlatform] = (
        actions.RegisterOtherPlatform
        if visit.fields.typed.get("kind", OTHER) == OTHER
        else actions.RegisterKnownPlatform
    )
    private = {"private": visit.parts.settings.lti_private_targets}
    wanted = visit.fields.read(form_of_kind, filled_only=True, context=private)
    platform = await actions.register_platform(visit, wanted)
    return await _reload_frame_sites(visit, f"/platforms/{platform.id}", "platform.added")


@router.form("/invitations", actions.invite_platform)
async def invite(visit: Visit) -> Response:
    invitation = await actions.invite_platform(visit)
    return await _list(visit, f"{visit.url}{invitation.path}")


@router.get("/{platform_id}")
async def platform_page(visit: Admin, platform_id: PlatformId) -> Response:
    return await _one(visit, platform_id)


async def _one(visit: Visit, platform_id: str, faults: list[checking.Fault] | None = None) -> Response:
    async with visit.database.read() as session:
        platform = await platforms.find(session, platform_id)
        known = await platforms.deployments(session, platform_id)
        courses = await platforms.count_courses(session, platform_id)
        waits = await connection.waits_of(session, LtiContext.platform_id == platform_id)
        same_client = await platforms.same_client(session, platform)
    return visit.page(
        "lti/platform.html",
        platform=platform,
        deployments=known,
        courses=courses,
        sites=_sites(platform),
        faults=faults,
        same_client=checking.of_same_client(same_client) if same_client else None,
        waits=waits,
        forms=_forms(visit),
    )


@router.post("/{platform_id}/check")
async def check(visit: Admin, platform_id: PlatformId) -> Response:
    """Look for what would keep launches and grades from working, and show it."""
    await read_page_form(visit.request)
    async with visit.database.read() as session:
        platform = await platforms.find(session, platform_id)
        known = await platforms.deployments(session, platform_id)
        same_client = await platforms.same_client(session, platform)
    faults = await checking.check(
        platform,
        known,
        same_client,
        public_url=visit.parts.settings.public_url,
        seen_url=str(visit.request.base_url).rstrip("/"),
        own_keys=await keys.public_key_set(visit.database),
        outgoing=visit.parts.outgoing,
        services=visit.parts.platform_services,
    )
    return await _one(visit, platform_id, faults)


@router.form("/{platform_id}/confirm", actions.confirm_platform)
async def confirm(visit: Visit, platform_id: PlatformId) -> Response:
    await actions.confirm_platform(visit, platform_id)
    return await _reload_frame_sites(visit, f"/platforms/{platform_id}", "platform.confirmed")


@router.form("/{platform_id}/suspend", actions.suspend_platform)
async def suspend(visit: Visit, platform_id: PlatformId) -> Response:
    if not visit.fields.has("sure"):
        return see_other(f"/platforms/{platform_id}")
    await actions.suspend_platform(visit, platform_id)
    return await _reload_frame_sites(visit, f"/platforms/{platform_id}", "platform.suspended")


router.act(
    "/{platform_id}/deployments", actions.add_deployment, "/{platform_id}", "platform.deployment_added", again=_one
)


@router.form("/{platform_id}/origins", actions.set_origins, again=_one)
async def set_origins(visit: Visit, platform_id: PlatformId) -> Response:
    await actions.set_origins(visit, platform_id, visit.fields.read(actions.SetOrigins))
    return await _reload_frame_sites(visit, f"/platforms/{platform_id}", "platform.origins_set")


@router.form("/{platform_id}/remove", actions.remove_platform)
async def remove(visit: Visit, platform_id: PlatformId) -> Response:
    if not visit.fields.has("sure"):
        return see_other(f"/platforms/{platform_id}")
    await actions.remove_platform(visit, platform_id)
    return await _reload_frame_sites(visit, "/platforms", "platform.removed")


async def _reload_frame_sites(visit: Visit, address: str, said: str) -> Response:
    """Read again which sites may show our pages in a frame, and redirect to a page."""
    await visit.parts.frame_sites.read()
    return see_other(address, said=said)


def _sites(platform: LtiPlatform) -> dict[str, str]:
    """Return the sites of its addresses, by field, as browsers write them: letters of other alphabets look alike."""
    addresses = {name: str(getattr(platform, name)) for name in ADDRESSES}
    return {name: site for name, address in addresses.items() if (site := platforms.site_of(address))}


def _forms(visit: Visit) -> dict[str, tuple[Form, list[tuple[str, str]]]]:
    """Return, by platform, its form and our values for the fields."""
    values = tool_of(visit.request).values
    return {platform: (form, [(field, values[id]) for field, id in form.fields]) for platform, form in FORMS.items()}
