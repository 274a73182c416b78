"""Laws that hold for every report, tried on one mistake of each code of the bank."""

import re

import pytest

from grader.checks.registry import run_checks
from grader.formats.view import View, rows
from grader.report.messages import LANGUAGES
from reference.lstm.misconceptions import bank, replay
from tests.tiers import sampled

ONE_OF_EACH = list({mistake.code: mistake for mistake in reversed(bank())}.values())
#: Words that no code and no name has.
ENGLISH = re.compile(r"\b(?:of|the|and|with|your|expected)\b", re.IGNORECASE)
DECIMAL_POINT = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.])")


@pytest.fixture(params=sampled(ONE_OF_EACH, every=2), ids=lambda mistake: mistake.code)
def report(request, evidence_of, report_on):
    """The report on an answer with a mistake."""
    return report_on(run_checks(evidence_of(lambda case: replay((request.param,), case))))


def test_a_report_names_its_mistake_and_says_each_thing_once_in_the_readers_language(report, request):
    first, *_ = report.diagnoses
    codes = {diagnosis.code for diagnosis in report.diagnoses}
    assert request.node.callspec.id in {first.code, *first.also}
    assert len(codes) == len(report.diagnoses)
    for check in report.checks:
        if check.status == "failed" and check.code in {"wrong_on_hidden_cases", "differs_on_second_call"}:
            assert check.params["follows_from"] in codes | {"equivalence"}
    for language in LANGUAGES:
        view = View.of(report, language)
        shown = [*view.report["diagnoses"], *rows(view.report, language)]
        own = [part["message"] for part in shown if part["message"] and "follows_from" not in part["params"]]
        assert len(own) == len(set(own))
        for sentence in (part[name] for part in shown for name in ("message", "hint") if part.get(name)):
            # A parameter that is missing shows as a question mark, or as no number.
            assert not re.search(r"\{|(?<!\S)\?(?!\S)|\((?:\?|NaN[^)]*)\);", sentence), sentence
            if language == "ru":
                assert not ENGLISH.search(sentence), sentence
                assert not DECIMAL_POINT.search(sentence), sentence
