"""The page on which a teacher chooses where a new link of the platform leads to (Deep Linking)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import lms as actions
from app.actions.asking import Asking
from app.courses import course as courses
from app.courses import uses
from app.errors.lti import SelectionNotFound
from app.http.auth.holders import FormAsks, PageFor
from app.http.forms import fields_of, form_of
from app.http.middleware import POLICY
from app.http.pages import page
from app.http.parameters import PathId
from app.http.staff import every_title
from app.http.texts import language_of
from app.lti.launch import deep_linking
from app.lti.launch.login import TARGET_PATH
from app.lti.platforms import site_of
from app.services import service_url, services
from app.texts import title_of

Chooser = Annotated[Principal, Depends(PageFor(Right.MANAGE_ASSIGNMENTS))]

router = APIRouter(prefix="/courses/{course_id}/lms/select/{selection_id}", include_in_schema=False)


SelectionId = Annotated[str, Depends(PathId("selection_id", SelectionNotFound))]


@router.get("")
async def choose_page(request: Request, viewer: Chooser, selection_id: SelectionId) -> Response:
    parts = services(request)
    async with parts.database.read() as session:
        _, context, platform = await deep_linking.find(session, selection_id, viewer.membership_id)
        course = await courses.existing(session, viewer.course_id)
        used = await uses.list_used(session, course.id, parts.assignments)
    titles = every_title(request, [each.use for each in used])
    return page(
        request,
        "lti/choose.html",
        viewer=viewer,
        course=course,
        here="lms",
        context=context,
        platform=platform,
        choices=[(id, titles[id]) for id in parts.assignments],
        action=request.url.path,
    )


@router.post("")
async def choose(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.select_assignment))], selection_id: SelectionId
) -> Response:
    """Have the course use the chosen assignment, and send the browser back to the platform with the new link."""
    parts = services(request)
    async with form_of(request) as form:
        assignment_id = str(fields_of(form).get("assignment", ""))
    chosen = await actions.select_assignment(asking, selection_id, assignment_id)
    selection, platform, used = chosen.selection, chosen.platform, chosen.used
    assignment = used.effective or parts.assignments[assignment_id]
    item = deep_linking.item_of(
        assignment,
        title=used.use.title or title_of(assignment, language_of(request)),
        url=f"{service_url(request)}{TARGET_PATH}",
        points=used.use.grade_book_points or assignment.max_points,
        takes_lineitem=selection.takes_lineitem,
    )
    now = parts.platform_services.now_at(platform)
    signed = await deep_linking.answer(parts.database, platform, chosen.context, selection, item, now=now)
    site = site_of(selection.return_url)
    if site is None:
        raise SelectionNotFound
    # The form goes to the platform, which our policy allows on no other page.
    allowed = f"form-action 'self' {site}"
    framed = " ".join(["'self'", *parts.frame_sites()])
    headers = {
        "Content-Security-Policy": f"{POLICY} {framed}".replace("form-action 'self'", allowed),
        "Cache-Control": "no-store",
    }
    return page(
        request,
        "lti/chosen.html",
        headers=headers,
        viewer=asking.holder,
        course=chosen.course,
        here="lms",
        platform=platform,
        return_url=selection.return_url,
        signed=signed,
        title=item["title"],
    )
