"""The pages, put together. They work without scripts, and load only our own files."""

from __future__ import annotations

import gzip

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from app.services import services
from app.web import entering, joining, news
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


for room in (entering, joining, news, home, assignment, submission, conversation):
    router.include_router(room.router)
