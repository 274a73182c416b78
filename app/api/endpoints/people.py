"""People across courses: listed, given out as an archive, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import StreamingResponse
from starlette.status import HTTP_204_NO_CONTENT

from app.access import identities
from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.api.openapi import Answers, problem_answers
from app.api.paging import page_of
from app.api.schemas.people import IdentityBody, PersonBody, PersonList, PersonMembershipBody
from app.api.schemas.submissions import DeletedBody
from app.courses import people
from app.errors.members import PersonNotFound
from app.errors.requests import NotPermitted
from app.errors.ways_in import IdentityNotFound
from app.http.auth.holders import Permitted, Reader
from app.http.parameters import Cursor, Limit
from app.http.visibility import report_for
from app.privacy import deletion, export
from app.privacy.export import Scope, ShownReport
from app.services import services
from app.storage.models import StoredReport

# Not application/zip: generators of clients know files of this type alone.
ARCHIVE_TYPE = "application/octet-stream"
ARCHIVE: Answers = {
    200: {
        "description": "A zip archive; its last entry is `manifest.json`.",
        "content": {ARCHIVE_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


async def _person_id(person_id: Annotated[str, Path(description="an `id` from the list")]) -> str:
    if not ID.fullmatch(person_id):
        raise PersonNotFound
    return person_id


PersonId = Annotated[str, Depends(_person_id)]
Viewer = Annotated[Principal, Depends(Permitted(Right.SEE_PEOPLE))]

router = APIRouter(tags=["people"], responses=problem_answers(NotPermitted))


@router.get("/people", summary="List the people of all courses")
async def list_people(request: Request, viewer: Viewer, limit: Limit = 50, cursor: Cursor = None) -> PersonList:  # noqa: ARG001
    """List them, the newest first, with their parts in courses and accounts of single sign-on. For admins."""
    async with services(request).database.read() as session:
        found = await people.list_people(session, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda each: each.person.id)
    return PersonList(
        items=[
            PersonBody(
                id=each.person.id,
                name=each.person.name,
                email=each.person.email,
                created_at=each.person.created_at,
                memberships=[
                    PersonMembershipBody(
                        id=member.id,
                        course=member.course_id,
                        role=member.role,
                        external_id=member.external_id,
                        removed_at=member.removed_at,
                    )
                    for member in each.memberships
                ],
                identities=[
                    IdentityBody(
                        id=identity.id,
                        issuer=identity.issuer,
                        email=identity.email,
                        created_at=identity.created_at,
                    )
                    for identity in each.identities
                ],
                export=f"/api/v1/people/{each.person.id}/export",
            )
            for each in shown
        ],
        next_cursor=next_cursor,
    )


@router.get(
    "/people/{person_id}/export",
    summary="Export everything that is kept about a person",
    response_class=StreamingResponse,
    responses=problem_answers(PersonNotFound) | ARCHIVE,
)
async def export_person(request: Request, viewer: Viewer, person_id: PersonId) -> StreamingResponse:  # noqa: ARG001
    """Write an archive of all memberships, with files, reports, grades and the log of changes. For admins.

    It holds no secret and no hash of one.
    """
    scope = await export.scope_of_person(services(request).database, person_id)
    return _archive(request, scope, lambda stored: stored.body, f"person-{person_id}")


@router.get(
    "/me/export",
    summary="Export everything that a course keeps about yourself",
    response_class=StreamingResponse,
    responses=problem_answers(PersonNotFound) | ARCHIVE,
)
async def export_me(request: Request, holder: Reader) -> StreamingResponse:
    """Write the archive of the member whose own token or link this is, in the member's course."""
    if holder.membership_id is None:
        raise NotPermitted
    scope = await export.scope_of_member(services(request).database, holder.membership_id)

    def shown(stored: StoredReport) -> Mapping[str, Any]:
        return report_for(stored, holder).model_dump(mode="json")

    return _archive(request, scope, shown, f"member-{holder.membership_id}")


@router.delete("/people/{person_id}", summary="Delete a person", responses=problem_answers(PersonNotFound))
async def delete_person(
    request: Request,
    holder: Annotated[Principal, Depends(Permitted(Right.DELETE_PEOPLE))],  # noqa: ARG001
    person_id: PersonId,
) -> DeletedBody:
    """Delete a person with all memberships, files, reports, tokens and identities. This cannot be undone.

    Earlier backups still hold the data.
    """
    return DeletedBody(**vars(await deletion.delete_person(services(request).database, person_id)))


@router.delete(
    "/people/{person_id}/identities/{identity_id}",
    summary="Detach an account of single sign-on",
    status_code=HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problem_answers(PersonNotFound, IdentityNotFound),
)
async def detach_identity(
    request: Request,
    holder: Annotated[Principal, Depends(Permitted(Right.MERGE_PEOPLE))],
    person_id: PersonId,
    identity_id: Annotated[str, Path(description="an `id` of the person's `identities`")],
) -> Response:
    """Take an account away from a person who is not its owner. Browsers that came by single sign-on have to sign in
    again; nothing else of the person changes. Whoever signs in with the account next is a new person in no course.
    """
    if not ID.fullmatch(identity_id):
        raise IdentityNotFound
    async with services(request).database.write() as session:
        await identities.detach(session, person_id, identity_id, holder.name)
    return Response(status_code=HTTP_204_NO_CONTENT)


def _archive(request: Request, scope: Scope, shown: ShownReport, name: str) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"', "Cache-Control": "no-store"}
    parts = services(request)
    content = export.archive(parts.database, scope, shown, parts.assignments)
    return StreamingResponse(content, media_type=ARCHIVE_TYPE, headers=headers)
