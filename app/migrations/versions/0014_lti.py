"""LTI: keys, platforms, launches, courses and links of platforms, scores; sessions of one course."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ID = sa.String(26)
MOMENT = sa.DateTime(timezone=True)
THERE = sa.String(255)
URL = sa.String(2000)
HASH = sa.String(64)


def upgrade() -> None:
    with op.batch_alter_table("sessions") as batch:
        batch.add_column(sa.Column("course_id", ID))
        batch.create_foreign_key("fk_sessions_course_id", "courses", ["course_id"], ["id"])
        batch.create_index("ix_sessions_course_id", ["course_id"])
    op.create_table(
        "lti_keys",
        sa.Column("id", ID, nullable=False),
        sa.Column("private_key", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("signs_since", MOMENT),
        sa.Column("signed_until", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_lti_keys"),
    )
    op.create_table(
        "lti_platforms",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("issuer", sa.String(500), nullable=False),
        sa.Column("client_id", THERE, nullable=False),
        sa.Column("login_url", URL, nullable=False),
        sa.Column("token_url", URL, nullable=False),
        sa.Column("keys_url", URL, nullable=False),
        sa.Column("token_audience", URL),
        sa.Column("made_by", sa.String(200), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("confirmed_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_lti_platforms"),
        sa.UniqueConstraint("issuer", "client_id", name="uq_lti_platforms_issuer_client_id"),
    )
    op.create_table(
        "lti_deployments",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", ID, nullable=False),
        sa.Column("deployment_id", THERE, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lti_deployments"),
        sa.ForeignKeyConstraint(["platform_id"], ["lti_platforms.id"], name="fk_lti_deployments_platform_id"),
        sa.UniqueConstraint("platform_id", "deployment_id", name="uq_lti_deployments_platform_id_deployment_id"),
    )
    op.create_table(
        "lti_logins",
        sa.Column("state_sha256", HASH, nullable=False),
        sa.Column("nonce_sha256", HASH, nullable=False),
        sa.Column("browser_sha256", HASH, nullable=False),
        sa.Column("platform_id", ID, nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("state_sha256", name="pk_lti_logins"),
        sa.ForeignKeyConstraint(["platform_id"], ["lti_platforms.id"], name="fk_lti_logins_platform_id"),
    )
    op.create_index("ix_lti_logins_platform_id", "lti_logins", ["platform_id"])
    op.create_index("ix_lti_logins_expires_at", "lti_logins", ["expires_at"])
    _courses()
    _scores()


def _courses() -> None:
    op.create_table(
        "lti_contexts",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", ID, nullable=False),
        sa.Column("deployment_id", THERE, nullable=False),
        sa.Column("context_id", THERE, nullable=False),
        sa.Column("course_id", ID, nullable=False),
        sa.Column("title", sa.String(200)),
        sa.Column("memberships_url", URL),
        sa.Column("made_by", sa.String(200), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lti_contexts"),
        sa.ForeignKeyConstraint(["platform_id"], ["lti_platforms.id"], name="fk_lti_contexts_platform_id"),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name="fk_lti_contexts_course_id"),
        sa.UniqueConstraint(
            "platform_id", "deployment_id", "context_id", name="uq_lti_contexts_platform_id_deployment_id_context_id"
        ),
    )
    op.create_index("ix_lti_contexts_course_id", "lti_contexts", ["course_id"])
    op.create_table(
        "lti_links",
        sa.Column("id", ID, nullable=False),
        sa.Column("lti_context_id", ID, nullable=False),
        sa.Column("resource_link_id", THERE, nullable=False),
        sa.Column("title", sa.String(200)),
        sa.Column("course_assignment_id", ID),
        sa.Column("lineitem_url", URL),
        sa.Column("lineitems_url", URL),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lti_links"),
        sa.ForeignKeyConstraint(["lti_context_id"], ["lti_contexts.id"], name="fk_lti_links_lti_context_id"),
        sa.ForeignKeyConstraint(
            ["course_assignment_id"], ["course_assignments.id"], name="fk_lti_links_course_assignment_id"
        ),
        sa.UniqueConstraint("lti_context_id", "resource_link_id", name="uq_lti_links_lti_context_id_resource_link_id"),
    )
    op.create_index("ix_lti_links_course_assignment_id", "lti_links", ["course_assignment_id"])


def _scores() -> None:
    op.create_table(
        "lti_selections",
        sa.Column("id", ID, nullable=False),
        sa.Column("lti_context_id", ID, nullable=False),
        sa.Column("membership_id", ID, nullable=False),
        sa.Column("return_url", URL, nullable=False),
        sa.Column("data", sa.Text()),
        sa.Column("takes_lineitem", sa.Boolean(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lti_selections"),
        sa.ForeignKeyConstraint(["lti_context_id"], ["lti_contexts.id"], name="fk_lti_selections_lti_context_id"),
        sa.ForeignKeyConstraint(["membership_id"], ["memberships.id"], name="fk_lti_selections_membership_id"),
    )
    op.create_index("ix_lti_selections_lti_context_id", "lti_selections", ["lti_context_id"])
    op.create_index("ix_lti_selections_membership_id", "lti_selections", ["membership_id"])
    op.create_table(
        "lti_scores",
        sa.Column("id", ID, nullable=False),
        sa.Column("lti_link_id", ID, nullable=False),
        sa.Column("membership_id", ID, nullable=False),
        sa.Column("user_id", THERE, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sent_version", sa.Integer(), nullable=False),
        sa.Column("stamp", MOMENT),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("waits_since", MOMENT),
        sa.Column("next_at", MOMENT),
        sa.Column("delivered_at", MOMENT),
        sa.Column("points", sa.Double()),
        sa.Column("max_points", sa.Double()),
        sa.Column("failed_at", MOMENT),
        sa.Column("last_status", sa.Integer()),
        sa.Column("last_error", sa.String(500)),
        sa.PrimaryKeyConstraint("id", name="pk_lti_scores"),
        sa.ForeignKeyConstraint(["lti_link_id"], ["lti_links.id"], name="fk_lti_scores_lti_link_id"),
        sa.ForeignKeyConstraint(["membership_id"], ["memberships.id"], name="fk_lti_scores_membership_id"),
        sa.UniqueConstraint("lti_link_id", "user_id", name="uq_lti_scores_lti_link_id_user_id"),
    )
    op.create_index("ix_lti_scores_membership_id", "lti_scores", ["membership_id"])
    op.create_index("ix_lti_scores_next_at", "lti_scores", ["next_at"])
