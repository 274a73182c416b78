"""News of students and mail about them; the roles in which a platform's list and launches name people."""

import sqlalchemy as sa
from alembic import op

from app.storage.models import UTCDateTime, utc_now

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for name in ("launched_as", "listed_as"):
        op.add_column("lti_members", sa.Column(name, sa.String(16)))
    op.add_column("people", sa.Column("language", sa.String(2)))
    op.add_column("memberships", sa.Column("news_seen_at", MOMENT))
    # Nothing from before is new.
    memberships = sa.table("memberships", sa.column("news_seen_at", UTCDateTime()))
    op.execute(memberships.update().values(news_seen_at=utc_now()))
    op.create_table(
        "news_mails",
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("secret", sa.String(32), nullable=False),
        sa.Column("off_at", MOMENT),
        sa.Column("mailed_until", MOMENT),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("waits_since", MOMENT),
        sa.Column("next_at", MOMENT),
        sa.PrimaryKeyConstraint("person_id", name="pk_news_mails"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_news_mails_person_id"),
        sa.UniqueConstraint("secret", name="uq_news_mails_secret"),
    )


def downgrade() -> None:
    op.drop_table("news_mails")
    op.drop_column("memberships", "news_seen_at")
    op.drop_column("people", "language")
    for name in ("launched_as", "listed_as"):
        op.drop_column("lti_members", name)
