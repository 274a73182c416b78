"""Everything since version 1.0.0: notebooks, checks, news, letters; seeds and fingerprints of attempts.

Seeds need a new table of attempts on SQLite. It also puts the bytes of files at the end of their rows, through which
SQLite reads to reach the columns behind them. Databases of states between the versions were never released.
"""

import secrets
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from app.storage.models import UTCDateTime, utc_now

revision = "0030"
down_revision = "0024"

AT_ONCE = 1000
SEED_BYTES = 32
ID, HASH, LANGUAGE = sa.String(26), sa.String(64), sa.String(2)
MOMENT = sa.DateTime(timezone=True)
RUNNING = sa.text("job_status = 'running'")
QUEUE: list[Any] = ["job_status", sa.text("priority DESC"), "arrival", "id"]
CODE = ["course_assignment_id", "code_form", "code_statements", "membership_id"]
#: New columns, all of which may be null.
COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "submissions": {"seed": sa.LargeBinary(), "code_form": HASH, "code_text": HASH, "code_statements": sa.Integer()},
    "tokens": {"assignment_id": HASH},
    "people": {"language": LANGUAGE},
    "memberships": {"news_seen_at": MOMENT},
    "lti_members": {"launched_as": sa.String(16), "listed_as": sa.String(16)},
}


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        for name, type in columns.items():
            op.add_column(table, Column(name, type))
    _fill_seeds()
    # Nothing from before is new.
    memberships = sa.table("memberships", sa.column("news_seen_at", UTCDateTime()))
    op.execute(memberships.update().values(news_seen_at=utc_now()))
    # Made again below: a table that SQLite copies would lose the order of the one and the condition of the other.
    op.drop_index("ix_submissions_queue", "submissions")
    op.drop_index("ix_submissions_running", "submissions")
    with op.batch_alter_table("submissions", partial_reordering=[_bytes_last("submissions")]) as batch:
        batch.alter_column("seed", existing_type=sa.LargeBinary(), nullable=False)
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table("batch_files", recreate="always", partial_reordering=[_bytes_last("batch_files")]):
            pass
    running: dict[str, Any] = {"sqlite_where": RUNNING, "postgresql_where": RUNNING}
    op.create_index("ix_submissions_queue", "submissions", QUEUE)
    op.create_index("ix_submissions_running", "submissions", ["membership_id"], unique=True, **running)
    op.create_index("ix_submissions_code", "submissions", CODE)
    _add_tables()


def _fill_seeds() -> None:
    connection = op.get_bind()
    ids = connection.scalars(sa.text("SELECT id FROM submissions")).all()
    fill = sa.text("UPDATE submissions SET seed = :seed WHERE id = :id")
    for start in range(0, len(ids), AT_ONCE):
        chosen = ids[start : start + AT_ONCE]
        connection.execute(fill, [{"id": id, "seed": secrets.token_bytes(SEED_BYTES)} for id in chosen])


def _bytes_last(table: str) -> tuple[str, ...]:
    names = [column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)]
    return tuple(sorted(names, key=lambda name: name == "content"))


def _add_tables() -> None:
    _table_of_members(
        "notebook_codes",
        Column("assignment_id", HASH, nullable=False),
        Column("language", LANGUAGE, nullable=False),
        Column("sha256", HASH, nullable=False),
        Column("expires_at", MOMENT, nullable=False),
        sa.UniqueConstraint("membership_id", name="uq_notebook_codes_membership_id"),
        sa.UniqueConstraint("sha256", name="uq_notebook_codes_sha256"),
    )
    _table_of_members(
        "checks",
        Column("assignment_id", HASH, nullable=False),
        Column("filename", sa.String(255), nullable=False),
        Column("sha256", HASH, nullable=False),
        Column("submitted_by", ID, nullable=False),
        Column("idempotency_key", sa.String(255)),
        Column("job_status", sa.String(16), nullable=False),
        Column("tries", sa.Integer(), nullable=False),
        Column("claim", ID),
        Column("beat", sa.Integer(), nullable=False),
        Column("report", sa.JSON()),
        Column("source", sa.LargeBinary()),
        Column("content", sa.LargeBinary()),
    )
    for columns in (["job_status", "tries", "id"], ["membership_id", "created_at"]):
        op.create_index(f"ix_checks_{'_'.join(columns)}", "checks", columns)
    sent = ["submitted_by", "idempotency_key"]
    op.create_index("ix_checks_submitted_by_idempotency_key", "checks", sent, unique=True)
    _table_of_members(
        "letters",
        Column("assignment_id", HASH, nullable=False),
        Column("subject", sa.String(200), nullable=False),
        Column("text", sa.Text(), nullable=False),
        Column("language", LANGUAGE, nullable=False),
        Column("until", MOMENT, nullable=False),
        Column("tries", sa.Integer(), nullable=False),
        Column("waits_since", MOMENT, nullable=False),
        Column("next_at", MOMENT, nullable=False),
    )
    op.create_index("ix_letters_next_at", "letters", ["next_at"])
    op.create_table(
        "news_mails",
        Column("person_id", ID, nullable=False),
        Column("secret", sa.String(32), nullable=False),
        Column("off_at", MOMENT),
        Column("mailed_until", MOMENT),
        Column("tries", sa.Integer(), nullable=False),
        Column("waits_since", MOMENT),
        Column("next_at", MOMENT),
        sa.PrimaryKeyConstraint("person_id", name="pk_news_mails"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_news_mails_person_id"),
        sa.UniqueConstraint("secret", name="uq_news_mails_secret"),
    )


def _table_of_members(name: str, *items: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        Column("id", ID, nullable=False),
        Column("membership_id", ID, nullable=False),
        Column("created_at", MOMENT, nullable=False),
        *items,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.ForeignKeyConstraint(["membership_id"], ["memberships.id"], name=f"fk_{name}_membership_id"),
    )
