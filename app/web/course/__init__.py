"""The pages on which the staff follow a course: grades, what needs a look, a student's work, requests for review.

They show the results of `app.teaching`, and change things through `app.actions`. `router` has all of these pages.
"""

from fastapi import APIRouter

from app.web.course import attempts, course, letter, work

router = APIRouter(include_in_schema=False)
for each in (course, letter, work, attempts):
    router.include_router(each.router)
