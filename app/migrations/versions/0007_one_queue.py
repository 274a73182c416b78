"""The table of submissions is the queue on both databases, and neither order nor waiting depends on a clock."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BY_ARRIVAL = """
    UPDATE submissions SET arrival = numbered.place
    FROM (SELECT id, row_number() OVER (ORDER BY created_at, id) AS place FROM submissions) AS numbered
    WHERE numbered.id = submissions.id
"""
# Everything that revision 0003 made: tables, then functions and types, for which IF EXISTS takes no pattern.
WITHOUT_PROCRASTINATE = r"""
    DROP TABLE IF EXISTS procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs, procrastinate_workers
    CASCADE;
    DO $$
    DECLARE made text;
    BEGIN
        FOR made IN SELECT oid::regprocedure FROM pg_proc WHERE proname LIKE 'procrastinate\_%' LOOP
            EXECUTE 'DROP FUNCTION IF EXISTS ' || made || ' CASCADE';
        END LOOP;
        FOR made IN SELECT oid::regtype FROM pg_type WHERE typname LIKE 'procrastinate\_%' LOOP
            EXECUTE 'DROP TYPE IF EXISTS ' || made || ' CASCADE';
        END LOOP;
    END $$
"""


def upgrade() -> None:
    # The defaults are for existing rows; the service always gives values.
    op.add_column("submissions", sa.Column("arrival", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("submissions", sa.Column("beat", sa.Integer(), nullable=False, server_default="0"))
    op.execute(BY_ARRIVAL)
    op.create_index("ix_submissions_arrival", "submissions", ["arrival"])
    op.create_table(
        "workers",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.add_column("deliveries", sa.Column("waits_since", sa.DateTime(timezone=True)))
    op.execute("UPDATE deliveries SET waits_since = created_at WHERE next_at IS NOT NULL")
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql(WITHOUT_PROCRASTINATE.replace("%", "%%"))
