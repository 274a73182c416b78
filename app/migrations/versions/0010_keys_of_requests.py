"""Idempotency keys of tokens, webhooks and regrades, as submissions have."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tokens", sa.Column("created_by", sa.String(26)))
    for table, maker in (("tokens", "created_by"), ("webhooks", "created_by"), ("regrades", "requested_by")):
        op.add_column(table, sa.Column("idempotency_key", sa.String(255)))
        op.create_index(f"ix_{table}_{maker}_idempotency_key", table, [maker, "idempotency_key"], unique=True)
