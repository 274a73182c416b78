"""The pages of learning platforms, for admins: list, register, check, confirm and remove them."""

from fastapi import Response

from app.access.rights import Right
from app.actions import platforms as actions
from app.http.forms import read_page_form, see_other
from app.http.visits import Pages, Visit
from app.lti import platforms
from app.lti.grades import connection
from app.lti.registration import checking, invitations
from app.lti.registration.kinds import KINDS
from app.storage.models import LtiContext, LtiPlatform
from app.web.lti.registering import tool_of

OTHER = "other"
#: The page of a platform.
ONE = "/{platform_id}"
ADDRESSES = ("issuer", "login_url", "token_url", "keys_url")


router = Pages("/platforms")


@router.page("", Right.MANAGE_PLATFORMS)
async def platforms_page(visit: Visit) -> Response:
    rows = await platforms.list_platforms(visit.session)
    return visit.page(
        "lti/platforms.html",
        platforms=rows,
        kinds=[(id, kind["name"]) for id, kind in KINDS.items()],
        tool=tool_of(visit.request),
        invitation=None,
        invitation_days=invitations.LIFETIME.days,
    )


@router.form("", actions.register_platform, again=platforms_page)
async def register(visit: Visit) -> Response:
    form_of_kind: type[actions.RegisterKnownPlatform] | type[actions.RegisterOtherPlatform] = (
        actions.RegisterOtherPlatform
        if visit.fields.typed.get("kind", OTHER) == OTHER
        else actions.RegisterKnownPlatform
    )
    private = {"private": visit.parts.settings.lti_private_targets}
    wanted = visit.fields.read(form_of_kind, filled_only=True, context=private)
    platform = await actions.register_platform(visit, wanted)
    await _reload_sites(visit)
    return see_other(f"/platforms/{platform.id}", said="platform.added")


@router.form("/invitations", actions.invite_platform)
async def invite(visit: Visit) -> Response:
    invitation = await actions.invite_platform(visit)
    return await platforms_page(visit.showing(invitation=f"{visit.url}{invitation.path}"))


@router.page(ONE, Right.MANAGE_PLATFORMS)
async def platform_page(visit: Visit, platform_id: str) -> Response:
    platform = await platforms.find(visit.session, platform_id)
    known = await platforms.deployments(visit.session, platform_id)
    courses = await platforms.count_courses(visit.session, platform_id)
    waits = await connection.waits_of(visit.session, LtiContext.platform_id == platform_id)
    same_client = await platforms.same_client(visit.session, platform)
    return visit.page(
        "lti/platform.html",
        platform=platform,
        deployments=known,
        courses=courses,
        sites=_sites(platform),
        faults=None,
        same_client=checking.of_same_client(same_client) if same_client else None,
        waits=waits,
        tool=tool_of(visit.request),
    )


@router.page(f"{ONE}/check", Right.MANAGE_PLATFORMS, method="POST")
async def check(visit: Visit, platform_id: str) -> Response:
    """Look for what would keep launches and grades from working, and show it."""
    await read_page_form(visit.request)
    faults = await checking.check(
        visit.database,
        platform_id,
        public_url=visit.parts.settings.public_url,
        seen_url=str(visit.request.base_url).rstrip("/"),
        outgoing=visit.parts.outgoing,
        services=visit.parts.platform_services,
    )
    return await platform_page(visit.showing(faults=faults), platform_id)


async def _reload_sites(visit: Visit) -> None:
    """Read again which sites may show our pages in a frame."""
    await visit.parts.frame_sites.read()


router.act(f"{ONE}/confirm", actions.confirm_platform, ONE, "platform.confirmed", then=_reload_sites)
router.act(f"{ONE}/suspend", actions.suspend_platform, ONE, "platform.suspended", sure=True, then=_reload_sites)
router.act(f"{ONE}/deployments", actions.add_deployment, ONE, "platform.deployment_added", again=platform_page)
router.act(f"{ONE}/origins", actions.set_origins, ONE, "platform.origins_set", again=platform_page, then=_reload_sites)
router.act(f"{ONE}/remove", actions.remove_platform, "", "platform.removed", sure=True, then=_reload_sites)


def _sites(platform: LtiPlatform) -> dict[str, str]:
    """Return the sites of its addresses, by field, as browsers write them: letters of other alphabets look alike."""
    addresses = {name: str(getattr(platform, name)) for name in ADDRESSES}
    return {name: site for name, address in addresses.items() if (site := platforms.site_of(address))}
