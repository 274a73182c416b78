"""One member: added, changed, given a way in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from app.access import links
from app.access.rights import Right
from app.access.tokens import Principal, sign_in_link
from app.courses import course as courses
from app.courses import membership
from app.errors import AppError
from app.errors.members import EmailTaken, ExternalIdTaken, PersonShared
from app.errors.outgoing import MailNotSet
from app.errors.requests import FieldsWrong, NotPermitted
from app.http.auth.holders import PageFor
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.http.staff import MemberId, MemberManager, Staff, only_here
from app.privacy import deletion
from app.services import service_url, services
from app.storage.models import MemberRole, Membership

GROUP_CHARACTERS = 100
REFUSALS = (FieldsWrong, ExternalIdTaken, EmailTaken, PersonShared)

LinkMaker = Annotated[Principal, Depends(PageFor(Right.MAKE_LINKS))]
LinkManager = Annotated[Principal, Depends(PageFor(Right.MANAGE_LINKS))]
Eraser = Annotated[Principal, Depends(PageFor(Right.DELETE_STUDENTS))]

router = APIRouter(prefix="/courses/{course_id}/members")


def managed(holder: Principal) -> Collection[MemberRole]:
    """Return the roles that the holder gives and takes now."""
    if not holder.may(Right.MANAGE_MEMBERS):
        return ()
    return [role for role in MemberRole if role != MemberRole.TEACHER or holder.may(Right.MANAGE_TEACHERS)]


@router.get("/new")
async def new_member(request: Request, holder: MemberManager) -> Response:
    return await _new_page(request, holder)


@router.post("/new")
async def add(request: Request, holder: MemberManager) -> Response:
    """Add a confirmed member. The id in the grade book keeps a second click from adding another one."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        wanted = _read(fields, holder)
        fields.check()
        async with services(request).database.write() as session:
            member = await membership.add(
                session, holder.course_id, **wanted, manages=managed(holder), made_by=holder.name
            )
    except REFUSALS as refusal:
        there = await _the_same(request, holder, wanted, refusal) if isinstance(refusal, ExternalIdTaken) else None
        if there is None:
            return await _new_page(request, holder, fields, refusal)
        member = there
    return see_other(f"/courses/{holder.course_id}/members/{member.id}/edit", said="member.added")


@router.get("/{member_id}/edit")
async def edit_page(request: Request, viewer: Staff, member_id: MemberId) -> Response:
    return await shown_member(request, viewer, member_id)


@router.post("/{member_id}/edit")
async def edit(request: Request, holder: MemberManager, member_id: MemberId) -> Response:
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        wanted = _read(fields, holder)
        fields.check()
        async with services(request).database.write() as session:
            await membership.change(
                session,
                holder.course_id,
                member_id,
                wanted,
                manages=managed(holder),
                may_change_shared=holder.may(Right.MANAGE_TEACHERS),
                made_by=holder.name,
            )
    except REFUSALS as refusal:
        return await shown_member(request, holder, member_id, fields, refusal)
    return see_other(f"/courses/{holder.course_id}/members/{member_id}/edit", said="member.changed")


@router.post("/{member_id}/link")
async def make_link(request: Request, maker: LinkMaker, member_id: MemberId) -> Response:
    """Make a personal link, and show it or mail it. A form that is sent twice makes one."""
    parts = services(request)
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    by_mail = fields.has("mail")
    if by_mail and parts.mailer is None:
        raise MailNotSet
    async with parts.database.write() as session:
        chosen = await links.choose(session, maker, [member_id])
        (made,) = await links.make_once(session, chosen, fields.form_key(), maker.id)
        course = await courses.existing(session, maker.course_id)
    if by_mail and parts.mailer is not None:
        sent = links.mail(parts.mailer, made, course, service_url(request))
        said = "link.mailed" if sent else "link.not_mailed"
        return see_other(f"/courses/{course.id}/members/{member_id}/edit", said=said)
    return page(
        request,
        "manage/member_link.html",
        viewer=maker,
        course=course,
        here="members",
        member=made.member,
        link=sign_in_link(service_url(request), made.secret),
        only_here=only_here(request),
    )


@router.post("/{member_id}/link/revoke")
async def revoke_links(request: Request, manager: LinkManager, member_id: MemberId) -> Response:
    """End all personal links of the member, and sign out the browsers that came by them."""
    async with form_of(request), services(request).database.write() as session:
        await links.revoke(session, manager, member_id)
    return see_other(f"/courses/{manager.course_id}/members/{member_id}/edit", said="link.revoked")


@router.post("/{member_id}/delete")
async def delete(request: Request, holder: Eraser, member_id: MemberId) -> Response:
    """Delete everything that the course keeps about the member, if the box is ticked."""
    async with form_of(request) as form:
        is_sure = Fields(fields_of(form)).has("sure")
    if not is_sure:
        return see_other(f"/courses/{holder.course_id}/members/{member_id}/edit", said="member.not_sure")
    await deletion.delete_member(services(request).database, member_id, holder.course_id)
    return see_other(f"/courses/{holder.course_id}/members", said="member.deleted")


async def _the_same(
    request: Request, holder: Principal, wanted: Mapping[str, Any], refusal: ExternalIdTaken
) -> Membership | None:
    """Find the member who has the id, if it is the one that is asked for: the form was sent twice."""
    async with services(request).database.read() as session:
        member = await membership.find(session, holder.course_id, refusal.params["member"])
    stored = {**membership.values(member), "role": member.role}
    return member if all(stored[name] == value for name, value in wanted.items()) else None


def _read(fields: Fields, holder: Principal) -> dict[str, Any]:
    """Raises: NotPermitted: the role is not the holder's to give."""
    role = MemberRole(fields.choice("role", [*MemberRole], MemberRole.STUDENT))
    if role not in managed(holder):
        raise NotPermitted
    return {
        "external_id": fields.name("external_id", required=True),
        "role": role,
        "name": fields.name("name"),
        "email": fields.email("email"),
        "group": fields.name("group", limit=GROUP_CHARACTERS),
    }


async def _new_page(
    request: Request, holder: Principal, fields: Fields | None = None, refusal: AppError | None = None
) -> Response:
    async with services(request).database.read() as session:
        course = await courses.existing(session, holder.course_id)
        groups = await membership.groups(session, course.id)
    return page(
        request,
        "manage/member_new.html",
        viewer=holder,
        course=course,
        here="members",
        groups=groups,
        roles=managed(holder),
        **form_context(request, fields, refusal),
    )


async def shown_member(
    request: Request,
    viewer: Principal,
    member_id: str,
    fields: Fields | None = None,
    refusal: AppError | None = None,
) -> Response:
    async with services(request).database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        member = await membership.find(session, course.id, member_id)
        groups = await membership.groups(session, course.id)
        perhaps = await membership.perhaps_the_same(session, member) if member.role == MemberRole.STUDENT else ()
        of_others = member.role != MemberRole.TEACHER or viewer.has(Right.MANAGE_TEACHERS)
        knows_links = viewer.has(Right.MANAGE_LINKS) and of_others
        given = await links.list_links(session, viewer, limit=1, member_id=member.id) if knows_links else ()
        join = await membership.join_of(session, member)
    context = form_context(request, fields, refusal)
    if fields is None:
        stored = {name: getattr(member, name) for name in ("external_id", "group")}
        stored |= {name: getattr(member.person, name) for name in ("name", "email")}
        context["fields"] = {name: value or "" for name, value in stored.items()}
    may_manage = member.role in managed(viewer)
    return page(
        request,
        "manage/member_edit.html",
        viewer=viewer,
        course=course,
        here="members",
        member=member,
        groups=groups,
        roles=managed(viewer),
        perhaps=perhaps,
        knows_links=knows_links,
        link=given[0][0] if given else None,
        join=join,
        has_mail=services(request).mailer is not None,
        may_change=may_manage,
        may_link=viewer.may(Right.MAKE_LINKS) and (may_manage or viewer.may(Right.MANAGE_TEACHERS)),
        may_revoke=knows_links,
        may_delete=viewer.may(Right.DELETE_STUDENTS),
        **context,
    )
