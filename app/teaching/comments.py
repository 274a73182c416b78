"""Comments of the staff on a student's work, for the student to read."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.rights import TEACHERS
from app.access.tokens import Principal
from app.courses import changes
from app.errors import CommentNotFound, NotPermitted, SubmissionNotFound
from app.storage.models import Comment, Submission, new_id
from app.storage.paging import Paging
from app.teaching.student_work import StudentWork, list_rows


async def add(
    session: AsyncSession, work: StudentWork, text: str, *, submission_id: str | None, made_by: str
) -> Comment:
    """Add a comment. The same person's newest comment, sent again, is not added twice.

    Args:
        work: in the student's turn (`student_work.take_student_work`).
        submission_id: the attempt that it is about; None: all of the work.
    Raises:
        SubmissionNotFound: the student has no such attempt at this assignment.
    """
    if submission_id is not None:
        attempt = await session.get(Submission, submission_id)
        if attempt is None or not work.holds(attempt):
            raise SubmissionNotFound
    newest = next(iter(await list_rows(session, work, Comment, Paging(limit=1))), None)
    if newest is not None and (newest.text, newest.submission_id, newest.made_by) == (text, submission_id, made_by):
        return newest
    comment = Comment(
        id=new_id(),
        membership_id=work.member.id,
        use=work.use,
        submission_id=submission_id,
        text=text,
        made_by=made_by,
    )
    session.add(comment)
    changes.log(session, work.member, made_by, {}, {"comment": comment.id})
    await session.flush()
    return comment


async def list_for_attempt(
    session: AsyncSession, work: StudentWork, submission_id: str | None, *, limit: int
) -> Sequence[Comment]:
    """List the comments on all of a student's work and on one attempt, the newest first.

    Args:
        submission_id: None: only those on all of the work.
    """
    is_meant = Comment.submission_id.is_(None) | (Comment.submission_id == submission_id)
    query = select(Comment).where(work.has(Comment), is_meant).order_by(Comment.id.desc()).limit(limit)
    return (await session.scalars(query)).all()


async def delete(session: AsyncSession, work: StudentWork, comment_id: str, holder: Principal) -> None:
    """Delete a comment: a teacher any, an assistant their own.

    Raises:
        CommentNotFound: there is none with this id on this work.
        NotPermitted: it is somebody else's.
    """
    comment = await session.get(Comment, comment_id)
    if comment is None or not work.holds(comment):
        raise CommentNotFound
    if holder.role not in TEACHERS and comment.made_by != holder.name:
        raise NotPermitted
    changes.log(session, work.member, holder.name, {"comment": comment.id}, {})
    await session.delete(comment)
    await session.flush()
