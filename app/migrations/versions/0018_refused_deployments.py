"""The deployment of a platform from which a launch came that is not known here."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lti_platforms", sa.Column("refused_deployment", sa.String(255)))
