"""The tables of version 1.0.0. Databases of earlier states were never released."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, ForeignKey

from app.storage.models import DEFAULT_COURSE, utc_now

revision = "0024"
down_revision = None
branch_labels = None
depends_on = None

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
ID = sa.String(26)
NAME = sa.String(200)
HASH = sa.String(64)
LONG = sa.String(255)
URL = sa.String(2000)
MOMENT = sa.DateTime(timezone=True)
IS_RUNNING = sa.text("job_status = 'running'")
IS_OPEN = sa.text("answered_at IS NULL")


def _table(name: str, *items: sa.schema.SchemaItem) -> sa.Table:
    return sa.Table(name, METADATA, *items)


def _entity(name: str, *items: sa.schema.SchemaItem) -> sa.Table:
    return _table(name, Column("id", ID, primary_key=True), Column("created_at", MOMENT, nullable=False), *items)


COURSES = _entity(
    "courses",
    Column("title", NAME, nullable=False),
    Column("language", sa.String(2), nullable=False),
    Column("time_zone", HASH, nullable=False),
    Column("archived_at", MOMENT),
    Column("retention_days", sa.Double()),
    Column("created_by", ID),
    Column("idempotency_key", LONG),
    sa.Index(None, "created_by", "idempotency_key", unique=True),
)
_table(
    "lti_invitations",
    Column("sha256", HASH, primary_key=True),
    Column("made_by", NAME, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False, index=True),
    Column("used_at", MOMENT),
)
_entity(
    "lti_keys",
    Column("private_key", sa.Text(), nullable=False),
    Column("signs_since", MOMENT),
    Column("signed_until", MOMENT),
)
_entity(
    "lti_platforms",
    Column("name", NAME, nullable=False),
    Column("issuer", sa.String(500), nullable=False),
    Column("client_id", LONG, nullable=False),
    Column("login_url", URL, nullable=False),
    Column("token_url", URL, nullable=False),
    Column("keys_url", URL, nullable=False),
    Column("token_audience", URL),
    Column("made_by", NAME, nullable=False),
    Column("confirmed_at", MOMENT),
    Column("refused_deployment", LONG),
    Column("origins", sa.Text(), nullable=False, server_default=""),
    sa.UniqueConstraint("issuer", "client_id"),
)
_entity(
    "people",
    Column("name", NAME),
    Column("email", sa.String(254), index=True),
)
_table(
    "workers",
    Column("id", ID, primary_key=True),
    Column("seen_at", MOMENT, nullable=False),
    Column("about", sa.JSON(), nullable=False),
)
_entity(
    "batches",
    Column("course_id", ID, ForeignKey("courses.id"), nullable=False),
    Column("assignment_id", HASH, nullable=False),
    Column("filename", LONG, nullable=False),
    Column("made_by", NAME, nullable=False),
    Column("read_at", MOMENT),
    sa.Index(None, "course_id", "id"),
)
_entity(
    "course_assignments",
    Column("course_id", ID, ForeignKey("courses.id"), nullable=False),
    Column("assignment_id", HASH, nullable=False),
    Column("title", NAME),
    Column("rules", sa.JSON(), nullable=False),
    Column("grade_book_points", sa.Double()),
    sa.UniqueConstraint("course_id", "assignment_id"),
)
_entity(
    "identities",
    Column("person_id", ID, ForeignKey("people.id"), nullable=False, index=True),
    Column("issuer", sa.String(500), nullable=False),
    Column("subject", LONG, nullable=False),
    Column("email", sa.String(254)),
    sa.UniqueConstraint("issuer", "subject"),
)
_entity(
    "join_links",
    Column("course_id", ID, ForeignKey("courses.id"), nullable=False, index=True),
    Column("sha256", HASH, nullable=False, unique=True),
    Column("group_name", sa.String(100)),
    Column("most_uses", sa.Integer()),
    Column("uses", sa.Integer(), nullable=False),
    Column("made_by", NAME, nullable=False),
    Column("expires_at", MOMENT),
    Column("revoked_at", MOMENT),
)
_table(
    "lti_codes",
    Column("sha256", HASH, primary_key=True),
    Column("course_id", ID, ForeignKey("courses.id"), nullable=False, index=True),
    Column("made_by", NAME, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
)
_entity(
    "lti_contexts",
    Column("platform_id", ID, ForeignKey("lti_platforms.id"), nullable=False),
    Column("deployment_id", LONG, nullable=False),
    Column("context_id", LONG, nullable=False),
    Column("course_id", ID, ForeignKey("courses.id"), nullable=False, index=True),
    Column("title", NAME),
    Column("memberships_url", URL),
    Column("made_by", NAME, nullable=False),
    Column("waits_since", MOMENT),
    Column("next_at", MOMENT),
    Column("checked_at", MOMENT),
    Column("check_error", sa.String(500)),
    sa.UniqueConstraint("platform_id", "deployment_id", "context_id"),
)
_table(
    "lti_deployments",
    Column("id", ID, primary_key=True),
    Column("platform_id", ID, ForeignKey("lti_platforms.id"), nullable=False),
    Column("deployment_id", LONG, nullable=False),
    sa.UniqueConstraint("platform_id", "deployment_id"),
)
_table(
    "lti_logins",
    Column("state_sha256", HASH, primary_key=True),
    Column("nonce_sha256", HASH, nullable=False),
    Column("browser_sha256", HASH, nullable=False),
    Column("platform_id", ID, ForeignKey("lti_platforms.id"), nullable=False, index=True),
    Column("asked", sa.Text(), nullable=False),
    Column("expires_at", MOMENT, nullable=False, index=True),
)
_table(
    "lti_questions",
    Column("sha256", HASH, primary_key=True),
    Column("platform_id", ID, ForeignKey("lti_platforms.id"), nullable=False, index=True),
    Column("message", sa.JSON(), nullable=False),
    Column("expires_at", MOMENT, nullable=False, index=True),
)
_entity(
    "memberships",
    Column("course_id", ID, ForeignKey("courses.id"), nullable=False),
    Column("person_id", ID, ForeignKey("people.id"), nullable=False, index=True),
    Column("role", sa.String(16), nullable=False),
    Column("external_id", NAME),
    Column("group_name", sa.String(100)),
    Column("confirmed_at", MOMENT),
    Column("removed_at", MOMENT),
    Column("join_link_id", ID),
    Column("claimed_id", NAME),
    Column("signed_on_at", MOMENT),
    Column("dropped_by", ID),
    sa.UniqueConstraint("course_id", "person_id"),
    sa.UniqueConstraint("course_id", "external_id"),
)
_entity(
    "regrades",
    Column("requested_by", ID, nullable=False),
    Column("selection", sa.JSON(), nullable=False),
    Column("idempotency_key", LONG),
    Column("course_id", ID, ForeignKey("courses.id"), index=True),
    Column("is_preview", sa.Boolean(), nullable=False),
    Column("applied_at", MOMENT),
    Column("dropped_at", MOMENT),
    sa.Index(None, "requested_by", "idempotency_key", unique=True),
)
_entity(
    "adjustments",
    Column("membership_id", ID, ForeignKey("memberships.id"), nullable=False),
    Column("course_assignment_id", ID, ForeignKey("course_assignments.id"), nullable=False, index=True),
    Column("made_by", NAME, nullable=False),
    Column("delta", sa.Double()),
    Column("value", sa.Double()),
    Column("reason", sa.Text(), nullable=False),
    Column("points_below", sa.Double()),
    Column("ended_at", MOMENT),
    Column("ended_by", NAME),
    sa.Index(None, "membership_id", "course_assignment_id", "id"),
)
_table(
    "changes",
    Column("id", sa.Integer(), primary_key=True),
    Column("course_id", ID, ForeignKey("courses.id"), nullable=False),
    Column("membership_id", ID, ForeignKey("memberships.id"), index=True),
    Column("created_at", MOMENT, nullable=False),
    Column("made_by", NAME, nullable=False),
    Column("subject", sa.String(32), nullable=False),
    Column("subject_id", ID, nullable=False),
    Column("before", sa.JSON(), nullable=False),
    Column("after", sa.JSON(), nullable=False),
    sa.Index(None, "course_id", "id"),
)
_entity(
    "extensions",
    Column("membership_id", ID, ForeignKey("memberships.id"), nullable=False),
    Column("course_assignment_id", ID, ForeignKey("course_assignments.id"), nullable=False, index=True),
    Column("made_by", NAME, nullable=False),
    Column("due", MOMENT),
    Column("closes", MOMENT),
    Column("more_attempts", sa.Integer(), nullable=False),
    Column("reason", sa.Text(), nullable=False),
    sa.UniqueConstraint("membership_id", "course_assignment_id"),
)
_entity(
    "lti_links",
    Column("lti_context_id", ID, ForeignKey("lti_contexts.id"), nullable=False),
    Column("resource_link_id", LONG, nullable=False),
    Column("title", NAME),
    Column("course_assignment_id", ID, ForeignKey("course_assignments.id"), index=True),
    Column("lineitem_url", URL),
    Column("lineitems_url", URL),
    Column("scopes", sa.JSON(), nullable=False),
    Column("lineitem_at", MOMENT),
    Column("named", NAME),
    Column("lineitem_max", sa.Double()),
    sa.UniqueConstraint("lti_context_id", "resource_link_id"),
)
_table(
    "lti_members",
    Column("id", ID, primary_key=True),
    Column("lti_context_id", ID, ForeignKey("lti_contexts.id"), nullable=False),
    Column("membership_id", ID, ForeignKey("memberships.id"), nullable=False, index=True),
    Column("role", sa.String(16), nullable=False),
    Column("seen_at", MOMENT, nullable=False),
    sa.UniqueConstraint("lti_context_id", "membership_id"),
)
_table(
    "lti_selections",
    Column("id", ID, primary_key=True),
    Column("lti_context_id", ID, ForeignKey("lti_contexts.id"), nullable=False, index=True),
    Column("membership_id", ID, ForeignKey("memberships.id"), nullable=False, index=True),
    Column("return_url", URL, nullable=False),
    Column("data", sa.Text()),
    Column("takes_lineitem", sa.Boolean(), nullable=False),
    Column("expires_at", MOMENT, nullable=False),
)
_entity(
    "merges",
    Column("course_id", ID, ForeignKey("courses.id"), index=True),
    Column("kept_member_id", ID, ForeignKey("memberships.id"), index=True),
    Column("merged_member_id", ID, ForeignKey("memberships.id"), index=True),
    Column("kept_person_id", ID, ForeignKey("people.id"), index=True),
    Column("merged_person_id", ID, ForeignKey("people.id"), index=True),
    Column("moved", sa.JSON(), nullable=False),
    Column("made_by", NAME, nullable=False),
    Column("undone_at", MOMENT),
)
_entity(
    "submissions",
    Column("student", NAME, nullable=False, index=True),
    Column("assignment_id", HASH, nullable=False),
    Column("attempt", sa.Integer(), nullable=False),
    Column("filename", LONG, nullable=False),
    Column("sha256", HASH, nullable=False),
    Column("content", sa.LargeBinary(), nullable=False),
    Column("submitted_by", ID, nullable=False),
    Column("job_status", sa.String(16), nullable=False),
    Column("tries", sa.Integer(), nullable=False),
    Column("claim", ID),
    Column("started_at", MOMENT),
    Column("finished_at", MOMENT),
    Column("priority", sa.Integer(), nullable=False, server_default="0"),
    Column("idempotency_key", LONG),
    Column("arrival", sa.Integer(), nullable=False, server_default="0", index=True),
    Column("beat", sa.Integer(), nullable=False, server_default="0"),
    Column("held_at", MOMENT),
    Column("hold_decision", sa.String(16)),
    Column("hold_decided_by", NAME),
    Column("hold_decided_at", MOMENT),
    Column("hold_reason", sa.Text()),
    Column("membership_id", ID, ForeignKey("memberships.id"), nullable=False),
    Column("course_assignment_id", ID, ForeignKey("course_assignments.id"), nullable=False, index=True),
    Column("course_id", ID, ForeignKey("courses.id"), nullable=False),
    sa.UniqueConstraint("membership_id", "course_assignment_id", "attempt"),
    sa.Index(None, "job_status", "created_at", "id"),
    sa.Index(None, "course_id", "id"),
    sa.Index(None, "submitted_by", "created_at"),
    sa.Index(None, "submitted_by", "idempotency_key", unique=True),
    sa.Index("ix_submissions_queue", "job_status", sa.text("priority DESC"), "arrival", "id"),
    sa.Index(
        "ix_submissions_running", "membership_id", unique=True, sqlite_where=IS_RUNNING, postgresql_where=IS_RUNNING
    ),
)
_entity(
    "tokens",
    Column("name", NAME, nullable=False),
    Column("role", sa.String(16), nullable=False),
    Column("sha256", HASH, nullable=False, unique=True),
    Column("expires_at", MOMENT),
    Column("revoked_at", MOMENT),
    Column("student", NAME),
    Column("created_by", ID),
    Column("idempotency_key", LONG),
    Column("course_id", ID, ForeignKey("courses.id"), nullable=False, index=True),
    Column("membership_id", ID, ForeignKey("memberships.id"), index=True),
    Column("is_link", sa.Boolean(), nullable=False),
    Column("used_at", MOMENT),
    sa.Index(None, "created_by", "idempotency_key", unique=True),
)
_table(
    "batch_files",
    Column("id", ID, primary_key=True),
    Column("batch_id", ID, ForeignKey("batches.id"), nullable=False),
    Column("path", sa.String(500), nullable=False),
    Column("filename", LONG, nullable=False),
    Column("name", NAME, nullable=False),
    Column("platform", sa.String(16)),
    Column("platform_id", HASH),
    Column("is_late", sa.Boolean(), nullable=False),
    Column("state", sa.String(16), nullable=False),
    Column("reason", sa.JSON(), nullable=False),
    Column("content", sa.LargeBinary()),
    Column("membership_id", ID, ForeignKey("memberships.id"), index=True),
    Column("matched_by", sa.String(16)),
    Column("submission_id", ID, ForeignKey("submissions.id"), index=True),
    sa.Index(None, "batch_id", "state", "id"),
)
_entity(
    "comments",
    Column("membership_id", ID, ForeignKey("memberships.id"), nullable=False),
    Column("course_assignment_id", ID, ForeignKey("course_assignments.id"), nullable=False, index=True),
    Column("made_by", NAME, nullable=False),
    Column("submission_id", ID, ForeignKey("submissions.id"), index=True),
    Column("text", sa.Text(), nullable=False),
    sa.Index(None, "membership_id", "course_assignment_id", "id"),
)
_table(
    "lti_scores",
    Column("id", ID, primary_key=True),
    Column("lti_link_id", ID, ForeignKey("lti_links.id"), nullable=False),
    Column("membership_id", ID, ForeignKey("memberships.id"), nullable=False, index=True),
    Column("user_id", LONG, nullable=False),
    Column("version", sa.Integer(), nullable=False),
    Column("sent_version", sa.Integer(), nullable=False),
    Column("stamp", MOMENT),
    Column("attempts", sa.Integer(), nullable=False),
    Column("waits_since", MOMENT),
    Column("next_at", MOMENT, index=True),
    Column("delivered_at", MOMENT),
    Column("points", sa.Double()),
    Column("max_points", sa.Double()),
    Column("failed_at", MOMENT),
    Column("last_status", sa.Integer()),
    Column("last_error", sa.String(500)),
    Column("differs_since", MOMENT),
    Column("there_points", sa.Double()),
    Column("there_max", sa.Double()),
    Column("submitted_at", MOMENT),
    Column("comment_sha256", HASH),
    Column("kept_points", sa.Double()),
    Column("kept_max", sa.Double()),
    Column("mended_at", MOMENT),
    Column("token_refused", sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("lti_link_id", "user_id"),
)
_table(
    "reports",
    Column("id", sa.Integer(), primary_key=True),
    Column("submission_id", ID, ForeignKey("submissions.id"), nullable=False, index=True),
    Column("created_at", MOMENT, nullable=False),
    Column("status", sa.String(32), nullable=False),
    Column("points", sa.Double()),
    Column("max_points", sa.Double(), nullable=False),
    Column("body", sa.JSON(), nullable=False),
    Column("preview_id", ID, ForeignKey("regrades.id"), index=True),
    Column("assignment_digest", HASH),
    Column("grader_version", sa.String(100)),
)
_entity(
    "review_requests",
    Column("submission_id", ID, ForeignKey("submissions.id"), nullable=False, index=True),
    Column("text", sa.Text(), nullable=False),
    Column("answer", sa.Text()),
    Column("answered_by", NAME),
    Column("answered_at", MOMENT),
    sa.Index("ix_review_requests_open", "submission_id", unique=True, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN),
)
_table(
    "sessions",
    Column("sha256", HASH, primary_key=True),
    Column("token_id", ID, ForeignKey("tokens.id"), index=True),
    Column("created_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("person_id", ID, ForeignKey("people.id"), index=True),
    Column("course_id", ID, ForeignKey("courses.id"), index=True),
    sa.CheckConstraint("(token_id IS NULL) <> (person_id IS NULL)", name="ck_sessions_owner"),
)
_table(
    "submission_events",
    Column("id", sa.Integer(), primary_key=True),
    Column("submission_id", ID, ForeignKey("submissions.id"), nullable=False),
    Column("event", sa.String(32), nullable=False),
    Column("data", sa.JSON(), nullable=False),
    Column("created_at", MOMENT, nullable=False),
    sa.Index(None, "submission_id", "id"),
)
_entity(
    "webhooks",
    Column("url", URL, nullable=False),
    Column("secret", sa.String(100), nullable=False),
    Column("created_by", ID, ForeignKey("tokens.id"), nullable=False, index=True),
    Column("idempotency_key", LONG),
    Column("course_id", ID, ForeignKey("courses.id"), nullable=False, index=True),
    sa.Index(None, "created_by", "idempotency_key", unique=True),
)
_table(
    "artefacts",
    Column("report_id", sa.Integer(), ForeignKey("reports.id"), primary_key=True),
    Column("name", HASH, primary_key=True),
    Column("content", sa.LargeBinary(), nullable=False),
)
_entity(
    "deliveries",
    Column("webhook_id", ID, ForeignKey("webhooks.id"), nullable=False),
    Column("event", sa.String(32), nullable=False),
    Column("report_id", sa.Integer(), ForeignKey("reports.id"), index=True),
    Column("attempts", sa.Integer(), nullable=False),
    Column("next_at", MOMENT, index=True),
    Column("delivered_at", MOMENT),
    Column("last_status", sa.Integer()),
    Column("last_error", NAME),
    Column("waits_since", MOMENT),
    sa.Index(None, "webhook_id", "id"),
)
_table(
    "regrade_items",
    Column("regrade_id", ID, ForeignKey("regrades.id"), primary_key=True),
    Column("submission_id", ID, ForeignKey("submissions.id"), primary_key=True, index=True),
    Column("old_report_id", sa.Integer(), ForeignKey("reports.id"), nullable=False),
    Column("new_report_id", sa.Integer(), ForeignKey("reports.id")),
    Column("job_status", sa.String(16)),
    Column("claim", ID),
    Column("tries", sa.Integer(), nullable=False),
    Column("beat", sa.Integer(), nullable=False),
    Column("is_held", sa.Boolean(), nullable=False),
    sa.Index(None, "job_status", "tries", "regrade_id", "submission_id"),
)
_table(
    "report_diagnoses",
    Column("report_id", sa.Integer(), ForeignKey("reports.id"), primary_key=True),
    Column("code", HASH, primary_key=True, index=True),
)


def upgrade() -> None:
    METADATA.create_all(op.get_bind())
    now = utc_now()
    course = {"id": DEFAULT_COURSE, "title": "Default", "language": "ru", "time_zone": "UTC", "created_at": now}
    op.bulk_insert(COURSES, [course])
