"""The words of a report: every code has them, and student data cannot break out of a sentence."""

import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import grader
from grader.assignment import CheckId
from grader.diagnosis.exceptions import VARIANTS as ERROR_VARIANTS
from grader.diagnosis.mistakes import VARIANTS as MISTAKE_VARIANTS
from grader.diagnosis.mistakes import variant_of
from grader.report.finding import CheckStatus
from grader.report.messages import LANGUAGES, PLACEHOLDER, Catalogue, codes, negotiate, render, translate
from grader.report.model import Advisory, Check, Diagnosis, Extraction, SkippedCell
from reference.lstm.misconceptions import bank
from tests.unit.grader.make_reports import make_report

#: Every text of the grader's catalogue by its id; the forms of a plural are one text.
TEXTS = {
    language: {id: " ".join(forms) for id, forms in texts.items()}
    for language, texts in Catalogue(Path(grader.__file__).parent / "locale")._texts.items()
}


def _placeholders(text):
    return set(PLACEHOLDER.findall(text))


def _check(status=CheckStatus.FAILED, **values):
    return Check(id="contract", points=0, max_points=10, status=status, **values)


def _rendered_check(code, language="en", **params):
    [check] = render(make_report(checks=[_check(code=code, params=params)]), language)["checks"]
    return check


def _rendered_diagnosis(code, language="en", **params):
    diagnosis = Diagnosis(code=code, params=params, confidence="exact")
    [rendered] = render(make_report(diagnoses=[diagnosis]), language)["diagnoses"]
    return rendered


# --- the catalogues: tests/lint/test_catalogues.py compares the languages ---


def test_code_has_title_message_and_hint_or_a_message_alone():
    ids = TEXTS["en"].keys()
    parts = [{part for part in ("title", "hint") if f"{code}.{part}" in ids} for code in codes()]
    assert all(each in (set(), {"title", "hint"}) for each in parts)
    assert {f"{mistake.code}.hint" for mistake in bank()} <= ids


def test_every_special_case_of_an_error_or_mistake_has_its_own_words():
    code_of = {mistake.name: mistake.code for mistake in bank()}
    wanted = {f"any/{variant}.hint" for variant in ERROR_VARIANTS}
    wanted |= {f"{code_of[name]}/{variant}.message" for name, variant in MISTAKE_VARIANTS.items()}
    assert wanted - TEXTS["en"].keys() == set()


def test_every_check_has_a_title_and_a_sentence_for_a_plain_pass():
    wanted = {f"check.{check}.{part}" for check in get_args(CheckId) for part in ("title", "passed")}
    assert wanted - TEXTS["en"].keys() == set()


def test_texts_do_not_give_the_formula_away():
    formulas = ("f*c+i*ch", "f*c+i*g", "o*tanh(c)", "o*tf.tanh(c)", "i*ch")
    for texts in TEXTS.values():
        assert [id for id, text in texts.items() if any(each in text.replace(" ", "") for each in formulas)] == []


# Values that the name of a code says already.
SAID_BY_THE_CODE = {
    *((f"gates_swapped_{pair}", "gates") for pair in ("if", "io", "fo", "co")),
    ("input_transformed", "of"),
    ("tanh_on_state", "of"),
    ("tanh_on_state", "function"),
    ("state_init_ones", "value"),
}


def test_every_parameter_of_a_mistake_stands_in_its_texts():
    named: dict[str, set[str]] = {}
    for id, text in TEXTS["en"].items():
        named.setdefault(re.split("[./]", id)[0], set()).update(_placeholders(text))
    # A variant chooses the text.
    known = {(mistake.code, name) for mistake in bank() for name in mistake.params if name != "variant"}
    assert {(code, name) for code, name in known if name not in named[code]} == SAID_BY_THE_CODE


def test_message_of_a_mistake_asks_for_no_more_than_its_numbers_tell():
    """A mistake that is known by its numbers gives no shapes, lines or words of Python."""
    lacking = set()
    for mistake in bank():
        variant = f"{mistake.code}/{variant_of([mistake])}.message"
        message = TEXTS["en"].get(variant) or TEXTS["en"][f"{mistake.code}.message"]
        lacking |= {(mistake.name, name) for name in _placeholders(message) - mistake.params.keys()}
    assert lacking == set()


# --- filling in ---


def test_parameters_are_filled_in_and_a_missing_one_shows_as_a_question_mark():
    assert translate("ui.score_of", "en", points=7) == "7 of ?"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1234567, "0.123457"),
        (2e-06, "2e-6"),
        (10**400, "?"),
        (None, "?"),
        ([], "—"),
        ("{points}", "{points}"),
        ("{0.__class__}", "{0.__class__}"),
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("one\ntwo", "one two"),
        ("abc\u202edef", "abc\ufffddef"),
        ("y" * 200, "y" * 200),
        ("y" * 1_000_000, "y" * 199 + "…"),
        ("a sentence " * 30, "a sentence " * 17 + "a sentence…"),
        (["y"] * 1_000_000, "y, " * 67 + "…"),
        (["y" * 150] * 2, "y" * 150 + ", …"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_values_are_shown_short_and_printable(value, shown):
    assert translate("ui.score_of", "en", points=value, max_points=1) == f"{shown} of 1"


@pytest.mark.parametrize(("language", "shown"), [("en", "Yours is NaN or infinity,"), ("ru", "NaN или бесконечность")])
def test_number_that_a_report_cannot_hold_is_nan_or_infinity(language, shown):
    place = {"timestep": 3, "unit": 0, "batch": 0}
    assert shown in translate("wrong_values.message.timestep", language, **place, actual=None, expected=0.5)


def test_bytes_are_shown_in_megabytes():
    text = translate("file_too_large.message", "en", bytes=23_456_789, limit_bytes=20_000_000)
    assert text == "The file has 23.5 MB; the limit is 20 MB."


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({"line": 7, "file": "cell 4"}, "cell 4, line 7"),
        ({"line": 7, "file": "lstm.py"}, "line 7"),
        ({"line": 7}, "line 7"),
        ({}, "not known"),
    ],
)
def test_a_place_is_named_as_far_as_it_is_known(params, place):
    assert f"Where: {place}." in translate("syntax_error.message", "en", **params)


def test_numbers_in_a_row_are_told_apart_where_a_comma_is_part_of_them():
    assert translate("epsilon_added.message.value", "ru", value=[0.5, 0.25]) == "Она примерно равна 0,5; 0,25."


def test_variant_says_another_sentence_and_falls_back_to_that_of_its_code():
    assert "the last h and c" in _rendered_diagnosis("returns_tuple", variant="states")["message"]
    unknown = _rendered_diagnosis("returns_tuple", variant="of_tomorrow")
    assert unknown["message"].startswith("Your call returned a tuple. Expected:")


def test_advice_for_a_kind_of_error_serves_every_code():
    for code in ("raises_in_init", "raises_in_call"):
        hint = _rendered_diagnosis(code, type="KeyError", message="'c'", variant="key")["hint"]
        assert hint.startswith("Print the keys of that dict just before the line")


def test_consequence_names_its_causes_as_the_report_does_and_gives_no_advice():
    check = _rendered_check("wrong_on_hidden_cases", "ru", follows_from="bias_missing", follows_also=["no_tanh_output"])
    assert check["message"] == "Причины те же: «Не хватает смещения (bias)», «Выход без tanh»."
    diagnosis = Diagnosis(code="x_not_used", params={"gates": ["F"], "variant": "gates"}, confidence="exact")
    follows = _check(code="wrong_on_hidden_cases", params={"follows_from": "x_not_used"})
    [check] = render(make_report(checks=[follows], diagnoses=[diagnosis]), "en")["checks"]
    assert (check["message"], check["hint"]) == ("Same cause: “A gate does not use x”.", None)


def test_sentence_is_added_for_each_parameter_that_is_known():
    plain = "Some weights receive no gradient. Expected: every kernel, recurrent kernel and bias can be trained."
    assert _rendered_check("gradient_missing")["message"] == plain
    named = _rendered_check("gradient_missing", roles=["fcXI", "fcHI"])
    assert named["message"] == f"{plain} They are: fcXI, fcHI."
    # In the order of the catalogue.
    both = _rendered_diagnosis("wrong_gate_activation", "ru", gates=["O"], function="hard_sigmoid of Keras 2")
    assert both["message"].endswith("У вас hard_sigmoid, как в Keras 2. Где: выходной вентиль o.")
    assert _rendered_check("t2_faked", line=3, file="cell 6")["message"].endswith("Where: cell 6, line 3.")


def test_parameter_that_stands_in_the_message_has_no_sentence_beside_it():
    # Reports of an older version know the class that was found, but no variant.
    for params in ({"found": "MyLSTM"}, {"found": "MyLSTM", "variant": "other_name"}):
        assert _rendered_diagnosis("no_lstm_class", **params)["message"].count("MyLSTM") == 1


@pytest.mark.parametrize(
    ("gates", "names"),
    [
        (["I", "F"], "the input gate i, the forget gate f"),
        (["I", "F", "O"], "all three gates"),
        (["I", "F", "C", "O"], "all three gates and the candidate"),
    ],
)
def test_gates_are_called_by_their_names(gates, names):
    assert _rendered_diagnosis("bias_twice", gates=gates)["message"].endswith(f"Where: {names}.")


def test_kinds_of_cases_are_translated():
    assert "комментарий" in translate("no_lstm_class.message.found_in", "ru", found_in="comment")
    text = translate("wrong_on_hidden_cases.message", "ru", categories=["other_shape", "of_tomorrow"])
    assert "другие размеры, of_tomorrow" in text


def test_parameters_may_be_named_like_our_arguments():
    assert translate("report.seconds", "en", id=1, language=2, self=3, seconds=4) == "4 s"


@pytest.mark.parametrize(
    ("count", "english", "russian"),
    [(1, "1 file", "1 файл"), (3, "3 files", "3 файла"), (11, "11 files", "11 файлов"), (21, "21 files", "21 файл")],
)
def test_text_with_plurals_has_the_form_of_the_count(tmp_path, count, english, russian):
    forms = {"en": ["{count} file", "{count} files"], "ru": ["{count} файл", "{count} файла", "{count} файлов"]}
    for language, strings in forms.items():
        header = f'msgid ""\nmsgstr "Plural-Forms: nplurals={len(strings)}; plural=0;\\n"\n\n'
        texts = "".join(f'msgstr[{index}] "{string}"\n' for index, string in enumerate(strings))
        (tmp_path / f"{language}.po").write_text(f'{header}msgid "files"\nmsgid_plural "files"\n{texts}', "utf-8")
    catalogue = Catalogue(tmp_path)
    assert [catalogue.text("files", language, count=count) for language in ("en", "ru")] == [english, russian]


# --- the rendered report ---


def test_render_adds_texts_and_nothing_else():
    report = make_report(
        checks=[_check(code="returns_none")],
        diagnoses=[Diagnosis(code="gates_swapped_if", confidence="exact")],
        advisories=[Advisory(code="global_x_shape", line=7)],
        extraction=Extraction(cells_skipped=[SkippedCell(index=2, code="not_needed")]),
    )
    rendered = render(report, "en")
    assert list(rendered["checks"][0]) == [
        "id", "title", "points", "max_points", "status", "code", "params", "message", "hint", "details"
    ]  # fmt: skip
    assert list(rendered["diagnoses"][0]) == [
        "code", "params", "confidence", "residual", "runner_up", "also", "message", "hint"
    ]  # fmt: skip
    assert list(rendered["advisories"][0]) == ["code", "params", "line", "message"]
    assert list(rendered["extraction"]["cells_skipped"][0]) == ["index", "code", "params", "message"]
    stored = report.model_dump(mode="json")
    assert rendered.keys() == stored.keys()
    changed = {key for key in stored if rendered[key] != stored[key]}
    assert changed == {"checks", "diagnoses", "advisories", "extraction"}


def test_failed_check_says_what_is_wrong_and_what_to_try_and_a_passed_one_has_no_hint():
    failed = _rendered_check("returns_none", "ru")
    assert failed["title"] == "Класс и его ответ"
    assert failed["message"].startswith("Ваш call вернул None")
    assert "return" in failed["hint"]
    [passed] = render(make_report(checks=[_check(CheckStatus.PASSED)]), "en")["checks"]
    assert passed["message"].startswith("There is a class LSTM")
    assert passed["hint"] is None


def test_a_report_of_a_newer_version_is_rendered_with_its_codes():
    report = make_report(
        checks=[Check(id="style", points=0, max_points=1, status="failed", code="of_tomorrow")],
        diagnoses=[Diagnosis(code="of_tomorrow", confidence="likely")],
    )
    rendered = render(report, "en")
    assert (rendered["checks"][0]["title"], rendered["checks"][0]["message"]) == ("style", "of_tomorrow")
    assert (rendered["diagnoses"][0]["message"], rendered["diagnoses"][0]["hint"]) == ("of_tomorrow", None)


# The digest of a report is of JSON, whose integers end here.
INTEGERS = st.integers(1 - 2**53, 2**53 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats() | st.text() | st.sampled_from(["{a.b}", "\x1b]0;\a"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)
NAMES = st.sampled_from(sorted({"id", "self", "place"} | set().union(*map(_placeholders, TEXTS["en"].values()))))


@given(
    code=st.sampled_from(codes()) | st.text(),
    params=st.dictionaries(NAMES, JSON),
    language=st.sampled_from(LANGUAGES),
)
def test_no_parameter_breaks_a_report_or_puts_control_characters_into_it(code, params, language):
    report = make_report(
        checks=[_check(code=code, params=params)],
        diagnoses=[Diagnosis(code=code, params=params, confidence="exact")],
        advisories=[Advisory(code=code, params=params)],
        extraction=Extraction(cells_skipped=[SkippedCell(index=0, code=code, params=params)]),
        cases=[],
    )
    rendered = render(report, language)
    parts = (rendered["checks"], rendered["diagnoses"], rendered["advisories"], rendered["extraction"]["cells_skipped"])
    for item in (item for part in parts for item in part):
        # The catalogues write numbers with it; no terminal takes it for a command.
        assert item["message"].replace("\N{NO-BREAK SPACE}", " ").isprintable()
        assert len(item["message"]) < 3000


# --- the reader's language ---


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "ru"),
        ("en-GB,en;q=0.9", "en"),
        ("RU-ru", "ru"),
        ("en;q=0.5, ru;q=0.8", "ru"),
        ("de, en;q=0.3", "en"),
        ("en;q=0", "ru"),
        ("*", "ru"),
        ("en;q=nan, ;;, =", "ru"),
    ],
)
def test_the_language_that_the_reader_likes_best_is_chosen(header, language):
    assert negotiate(header, "ru") == language


@given(st.text())
def test_any_header_gives_a_language(header):
    assert negotiate(header, "en") in LANGUAGES
