"""LTI: the part that each course of a platform gives a member, and the platform that has removed one."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

ID = sa.String(26)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("memberships", sa.Column("dropped_by", ID))
    op.create_table(
        "lti_members",
        sa.Column("id", ID, nullable=False),
        sa.Column("lti_context_id", ID, nullable=False),
        sa.Column("membership_id", ID, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lti_members"),
        sa.ForeignKeyConstraint(["lti_context_id"], ["lti_contexts.id"], name="fk_lti_members_lti_context_id"),
        sa.ForeignKeyConstraint(["membership_id"], ["memberships.id"], name="fk_lti_members_membership_id"),
        sa.UniqueConstraint("lti_context_id", "membership_id", name="uq_lti_members_lti_context_id_membership_id"),
    )
    op.create_index("ix_lti_members_membership_id", "lti_members", ["membership_id"])
    # A course here was one course of a platform until now, so the id of the member is a new one here, too.
    op.execute(
        "INSERT INTO lti_members (id, lti_context_id, membership_id, role, seen_at) "
        "SELECT MIN(m.id), c.id, m.id, m.role, m.created_at FROM memberships m "
        "JOIN lti_contexts c ON c.course_id = m.course_id "
        "JOIN identities i ON i.person_id = m.person_id AND i.issuer = 'lti:' || c.platform_id "
        "WHERE m.removed_at IS NULL GROUP BY c.id, m.id, m.role, m.created_at"
    )
