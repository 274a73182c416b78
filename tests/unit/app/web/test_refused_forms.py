"""Forms that are refused: the page that holds one shows it again, with each fault and everything that was typed."""

import re
from html import unescape

import pytest

from tests.unit.app.calls import COURSE, send
from tests.unit.app.web.course.test_course_pages import work

__all__ = ["work"]

NEW, COPY, SETTINGS, JOIN = "/courses/new", f"{COURSE}/copy", f"{COURSE}/settings", f"{COURSE}/links/join"
RULES, TOKENS, PLATFORMS = f"{SETTINGS}/assignments/lstm-layer", f"{COURSE}/tokens", "/platforms"
#: By the address of a form, which may be another than that of its page: what is typed, and the fields that are wrong.
FORMS = [
    (NEW, {"title": "", "time_zone": "Mars/Olympus"}, {"title", "time_zone"}),
    (COPY, {"title": "Next", "with_dates": "on", "days": "1e9"}, {"days"}),
    (SETTINGS, {"title": "Nets", "time_zone": "UTC", "retention_days": "many"}, {"retention_days"}),
    (RULES, {"due": "someday", "limit": "0", "late_percent_max": "nan"}, {"due", "limit", "late_percent_max"}),
    (RULES, {"grade_book_points": "many", "limit": "7"}, {"grade_book_points"}),
    (f"{COURSE}/members/new", {"external_id": "x", "email": "nothing", "role": "student"}, {"email"}),
    ("{member}/edit", {"external_id": "", "email": "nothing", "role": "student"}, {"external_id", "email"}),
    (JOIN, {"group": "A", "limit": "0"}, {"limit"}),
    (TOKENS, {"name": "", "role": "submitter", "expires_at": "2030-01-01T00:00"}, {"name"}),
    (f"{COURSE}/regrades", {"mode": "now", "student": "x" * 201}, {"student"}),
    (f"{COURSE}/regrades", {"mode": "now", "status": "<b>", "student": "x"}, set()),
    (PLATFORMS, {"kind": "moodle", "site": "nowhere", "client_id": "7"}, {"site"}),
    ("{work}/adjustment", {"points": "", "adjustment_reason": "x"}, {"points"}),
    ("{work}/adjustment", {"points": "5", "adjustment_reason": ""}, {"adjustment_reason"}),
    ("{work}/adjustment", {"way": "value", "points": "-5", "adjustment_reason": "x"}, {"points"}),
    ("{work}/extension", {"more_attempts": "0", "extension_reason": "kept words"}, {"due"}),
    ("{work}/extension", {"due": "", "more_attempts": "x", "extension_reason": "ill"}, {"more_attempts"}),
    ("{work}/extension", {"due": "", "closes": "x", "extension_reason": "ill"}, {"closes"}),
    ("{work}/comments", {"comment": "x" * 2001}, {"comment"}),
]


@pytest.mark.parametrize(("form", "typed", "wrong"), FORMS)
async def test_refused_form_keeps_what_was_typed_and_tells_each_fault_at_its_field(work, browser, form, typed, wrong):
    address = form.format(work=work, member=work.partition("/assignments")[0])
    page = address.removesuffix("/join") if form == JOIN else work if form.startswith("{work}") else address
    refused = await send(browser, page, address, replaces="", **typed)
    assert refused.status_code == 422
    assert set(re.findall(r'id="(\w+)-error"', refused.text)) == wrong
    assert [value for value in typed.values() if value not in unescape(refused.text)] == []
