"""Courses, people and their memberships. Everything from before goes into the course "Default"."""

import sqlalchemy as sa
from alembic import op

from app.storage.models import DEFAULT_COURSE, new_id, utc_now

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

AT_ONCE = 1000
STUDENTS = "SELECT student FROM submissions UNION SELECT student FROM tokens WHERE student IS NOT NULL ORDER BY student"
OF_THE_STUDENT = "SELECT id FROM memberships WHERE external_id = student"
OF_THE_ASSIGNMENT = (
    "SELECT id FROM course_assignments WHERE course_assignments.assignment_id = submissions.assignment_id"
)


def upgrade() -> None:
    courses = op.create_table(
        "courses",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_courses"),
    )
    people = op.create_table(
        "people",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(200)),
        sa.Column("email", sa.String(254)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
    )
    op.create_index("ix_people_email", "people", ["email"])
    memberships = op.create_table(
        "memberships",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("course_id", sa.String(26), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("external_id", sa.String(200)),
        sa.Column("group_name", sa.String(100)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True)),
        sa.Column("removed_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_memberships"),
        sa.UniqueConstraint("course_id", "external_id", name="uq_memberships_course_id_external_id"),
        sa.UniqueConstraint("course_id", "person_id", name="uq_memberships_course_id_person_id"),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name="fk_memberships_course_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_memberships_person_id"),
    )
    op.create_index("ix_memberships_person_id", "memberships", ["person_id"])
    course_assignments = op.create_table(
        "course_assignments",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("course_id", sa.String(26), nullable=False),
        sa.Column("assignment_id", sa.String(64), nullable=False),
        sa.Column("title", sa.String(200)),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("grade_book_points", sa.Double()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_course_assignments"),
        sa.UniqueConstraint("course_id", "assignment_id", name="uq_course_assignments_course_id_assignment_id"),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name="fk_course_assignments_course_id"),
    )
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.String(26), nullable=False),
        sa.Column("membership_id", sa.String(26)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(32), nullable=False),
        sa.Column("subject_id", sa.String(26), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_changes"),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name="fk_changes_course_id"),
        sa.ForeignKeyConstraint(["membership_id"], ["memberships.id"], name="fk_changes_membership_id"),
    )
    op.create_index("ix_changes_course_id_id", "changes", ["course_id", "id"])
    op.create_index("ix_changes_membership_id", "changes", ["membership_id"])

    now = utc_now()
    course = {"id": DEFAULT_COURSE, "title": "Default", "language": "ru", "time_zone": "UTC", "created_at": now}
    op.bulk_insert(courses, [course])
    connection = op.get_bind()
    students = connection.scalars(sa.text(STUDENTS)).all()
    for start in range(0, len(students), AT_ONCE):
        members = [(new_id(), new_id(), student) for student in students[start : start + AT_ONCE]]
        op.bulk_insert(people, [{"id": person, "created_at": now} for _, person, _ in members])
        op.bulk_insert(
            memberships,
            [
                {
                    "id": id,
                    "course_id": DEFAULT_COURSE,
                    "person_id": person,
                    "role": "student",
                    "external_id": student,
                    "created_at": now,
                }
                for id, person, student in members
            ],
        )
    used = connection.scalars(sa.text("SELECT DISTINCT assignment_id FROM submissions ORDER BY assignment_id")).all()
    op.bulk_insert(
        course_assignments,
        [
            {"id": new_id(), "course_id": DEFAULT_COURSE, "assignment_id": each, "rules": {}, "created_at": now}
            for each in used
        ],
    )
    _tokens()
    _submissions()
    for table in ("webhooks", "regrades"):
        op.add_column(table, sa.Column("course_id", sa.String(26)))
        _fill(table, course_id=f"'{DEFAULT_COURSE}'")
        with op.batch_alter_table(table) as batch:
            if table == "webhooks":
                batch.alter_column("course_id", existing_type=sa.String(26), nullable=False)
            batch.create_foreign_key(f"fk_{table}_course_id", "courses", ["course_id"], ["id"])
        op.create_index(f"ix_{table}_course_id", table, ["course_id"])


def _tokens() -> None:
    op.add_column("tokens", sa.Column("course_id", sa.String(26)))
    op.add_column("tokens", sa.Column("membership_id", sa.String(26)))
    _fill("tokens", course_id=f"'{DEFAULT_COURSE}'", membership_id=f"({OF_THE_STUDENT})")
    with op.batch_alter_table("tokens") as batch:
        batch.alter_column("course_id", existing_type=sa.String(26), nullable=False)
        batch.create_foreign_key("fk_tokens_course_id", "courses", ["course_id"], ["id"])
        batch.create_foreign_key("fk_tokens_membership_id", "memberships", ["membership_id"], ["id"])
    op.create_index("ix_tokens_course_id", "tokens", ["course_id"])
    op.create_index("ix_tokens_membership_id", "tokens", ["membership_id"])


def _submissions() -> None:
    # Made again below: a table that SQLite copies would lose the order of the one and the condition of the other.
    op.drop_index("ix_submissions_queue", "submissions")
    op.drop_index("ix_submissions_running", "submissions")
    for column in ("membership_id", "course_assignment_id", "course_id"):
        op.add_column("submissions", sa.Column(column, sa.String(26)))
    _fill(
        "submissions",
        course_id=f"'{DEFAULT_COURSE}'",
        membership_id=f"({OF_THE_STUDENT})",
        course_assignment_id=f"({OF_THE_ASSIGNMENT})",
    )
    with op.batch_alter_table("submissions") as batch:
        for column, table in (
            ("membership_id", "memberships"),
            ("course_assignment_id", "course_assignments"),
            ("course_id", "courses"),
        ):
            batch.alter_column(column, existing_type=sa.String(26), nullable=False)
            batch.create_foreign_key(f"fk_submissions_{column}", table, [column], ["id"])
        batch.drop_constraint("uq_submissions_student_assignment_id_attempt", type_="unique")
        batch.create_unique_constraint(
            "uq_submissions_membership_id_course_assignment_id_attempt",
            ["membership_id", "course_assignment_id", "attempt"],
        )
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
    op.create_index("ix_submissions_course_id_id", "submissions", ["course_id", "id"])
    op.create_index("ix_submissions_course_assignment_id", "submissions", ["course_assignment_id"])
    op.create_index("ix_submissions_student", "submissions", ["student"])


def _fill(table: str, **columns: str) -> None:
    given = ", ".join(f"{column} = {value}" for column, value in columns.items())
    op.execute(f"UPDATE {table} SET {given}")  # noqa: S608 both are written here
