"""Files to keep, and archives that a response carries as they are written."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse

from app.access.tokens import Principal
from app.errors import NotPermitted
from app.http.visibility import report_for
from app.privacy import export
from app.services import Services, services
from app.storage.models import StoredReport

# Client generators know only this type of file, so the API has it instead of application/zip.
BINARY = "application/octet-stream"
ZIP = "application/zip"


def as_file(name: str) -> dict[str, str]:
    """Return the header by which browsers keep an answer as a file of this name."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def send_archive(content: AsyncIterator[bytes], name: str, media_type: str = ZIP) -> StreamingResponse:
    return StreamingResponse(content, media_type=media_type, headers=as_file(f"{name}.zip"))


def limit_archives(request: Request, holder: Principal) -> None:
    """Raises: TooManyRequests: the holder asks for archives too often."""
    services(request).archive_limit.take(holder.id)


async def send_archive_of_person(parts: Services, person_id: str, media_type: str = ZIP) -> StreamingResponse:
    """Send everything that all courses keep about a person. Raises: PersonNotFound"""
    scope = await export.scope_of_person(parts.database, person_id)
    content = export.archive(parts.database, scope, lambda stored: stored.body, parts.assignments)
    return send_archive(content, f"person-{person_id}", media_type)


async def send_own_archive(request: Request, holder: Principal, media_type: str = ZIP) -> StreamingResponse:
    """Send a member everything that the member's course keeps about them.

    Raises:
        NotPermitted: the holder is no member.
        TooManyRequests, PersonNotFound
    """
    if holder.membership_id is None:
        raise NotPermitted
    limit_archives(request, holder)
    parts = services(request)
    scope = await export.scope_of_member(parts.database, holder.membership_id)

    def report_of(stored: StoredReport) -> Mapping[str, Any]:
        return report_for(stored, holder).model_dump(mode="json")

    content = export.archive(parts.database, scope, report_of, parts.assignments)
    return send_archive(content, f"member-{holder.membership_id}", media_type)
