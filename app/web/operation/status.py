"""The state of the service, for its operator."""

from fastapi import Response

from app.access.rights import Right
from app.http.visits import Pages, Visit
from app.operations.about import versions
from app.operations.status import Health, state_of
from app.services import operations
from app.storage.models import utc_now
from grader.version import grader_version

REFRESH_SECONDS = 10
SIGN_ON: dict[bool | None, Health] = {None: "unasked", True: "well", False: "failing"}

router = Pages()


@router.page("/status", Right.SEE_STATUS)
async def status_page(visit: Visit) -> Response:
    mailer, issuer, process = visit.parts.mailer, visit.parts.issuer, operations(visit.request)
    state = await state_of(
        process.database,
        about=process.about,
        is_working=process.is_working(),
        is_writable=process.probe.passed,
        data_dir=process.settings.data_dir,
        mail="off" if mailer is None else "failing" if mailer.failure else "well",
        sign_on="off" if issuer is None else SIGN_ON[issuer.is_known],
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
