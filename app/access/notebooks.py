"""Notebooks that hand in by themselves.

A page shows a student a code, which the notebook exchanges for a token: notebooks are passed on, so they hold no
secret. The code works once, for ten minutes. The token works for one assignment, for some days.

Only hashes are stored. A code's hash could be reversed by trying all codes, but only within the code's ten minutes, and
only by somebody who can read the database.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.codes import draw_code, hash_code
from app.access.tokens import Principal, hash_secret, is_valid, new_token
from app.errors import MemberRemoved, NotebookCodeUnusable, existing
from app.storage.memberships import is_student
from app.storage.models import Course, Membership, NotebookCode, Role, Token, utc_now
from app.storage.updates import update_rows

CODE_LIFETIME = timedelta(minutes=10)
TOKEN_LIFETIME = timedelta(days=7)
#: The most notebooks of a student at an assignment; one more ends the oldest.
MOST = 10
#: A notebook that waits for its report asks often, and each note is a write.
NOTED_EVERY = timedelta(minutes=5)


async def make_code(session: AsyncSession, holder: Principal, assignment_id: str, language: str) -> str:
    """Make a code for the student's notebook. An earlier one that is unused no longer works.

    Raises:
        MemberRemoved
    """
    # Locked, so that of two codes made at once one replaces the other.
    query = select(Membership.id).where(Membership.id == holder.membership_id, Membership.removed_at.is_(None))
    member_id = existing(await session.scalar(query.with_for_update(key_share=True)), MemberRemoved)
    await session.execute(delete(NotebookCode).where(NotebookCode.membership_id == member_id))
    code = draw_code(groups=2)
    session.add(
        NotebookCode(
            membership_id=member_id,
            assignment_id=assignment_id,
            language=language,
            sha256=hash_code(code),
            expires_at=utc_now() + CODE_LIFETIME,
        )
    )
    await session.flush()
    return code


async def exchange(session: AsyncSession, code: str, where: str) -> tuple[Token, str, str]:
    """Exchange a code for a token. If two requests have the same code, only one gets it.

    Args:
        where: a name for the student's list.
    Returns:
        The token, its secret, and the language of the page that showed the code.
    Raises:
        NotebookCodeUnusable
    """
    taken = await session.execute(
        delete(NotebookCode)
        .where(NotebookCode.sha256 == hash_code(code), NotebookCode.expires_at > utc_now())
        .returning(NotebookCode.membership_id, NotebookCode.assignment_id, NotebookCode.language)
    )
    row = existing(taken.one_or_none(), NotebookCodeUnusable)
    of = select(Membership).join(Course, Course.id == Membership.course_id)
    student = of.where(Membership.id == row.membership_id, is_student(), Course.archived_at.is_(None))
    member = existing(await session.scalar(student), NotebookCodeUnusable)
    secret = new_token()
    token = Token(
        name=where,
        role=Role.SUBMITTER,
        course_id=member.course_id,
        membership_id=member.id,
        student=member.external_id,
        assignment_id=row.assignment_id,
        sha256=hash_secret(secret),
        expires_at=utc_now() + TOKEN_LIFETIME,
        created_by=member.id,
    )
    session.add(token)
    await session.flush()
    in_use = await notebooks_of(session, Token.membership_id == member.id, Token.assignment_id == row.assignment_id)
    await end(session, Token.id.in_([each.id for each in in_use[MOST:]]))
    return token, secret, row.language


async def notebooks_of(session: AsyncSession, *conditions: ColumnElement[bool]) -> Sequence[Token]:
    """List the tokens of notebooks in use, the newest first.

    Args:
        conditions: on `Token`.
    """
    in_use = Token.assignment_id.is_not(None), is_valid(utc_now())
    return (await session.scalars(select(Token).where(*in_use, *conditions).order_by(Token.id.desc()))).all()


async def unnoted(session: AsyncSession, holders: Iterable[Principal]) -> Sequence[str]:
    """List the tokens of notebooks among these holders whose use was not noted lately."""
    ids = [each.id for each in holders if each.assignment_id is not None]
    lately = utc_now() - NOTED_EVERY
    is_old = or_(Token.used_at.is_(None), Token.used_at < lately)
    return (await session.scalars(select(Token.id).where(Token.id.in_(ids), is_old))).all() if ids else ()


async def note_use(session: AsyncSession, token_ids: Collection[str]) -> None:
    """Note that the notebooks with these tokens are in use now."""
    await update_rows(session, Token, Token.id.in_(token_ids), used_at=utc_now())


async def end(session: AsyncSession, condition: ColumnElement[bool]) -> int:
    """End notebooks at once; what they handed in stays.

    Args:
        condition: on `Token`.
    Returns:
        The number of those that were in use.
    """
    now = utc_now()
    live = condition, Token.assignment_id.is_not(None), is_valid(now)
    return await update_rows(session, Token, *live, revoked_at=now)
