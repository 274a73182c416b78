"""A student's notebooks: a new code for one, and the end of one. Both stand on the page of the assignment."""

from __future__ import annotations

from fastapi import Response

from app.actions import notebooks as actions
from app.http.staff import AssignmentId
from app.http.visits import Pages, Visit
from app.web.student import assignment

router = Pages(prefix=assignment.PATH)


@router.form("/code", actions.make_code)
async def make_code(visit: Visit, assignment_id: AssignmentId) -> Response:
    """Make a code and show it, for the only time. The same form sent again makes another one in its place."""
    visit.parts.code_limit.take(visit.holder.membership_id or "")
    code = await actions.make_code(visit, assignment_id, visit.language)
    return await assignment.show(visit, assignment_id, code=code)


@router.form("/notebooks/{token_id}/end", actions.end_notebook)
async def end_notebook(visit: Visit, assignment_id: AssignmentId, token_id: str) -> Response:
    await actions.end_notebook(visit, token_id)
    return visit.lead_to(f"/assignments/{assignment_id}", said="notebook.ended")
