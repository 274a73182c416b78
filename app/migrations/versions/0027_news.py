"""News of students and mail about them; the roles in which a platform's list and launches name people."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("launched_as", "listed_as"):
        op.add_column("lti_members", sa.Column(name, sa.String(16)))
