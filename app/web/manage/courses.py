"""Courses: the list, a new one, the steps until students can hand in, a copy for the next term, export, and the end."""

from fastapi import Response

from app.access.rights import Right
from app.actions import courses as actions
from app.courses import course as courses
from app.courses import uses
from app.http.archives import limit_archives, send_archive
from app.http.auth.sessions import session_person
from app.http.forms import see_other
from app.http.visits import Pages, Visit, one_page
from app.lti import platforms

#: The time zone in the form until a script asks the browser.
ZONES = {"ru": "Europe/Moscow", "en": "UTC"}
#: The default shift: half a year in whole weeks, so that the days of the week stay.
USUAL_DAYS = 182
#: The address of a course.
ONE = "/courses/{course_id}"

router = Pages()


@router.page("/courses")
async def list_courses(visit: Visit) -> Response:
    """List the courses of the reader; for an admin all, the newest first."""
    holder, person, paging = visit.holder, await session_person(visit.request), visit.paging()
    async with visit.database.read() as session:
        if person is not None:
            rows = [(each, member.role.value) for each, member in await courses.list_of_person(session, person.id)]
        else:
            listing = await courses.list_courses(session, paging, only=holder.course)
            rows = [(each, holder.role.value) for each in listing]
        sizes = await courses.sizes(session, [each.id for each, _ in rows])
        is_first = holder.may(Right.MAKE_COURSES) and await courses.has_only_default(session)
    return visit.page(
        "manage/courses.html",
        sizes=sizes,
        is_first=is_first,
        **one_page("rows", paging, rows, lambda row: row[0].id),
    )


@router.page("/courses/new", Right.MAKE_COURSES)
async def new_course(visit: Visit) -> Response:
    is_new = visit.refusal is None
    return visit.page(
        "manage/course_new.html",
        zones=sorted(courses.time_zones()),
        zone=ZONES[visit.language],
        assignments=visit.assignments.values(),
        chosen=[*visit.assignments] if is_new else visit.data.getlist("assignment"),
    )


@router.form("/courses/new", actions.make_course, again=new_course)
async def make_course(visit: Visit) -> Response:
    """Make a course with the chosen assignments. A form that is sent twice makes one."""
    chosen = sorted({str(value) for value in visit.data.getlist("assignment")})
    key = f"page:{visit.fields.form_key()}"
    wanted = visit.fields.read(actions.MakeCourse, filled_only=True, retention_days=None)
    course = await actions.make_course(visit, wanted, uses_too=chosen, key=key)
    return see_other(f"/courses/{course.id}/start", said="course.made")


@router.page(f"{ONE}/start", Right.SEE_MEMBERS)
async def start(visit: Visit) -> Response:
    used = await uses.list_used(visit.session, visit.course_id, visit.assignments)
    size = (await courses.sizes(visit.session, [visit.course_id]))[visit.course_id]
    platform = await platforms.name_for_course(visit.session, visit.course_id)
    return visit.page(
        "manage/start.html",
        "settings",
        used=used,
        has_dates=bool(used) and all(each.rules.due for each in used),
        size=size,
        platform=platform,
    )


@router.page(f"{ONE}/copy", Right.MANAGE_COURSE)
async def copy_page(visit: Visit) -> Response:
    return visit.page("manage/course_copy.html", "settings", days=USUAL_DAYS, most_days=actions.MOST_COPY_DAYS)


@router.form(f"{ONE}/copy", actions.copy_course, again=copy_page)
async def copy(visit: Visit) -> Response:
    """Copy the course. A form that is sent twice makes one copy."""
    key = f"page:{visit.fields.form_key()}"
    dates = {} if visit.fields.has("with_dates") else {"shift_days": None}
    wanted = visit.fields.read(actions.CopyCourse, names={"shift_days": "days"}, filled_only=True, **dates)
    course = await actions.copy_course(visit, wanted, key=key)
    # A teacher acts in the new course by a membership there, and this session may be in the old one only.
    address = f"/courses/{course.id}/start" if visit.holder.may(Right.MAKE_COURSES) else "/courses"
    return see_other(address, said="course.copied")


_ARCHIVE, _REOPEN = actions.ChangeCourse(archived=True), actions.ChangeCourse(archived=False)
router.act(f"{ONE}/archive", actions.change_course, f"{ONE}/settings", "course.archived", wanted=_ARCHIVE)
router.act(f"{ONE}/reopen", actions.change_course, f"{ONE}/settings", "course.reopened", wanted=_REOPEN)


@router.form(f"{ONE}/export", actions.export_course)
async def export(visit: Visit) -> Response:
    limit_archives(visit.request, visit.holder)
    content = await actions.export_course(visit, visit.language)
    return send_archive(content, f"course-{visit.course_id}")


@router.page(f"{ONE}/delete", Right.DELETE_COURSE)
async def delete_page(visit: Visit) -> Response:
    size = (await courses.sizes(visit.session, [visit.course_id]))[visit.course_id]
    return visit.page("manage/course_delete.html", "settings", size=size)


@router.form(f"{ONE}/delete", actions.delete_course, again=delete_page)
async def delete(visit: Visit) -> Response:
    await actions.delete_course(visit, title=visit.fields.typed.get("confirmation", ""))
    return see_other("/courses", said="course.deleted")
