"""Links, single sign-on, and what teachers do about grades: extensions, adjustments, comments, reviews, previews."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ID = sa.String(26)
NAME = sa.String(200)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("courses", sa.Column("retention_days", sa.Double()))
    op.add_column("courses", sa.Column("created_by", ID))
    op.add_column("courses", sa.Column("idempotency_key", sa.String(255)))
    op.create_index("ix_courses_created_by_idempotency_key", "courses", ["created_by", "idempotency_key"], unique=True)
    op.add_column("memberships", sa.Column("join_link_id", ID))
    op.add_column("memberships", sa.Column("claimed_id", NAME))
    op.add_column("memberships", sa.Column("signed_on_at", MOMENT))
    _ways_in()
    _grades()
    _previews()
    _actors()


def _ways_in() -> None:
    op.add_column("tokens", sa.Column("is_link", sa.Boolean()))
    op.execute("UPDATE tokens SET is_link = (1 = 0)")
    op.add_column("tokens", sa.Column("used_at", MOMENT))
    with op.batch_alter_table("tokens") as batch:
        batch.alter_column("is_link", existing_type=sa.Boolean(), nullable=False)
    op.add_column("sessions", sa.Column("person_id", ID))
    with op.batch_alter_table("sessions") as batch:
        batch.alter_column("token_id", existing_type=ID, nullable=True)
        batch.create_foreign_key("fk_sessions_person_id", "people", ["person_id"], ["id"])
        batch.create_check_constraint("ck_sessions_owner", "(token_id IS NULL) <> (person_id IS NULL)")
    op.create_index("ix_sessions_person_id", "sessions", ["person_id"])
    op.create_table(
        "identities",
        sa.Column("id", ID, nullable=False),
        sa.Column("person_id", ID, nullable=False),
        sa.Column("issuer", sa.String(500), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("email", sa.String(254)),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identities"),
        sa.UniqueConstraint("issuer", "subject", name="uq_identities_issuer_subject"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_identities_person_id"),
    )
    op.create_index("ix_identities_person_id", "identities", ["person_id"])
    op.create_table(
        "join_links",
        sa.Column("id", ID, nullable=False),
        sa.Column("course_id", ID, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("group_name", sa.String(100)),
        sa.Column("most_uses", sa.Integer()),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("made_by", NAME, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_join_links"),
        sa.UniqueConstraint("sha256", name="uq_join_links_sha256"),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name="fk_join_links_course_id"),
    )
    op.create_index("ix_join_links_course_id", "join_links", ["course_id"])
    op.create_table(
        "merges",
        sa.Column("id", ID, nullable=False),
        sa.Column("course_id", ID),
        sa.Column("kept_member_id", ID),
        sa.Column("merged_member_id", ID),
        sa.Column("kept_person_id", ID),
        sa.Column("merged_person_id", ID),
        sa.Column("moved", sa.JSON(), nullable=False),
        sa.Column("made_by", NAME, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("undone_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_merges"),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name="fk_merges_course_id"),
        *(
            sa.ForeignKeyConstraint([f"{which}_{what}_id"], [f"{table}.id"], name=f"fk_merges_{which}_{what}_id")
            for what, table in (("member", "memberships"), ("person", "people"))
            for which in ("kept", "merged")
        ),
    )
    for column in ("course_id", "kept_member_id", "merged_member_id", "kept_person_id", "merged_person_id"):
        op.create_index(f"ix_merges_{column}", "merges", [column])


def _grades() -> None:
    op.create_table(
        "extensions",
        *_of_a_member_at_an_assignment("extensions"),
        sa.Column("due", MOMENT),
        sa.Column("closes", MOMENT),
        sa.Column("more_attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.UniqueConstraint(
            "membership_id", "course_assignment_id", name="uq_extensions_membership_id_course_assignment_id"
        ),
    )
    op.create_index("ix_extensions_course_assignment_id", "extensions", ["course_assignment_id"])
    op.create_table(
        "adjustments",
        *_of_a_member_at_an_assignment("adjustments"),
        sa.Column("delta", sa.Double()),
        sa.Column("value", sa.Double()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("points_below", sa.Double()),
        sa.Column("ended_at", MOMENT),
        sa.Column("ended_by", NAME),
    )
    op.create_table(
        "comments",
        *_of_a_member_at_an_assignment("comments"),
        sa.Column("submission_id", ID),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name="fk_comments_submission_id"),
    )
    op.create_index("ix_comments_submission_id", "comments", ["submission_id"])
    for table in ("adjustments", "comments"):
        op.create_index(f"ix_{table}_course_assignment_id", table, ["course_assignment_id"])
        op.create_index(
            f"ix_{table}_membership_id_course_assignment_id_id", table, ["membership_id", "course_assignment_id", "id"]
        )
    op.create_table(
        "review_requests",
        sa.Column("id", ID, nullable=False),
        sa.Column("submission_id", ID, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("answer", sa.Text()),
        sa.Column("answered_by", NAME),
        sa.Column("answered_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_review_requests"),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name="fk_review_requests_submission_id"),
    )
    op.create_index("ix_review_requests_submission_id", "review_requests", ["submission_id"])
    unanswered = sa.text("answered_at IS NULL")
    op.create_index(
        "ix_review_requests_open",
        "review_requests",
        ["submission_id"],
        unique=True,
        sqlite_where=unanswered,
        postgresql_where=unanswered,
    )


def _of_a_member_at_an_assignment(table: str) -> Sequence[sa.Column[Any] | sa.Constraint]:
    return (
        sa.Column("id", ID, nullable=False),
        sa.Column("membership_id", ID, nullable=False),
        sa.Column("course_assignment_id", ID, nullable=False),
        sa.Column("made_by", NAME, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(["membership_id"], ["memberships.id"], name=f"fk_{table}_membership_id"),
        sa.ForeignKeyConstraint(
            ["course_assignment_id"], ["course_assignments.id"], name=f"fk_{table}_course_assignment_id"
        ),
    )


def _previews() -> None:
    op.add_column("regrades", sa.Column("is_preview", sa.Boolean()))
    op.execute("UPDATE regrades SET is_preview = (1 = 0)")
    for column in ("applied_at", "dropped_at"):
        op.add_column("regrades", sa.Column(column, MOMENT))
    op.add_column("regrade_items", sa.Column("job_status", sa.String(16)))
    op.add_column("regrade_items", sa.Column("claim", ID))
    for column in ("tries", "beat"):
        op.add_column("regrade_items", sa.Column(column, sa.Integer()))
    op.add_column("regrade_items", sa.Column("is_held", sa.Boolean()))
    op.execute("UPDATE regrade_items SET tries = 0, beat = 0, is_held = (1 = 0)")
    with op.batch_alter_table("regrade_items") as batch:
        for column in ("tries", "beat"):
            batch.alter_column(column, existing_type=sa.Integer(), nullable=False)
        batch.alter_column("is_held", existing_type=sa.Boolean(), nullable=False)
    op.create_index(
        "ix_regrade_items_job_status_tries_regrade_id_submission_id",
        "regrade_items",
        ["job_status", "tries", "regrade_id", "submission_id"],
    )
    op.add_column("reports", sa.Column("preview_id", ID))
    with op.batch_alter_table("reports") as batch:
        batch.create_foreign_key("fk_reports_preview_id", "regrades", ["preview_id"], ["id"])
    op.create_index("ix_reports_preview_id", "reports", ["preview_id"])


def _actors() -> None:
    """Let the columns that name a token name a member, too."""
    # Made again below: a table that SQLite copies would lose the order of the one and the condition of the other.
    op.drop_index("ix_submissions_queue", "submissions")
    op.drop_index("ix_submissions_running", "submissions")
    with op.batch_alter_table("submissions") as batch:
        batch.drop_constraint("fk_submissions_submitted_by", type_="foreignkey")
    running = sa.text("job_status = 'running'")
    op.create_index("ix_submissions_queue", "submissions", ["job_status", sa.text("priority DESC"), "arrival", "id"])
    op.create_index(
        "ix_submissions_running",
        "submissions",
        ["membership_id"],
        unique=True,
        sqlite_where=running,
        postgresql_where=running,
    )
    with op.batch_alter_table("regrades") as batch:
        batch.alter_column("is_preview", existing_type=sa.Boolean(), nullable=False)
        batch.drop_constraint("fk_regrades_requested_by", type_="foreignkey")
