"""The connection of a course with a learning platform: its page, and the choice for a new link of the platform."""

from fastapi import Response

from app.access.rights import Right
from app.actions import lms as actions
from app.courses import uses
from app.courses.assignments import title_of
from app.errors import AnswerUnusable, TargetRefused, existing
from app.errors.lti import PlatformRefused, SelectionNotFound
from app.http.middleware import POLICY
from app.http.visits import Pages, Visit
from app.lti.grades import connection
from app.lti.launch import binding, deep_linking
from app.lti.launch.login import TARGET_PATH
from app.lti.platforms import site_of
from app.storage.models import LtiContext

router = Pages("/courses/{course_id}/lms")


@router.page("", Right.SEE_GRADES)
async def connection_page(visit: Visit) -> Response:
    holder = visit.holder
    connections = await connection.connections_of(visit.session, visit.course_id)
    waits = await connection.waits_of(visit.session, LtiContext.course_id == visit.course_id)
    failures = await connection.failures_of(visit.session, visit.course_id)
    differences = await connection.differences_of(visit.session, visit.course_id)
    going = {
        each.context.id: await binding.count_leaving(visit.session, each.context, actions.roles_that_go(holder))
        for each in connections
    }
    used = await uses.list_used(visit.session, visit.course_id, visit.assignments)
    return visit.page(
        "lti/connection.html",
        "lms",
        connections=connections,
        failures=failures,
        waits=waits,
        differences=differences,
        assignments=visit.assignments,
        titles=visit.every_title([each.use for each in used]),
        may_read=holder.has(Right.MANAGE_MEMBERS),
        teachers_stay=not holder.has(Right.MANAGE_TEACHERS),
        going=going,
        read=None,
        code=None,
    )


@router.form(
    "/contexts/{context_id}/members",
    actions.read_members,
    again=connection_page,
    on=[PlatformRefused, AnswerUnusable, TargetRefused],
)
async def read_members(visit: Visit, context_id: str) -> Response:
    read = await actions.read_members(visit, context_id, visit.parts.platform_services)
    return await connection_page(visit.showing(read=read))


@router.form("/code", actions.make_code)
async def make_code(visit: Visit) -> Response:
    return await connection_page(visit.showing(code=await actions.make_code(visit)))


router.act("/contexts/{context_id}/disconnect", actions.disconnect, "", "lms.disconnected", sure=True)
router.act("/links/{link_id}", actions.choose_assignment, "", "lms.chosen")
router.act("/links/{link_id}/send", actions.send_grades_again, "", "lms.sent_again")


# --- Deep Linking: a teacher chooses where a new link of the platform leads to ----------------------------------------


@router.page("/select/{selection_id}", Right.MANAGE_ASSIGNMENTS)
async def selection_page(visit: Visit, selection_id: str) -> Response:
    _, context, platform = await deep_linking.find(visit.session, selection_id, visit.holder.membership_id)
    used = await uses.list_used(visit.session, visit.course_id, visit.assignments)
    titles = visit.every_title([each.use for each in used])
    return visit.page(
        "lti/choose.html",
        "lms",
        context=context,
        platform=platform,
        choices=[(id, titles[id]) for id in visit.assignments],
        action=visit.request.url.path,
    )


@router.form("/select/{selection_id}", actions.select_assignment)
async def select(visit: Visit, selection_id: str) -> Response:
    """Have the course use the chosen assignment, and send the browser back to the platform with the new link."""
    parts, assignment_id = visit.parts, visit.fields.typed.get("assignment", "")
    chosen = await actions.select_assignment(visit, selection_id, assignment_id)
    selection, platform, used = chosen.selection, chosen.platform, chosen.used
    assignment = used.effective or visit.assignments[assignment_id]
    item = deep_linking.item_of(
        assignment,
        title=title_of(used.use, visit.assignments, visit.language),
        url=f"{visit.url}{TARGET_PATH}",
        points=used.use.grade_book_points or assignment.max_points,
        takes_lineitem=selection.takes_lineitem,
    )
    now = parts.platform_services.now_at(platform)
    signed = await deep_linking.answer(visit.database, platform, chosen.context, selection, item, now=now)
    site = existing(site_of(selection.return_url), SelectionNotFound)
    # The form goes to the platform, which our policy allows on no other page.
    allowed = f"form-action 'self' {site}"
    framed = " ".join(["'self'", *parts.frame_sites()])
    headers = {"Content-Security-Policy": f"{POLICY} {framed}".replace("form-action 'self'", allowed)}
    return visit.page(
        "lti/chosen.html",
        "lms",
        headers=headers,
        platform=platform,
        return_url=selection.return_url,
        signed=signed,
        item=item,
    )
