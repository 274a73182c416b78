"""A seed for each attempt, of the numbers that it is asked. Those from before get one, too."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

AT_ONCE = 1000
SEED_BYTES = 32


def upgrade() -> None:
    op.add_column("submissions", sa.Column("seed", sa.LargeBinary()))
    connection = op.get_bind()
    ids = connection.scalars(sa.text("SELECT id FROM submissions")).all()
    fill = sa.text("UPDATE submissions SET seed = :seed WHERE id = :id")
    for start in range(0, len(ids), AT_ONCE):
        chosen = ids[start : start + AT_ONCE]
        connection.execute(fill, [{"id": id, "seed": secrets.token_bytes(SEED_BYTES)} for id in chosen])
    # Made again below: a table that SQLite copies would lose the order of the one and the condition of the other.
    op.drop_index("ix_submissions_queue", "submissions")
    op.drop_index("ix_submissions_running", "submissions")
    with op.batch_alter_table("submissions") as batch:
        batch.alter_column("seed", existing_type=sa.LargeBinary(), nullable=False)
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


def downgrade() -> None:
    op.drop_column("submissions", "seed")
