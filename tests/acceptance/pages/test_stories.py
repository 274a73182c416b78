"""A course from its first page to its grade book, told by those who are in it, with a worker of its own."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from grader.assignment import BUILT_IN
from tests.acceptance.installation import TOKEN, Installation
from tests.acceptance.pages.conftest import hand_in
from tests.acceptance.pages.filling import CORPUS, RIGHT, WRONG, names
from tests.postgresql import PostgreSQL
from tests.waiting import wait_until

STUDENTS = 300
BROKEN = CORPUS / "broken_syntax_colon" / "submission.py"
FORGED = CORPUS / "cheat_forged_frames" / "submission.py"
#: Those who hand in, besides the two who use a browser for it, by number.
FILES: Mapping[range, Path] = {
    range(2, 12): RIGHT,
    range(12, 20): WRONG,
    range(20, 26): BROKEN,
    range(26, 28): FORGED,
}
#: They hand in what is worth 100 points, two days and a bit after the due date.
LATE = range(28, 30)
LATE_PERCENT_PER_DAY = 10
#: Whose points the changed file changes.
WRONG_ONES = (0, *range(12, 20))


@pytest.fixture
def installation(tmp_path: Path, cache_dir: Path, postgresql: PostgreSQL) -> Iterator[Installation]:
    installation = Installation(tmp_path, cache_dir, postgresql)
    try:
        installation.start_web()
        installation.start_worker()
        yield installation
    finally:
        installation.close()


@pytest.mark.thorough
def test_teacher_leads_a_course_from_first_page_to_grade_book(browser: Browser, installation: Installation) -> None:
    url = installation.web.url
    admin = entered(browser, f"{url}/enter?token={TOKEN}")
    course, link = make_course(admin, url)
    admin.context.close()
    teacher = entered(browser, link)
    set_dates(teacher, course)
    import_roster(teacher, course)
    links = make_links(teacher, course)
    assert len(links) == STUDENTS

    first = entered(browser, links["s000"])
    choose_a_file(first, course, WRONG)
    second = entered(browser, links["s001"])
    paste(second, course, RIGHT)
    expect(second.locator(".verdict h1")).to_contain_text("Passed")
    second.context.close()
    others_hand_in(installation, course)
    expect(first.locator(".verdict h1")).to_contain_text("Not everything is right")
    ask_for_review(first)

    teacher.goto(course)
    attention = teacher.locator(".attention")
    expect(attention).to_contain_text("1 request")
    expect(attention).to_contain_text("2 attempts are held")
    answer_with_an_adjustment(teacher)
    first.reload()
    expect(first.locator("#conversation")).to_contain_text("The gates change places.")
    first.context.close()

    before = grade_book(teacher, course)
    assert len(before) == STUDENTS
    assert {before[student]["lstm-layer"] for student in ids(range(12, 20))} == {"45"}
    assert before["s000"]["lstm-layer"] == "47.5"
    assert [before[student]["lstm-layer"] for student in ("s001", "s020", "s250")] == ["100", "0", ""]
    # The third day has begun.
    assert {before[student]["lstm-notebook"] for student in ids(LATE)} == {str(100 - 3 * LATE_PERCENT_PER_DAY)}
    assert "3 days late" in cell(teacher, course, "s028")

    change_the_file(installation)
    preview(teacher, course)
    assert grade_book(teacher, course) == before
    apply_preview(teacher, course)
    after = grade_book(teacher, course)
    changed = {student: row for student, row in after.items() if row != before[student]}
    assert set(changed) == set(ids(WRONG_ONES))
    assert {row["lstm-layer"] for row in changed.values()} == {"52", "54.5"}
    assert after["s000"]["lstm-layer"] == "54.5"
    assert "52" in cell(teacher, course, "s012")
    teacher.context.close()


def ids(numbers: Iterable[int]) -> list[str]:
    return [f"s{number:03}" for number in numbers]


def entered(browser: Browser, link: str) -> Page:
    """Open a browser of somebody's own, and sign in by their link."""
    page = browser.new_context(locale="en-GB", accept_downloads=True).new_page()
    page.goto(link)
    page.locator("main form button").first.click()
    page.wait_for_url(lambda address: "/enter" not in address)
    return page


def make_course(admin: Page, url: str) -> tuple[str, str]:
    """Return the address of a new course, and its teacher's link."""
    admin.goto(f"{url}/courses/new")
    admin.locator("#title").fill("Recurrent networks <autumn> & «осень»")
    for box in admin.locator("input[name=assignment]").all():
        box.check()
    admin.locator("main form button.primary").click()
    admin.wait_for_url("**/start*")
    course = admin.url.partition("/start")[0]
    admin.goto(f"{course}/members/new")
    admin.locator("#external_id").fill("petrova")
    admin.locator("#name").fill("Анна Петрова")
    admin.locator("#role").select_option("teacher")
    admin.locator("main form button.primary").click()
    admin.goto(f"{course}/members?search=petrova")
    admin.locator("tbody a[href$='/edit']").first.click()
    admin.locator("form[action$='/link'] button").first.click()
    return course, admin.locator(".selectable").inner_text()


def set_dates(teacher: Page, course: str) -> None:
    """One assignment is due in a week, the other was due two days ago."""
    for assignment, days in (("lstm-layer", 7), ("lstm-notebook", -2)):
        teacher.goto(f"{course}/settings/assignments/{assignment}")
        due = datetime.now(UTC) + timedelta(days=days)
        teacher.locator("#due").fill(f"{due:%Y-%m-%dT%H:%M}")
        teacher.locator("#late_percent_per_day").fill(str(LATE_PERCENT_PER_DAY))
        teacher.locator("main form button.primary").first.click()
        expect(teacher.get_by_role("status").first).to_be_visible()


def import_roster(teacher: Page, course: str) -> None:
    rows = [["id", "name", "email", "group"]]
    for number, name in zip(range(STUDENTS), names(), strict=False):
        rows.append([f"s{number:03}", name, f"s{number:03}@example.edu", f"{201 + number % 12}"])
    table = io.StringIO()
    csv.writer(table).writerows(rows)
    teacher.goto(f"{course}/roster")
    file = {"name": "students.csv", "mimeType": "text/csv", "buffer": table.getvalue().encode()}
    teacher.set_input_files("#file", file)
    teacher.locator("main form button.primary").click()
    expect(teacher.locator("#new")).to_contain_text(str(STUDENTS))
    teacher.locator("main form button.primary").first.click()
    expect(teacher.get_by_role("status").first).to_be_visible()


def make_links(teacher: Page, course: str) -> dict[str, str]:
    """Return the links of the students by their ids, from the file that a teacher sends them from."""
    teacher.goto(f"{course}/links")
    with teacher.expect_download() as downloading:
        teacher.locator("#personal form button").first.click()
    lines = csv.reader(downloading.value.path().read_text(encoding="utf-8-sig").splitlines())
    return {line[0]: line[-1] for line in list(lines)[1:]}


def choose_a_file(student: Page, course: str, path: Path) -> None:
    student.goto(f"{course}/assignments/lstm-layer")
    student.set_input_files("#file", path)
    student.locator("[data-hand-in] button.primary").click()
    student.wait_for_url("**/submissions/*")


def paste(student: Page, course: str, path: Path) -> None:
    student.goto(f"{course}/assignments/lstm-layer")
    student.locator("#code").fill(path.read_text(encoding="utf-8"))
    student.locator("[data-hand-in] button.primary").click()
    student.wait_for_url("**/submissions/*")


def others_hand_in(installation: Installation, course: str) -> None:
    """Hand in for 28 more, and wait until all is graded."""
    id = course.rpartition("/")[2]
    sent = [
        hand_in(installation, file, f"s{number:03}", course=id) for numbers, file in FILES.items() for number in numbers
    ]
    for number in LATE:
        data = {"student": f"s{number:03}", "assignment": "lstm-notebook"}
        files = {"file": ("LSTM.py", RIGHT.read_bytes())}
        answer = installation.client.post("/api/v1/submissions", params={"course": id}, files=files, data=data)
        sent.append(answer.raise_for_status().json()["id"])
    wait_until(lambda: all(installation.job_status(each) == "done" for each in sent), pause=0.5)


def ask_for_review(student: Page) -> None:
    student.locator("#conversation details summary").click()
    student.locator("#conversation textarea").fill("I think my gates are right.")
    student.locator("#conversation form button").click()
    expect(student.locator("#conversation")).to_contain_text("I think my gates are right.")


def answer_with_an_adjustment(teacher: Page) -> None:
    teacher.locator(".attention a[href$='/reviews']").click()
    teacher.locator("article.review a.button").click()
    teacher.locator("a[href$='#adjust']").first.click()
    teacher.locator("#points").fill("2.5")
    teacher.locator("#adjustment_reason").fill("For a good drawing.")
    teacher.locator("form[action$='/adjustment'] button.button").click()
    expect(teacher.get_by_role("status").first).to_be_visible()
    teacher.locator("main a.button[href*='/reviews/']").click()
    teacher.locator("#answer").fill("The gates change places.")
    teacher.locator("main form button").first.click()
    expect(teacher.get_by_role("status").first).to_be_visible()


def change_the_file(installation: Installation) -> None:
    """Let the class itself be worth more, and equality less."""
    text = (BUILT_IN / "lstm-layer.toml").read_text(encoding="utf-8")
    for line, new in ("\ncontract = 10", "\ncontract = 20"), ("\nequivalence = 50", "\nequivalence = 40"):
        assert line in text
        text = text.replace(line, new)
    (installation.assignments_dir / "lstm-layer.toml").write_text(text, encoding="utf-8")
    installation.restart()


def preview(teacher: Page, course: str) -> None:
    """Do as the page advises after a change of the file, and read what would change for whom."""
    teacher.goto(f"{course}/regrades")
    expect(teacher.locator(".notice.warn")).to_contain_text("28 of 28")
    teacher.locator(".notice.warn button").click()
    teacher.wait_for_url(re.compile(r"/regrades/\w+"))
    expect(teacher.locator("form[action$='/apply']")).to_have_count(1)
    expect(teacher.locator("p.result")).to_have_text(re.compile(r"9 of 28 would change\.\s+9 gain points\."))
    rows = [" ".join(row.split()) for row in teacher.locator("main tbody tr").all_inner_texts()]
    assert sorted(re.search(r"\bs\d{3}\b", row)[0] for row in rows) == ids(WRONG_ONES)
    assert all("45 52 ▲ +7" in row for row in rows), rows
    # With the adjustment of one, which stays.
    assert sum("45 → 52" in row for row in rows) == len(rows) - 1
    assert sum("47.5 → 54.5" in row for row in rows) == 1


def apply_preview(teacher: Page, course: str) -> None:
    teacher.goto(f"{course}/regrades")
    teacher.locator("main tbody a").first.click()
    apply = teacher.locator("form[action$='/apply']")
    teacher.locator("details:has(form[action$='/apply']) summary").click()
    apply.locator("button").click()
    expect(apply).to_have_count(0)


def cell(teacher: Page, course: str, student: str) -> str:
    """Return the row of one student in the course's table."""
    teacher.goto(f"{course}?search={student}")
    return teacher.locator("table.grades tbody tr").inner_text()


def grade_book(teacher: Page, course: str) -> dict[str, dict[str, str]]:
    """Return the rows of the file by the students' ids."""
    teacher.goto(f"{course}/grade-book")
    teacher.locator("#format").select_option("plain")
    with teacher.expect_download() as downloading:
        teacher.locator("button[formaction$='/grade-book/file']").click()
    table = downloading.value.path().read_text(encoding="utf-8-sig").splitlines()
    return {row["id"]: row for row in csv.DictReader(table)}
