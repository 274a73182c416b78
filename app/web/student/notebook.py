"""A student's notebooks: a new code for one, and the end of one. Both stand on the page of the assignment."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.actions import notebooks as actions
from app.actions.asking import Asking
from app.http.auth.holders import FormAsks
from app.http.forms import form_of, see_other
from app.http.staff import AssignmentId
from app.http.texts import language_of
from app.services import services
from app.web.student import assignment

router = APIRouter(prefix=assignment.PATH, include_in_schema=False)


@router.post("/code")
async def make_code(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.make_code))], assignment_id: AssignmentId
) -> Response:
    """Make a code and show it, for the only time. The same form sent again makes another one in its place."""
    async with form_of(request):
        services(request).code_limit.take(asking.holder.membership_id or "")
        code = await actions.make_code(asking, assignment_id, language_of(request))
    return await assignment.show(request, asking.holder, assignment_id, code=code)


@router.post("/notebooks/{token_id}/end")
async def end_notebook(
    request: Request,
    asking: Annotated[Asking, Depends(FormAsks(actions.end_notebook))],
    assignment_id: AssignmentId,
    token_id: str,
) -> Response:
    async with form_of(request):
        await actions.end_notebook(asking, token_id)
    return see_other(f"/courses/{asking.course_id}/assignments/{assignment_id}", said="notebook.ended")
