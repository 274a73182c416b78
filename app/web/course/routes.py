"""All pages of this room."""

from __future__ import annotations

from fastapi import APIRouter

from app.web.course import attempts, beside, course, exceptions, members, overview, reviews

router = APIRouter(include_in_schema=False)
for part in (course, overview, members, exceptions, attempts, reviews, beside):
    router.include_router(part.router)
