"""The pages, put together. They work without scripts, and load only our own files."""

import gzip
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from app.http.notebook import CLIENT_PATH, client_sha256, client_source
from app.services import services
from app.web import entering
from app.web.student import assignment, conversation, home, submission

KEPT_FOR_A_DAY = {"Cache-Control": "max-age=86400"}

router = APIRouter(include_in_schema=False)


@router.get("/static/vega.js")
async def vega(request: Request) -> Response:
    """Send the library of `pictures.js`, a megabyte that only pages with pictures load."""
    packed = await services(request).charts.javascript()
    headers = KEPT_FOR_A_DAY | {"Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type="text/javascript", headers=headers | {"Content-Encoding": "gzip"})
    return Response(await run_in_threadpool(gzip.decompress, packed), media_type="text/javascript", headers=headers)


@router.get(CLIENT_PATH)
async def notebook_client(request: Request) -> Response:
    """Send the file that a notebook's last cell runs."""
    etag = f'"{client_sha256()}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(client_source(), media_type="text/x-python; charset=utf-8", headers=headers)


for room in (entering, home, assignment, submission, conversation):
    router.include_router(room.router)
