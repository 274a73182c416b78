"""The pages on which a course is managed: the course itself, its people, their ways in, its assignments and its log.

`router` has all of these pages.
"""

from fastapi import APIRouter

from app.web.manage import changes, courses, members, people, rosters, settings, ways_in

router = APIRouter(include_in_schema=False)
for each in (courses, settings, members, rosters, ways_in, changes, people):
    router.include_router(each.router)
