"""Arrays for pictures lie beside the reports, where every process finds them; they were in files before."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "artefacts",
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("report_id", "name", name="pk_artefacts"),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name="fk_artefacts_report_id"),
    )
