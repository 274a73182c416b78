"""The state of the service, for its operator."""

from fastapi import Response

from app.access.rights import Right
from app.http.visits import Pages, Visit
from app.operations.about import versions
from app.operations.status import Health, state_of
from app.services import Services, operations
from app.storage.models import utc_now
from grader.version import grader_version

REFRESH_SECONDS = 10


router = Pages()


@router.page("/status", Right.SEE_STATUS)
async def status_page(visit: Visit) -> Response:
    parts, process = visit.parts, operations(visit.request)
    state = await state_of(
        process.database,
        about=process.about,
        is_working=process.is_working(),
        is_writable=process.probe.passed,
        data_dir=process.settings.data_dir,
        mail=_mail(parts),
        sign_on=_sign_on(parts),
        failed_requests=list(process.failed_requests),
    )
    return visit.page(
        "operation/status.html",
        state=state,
        read_at=utc_now(),
        refresh_seconds=REFRESH_SECONDS,
        version=visit.request.app.version,
        grader=grader_version(),
        packages=versions(),
    )


def _mail(parts: Services) -> Health:
    if parts.mailer is None:
        return "off"
    return "failing" if parts.mailer.failure else "well"


def _sign_on(parts: Services) -> Health:
    if parts.issuer is None:
        return "off"
    known = parts.issuer.is_known
    return "unasked" if known is None else "well" if known else "failing"
