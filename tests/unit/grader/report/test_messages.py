"""The catalogues are complete and consistent, and student data cannot break out of a sentence."""

import re
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

import grader
from grader.diagnosis.exceptions import VARIANTS as ERROR_VARIANTS
from grader.diagnosis.mistakes import VARIANTS as MISTAKE_VARIANTS
from grader.diagnosis.mistakes import variant_of
from grader.report.finding import CheckStatus
from grader.report.messages import LANGUAGES, PLACEHOLDER, Catalogue, negotiate, render, translate
from grader.report.model import (
    Advisory,
    AssignmentRef,
    Check,
    Diagnosis,
    Extraction,
    Receipt,
    Report,
    SkippedCell,
    Status,
    SubmissionRef,
)
from reference.misconceptions import bank

LOCALE = Path(grader.__file__).parent / "locale"

# Every code that a report can hold: mistakes, structure, Task 2, reading, exceptions, limits, own work, remarks.
CODES = """
    gates_swapped_if gates_swapped_io gates_swapped_fo gates_swapped_co gate_layers_mixed
    wrong_gate_activation missing_gate_activation double_activation activation_before_sum gate_product_not_sum
    no_tanh_candidate sigmoid_candidate wrong_candidate_activation no_tanh_output sigmoid_output double_tanh
    tanh_of_product tanh_on_state c_sum_not_product c_grouping c_sign coupled_gate matmul_instead_of_elementwise
    peephole old_c_in_output gate_from_new_h gates_use_c_not_h forget_term_missing input_gate_missing
    output_gate_missing c_as_candidate recurrent_missing x_not_used bias_missing bias_twice forget_bias_extra
    gate_arithmetic gate_hears_other
    gate_weights_misshapen gate_weights_missing
    hc_swapped h_not_updated c_not_updated state_reset_each_step state_kept_between_calls state_init_ones
    state_init_random state_init_not_zero
    time_reversed off_by_one missing_step step_two always_first_step always_same_step cell_called_twice
    return_inside_loop returns_last_only returns_c returns_tuple returns_list returns_dict returns_none returns_numpy
    returns_global time_major wrong_transpose wrong_stack_axis reshape_not_transpose concat_not_stack batch_mixed
    batch_zero_only loops_over_batch new_cell_each_step cell_per_step two_layers extra_dense extra_activation residual
    layer_norm dropout_active input_transformed state_clipped scaled epsilon_added rounded low_precision int_cast
    dtype_float64 nan constant_output gru simple_rnn hardcoded_length hardcoded_batch hardcoded_units global_x
    hardcoded_features
    t2_slices_mixed t2_slices_wrong t2_bias_not_copied t2_recurrent_not_copied t2_kernels_mixed t2_before_build
    t2_attr_assign t2_self_compare t2_compare_before_copy t2_no_abs t2_shape_only t2_stale_output t2_faked
    t2_exact_equality t2_different_inputs weights_not_copied weights_wrong copying_failed comparison_not_found
    syntax_error not_text wrong_extension invalid_notebook invalid_notebook_json not_python empty_file file_too_large
    no_file several_files
    link_only too_complex no_lstm_class lstm_not_class wrong_base_class not_implemented super_init_missing
    no_call_method call_signature init_signature missing_argument missing_package other_file definition_failed
    reserved_name tf1_api name_error attribute_error missing_self past_the_end no_own_answer
    tensor_item_assignment cyrillic_homoglyph raises_in_init raises_in_call recursion
    timeout memory output_flood disk_full too_many_threads crash exits input_call second_call_failed invalid_output
    uses_builtin_lstm uses_builtin_rnn uses_global_keras_layer monkeypatch fake_array forged_result reads_files
    frame_walk gc_reference imports_solution network subprocess env_read write_outside
    steps_missing only_form_differs wrong_values_and_form no_numbers same_form_on_hidden_cases extra_axis wrong_kind
    known_by_heart wrong_values wrong_on_hidden_cases wrong_shape wrong_dtype differs_on_second_call
    gradient_missing gradient_truncated gradient_differs gradient_failed parts_not_found equivalence_not_earned
    own_work_failed not_run internal_error
""".split()  # noqa: SIM905  # two hundred quoted words are hard to read
# Codes of remarks and of what was left out: they have a message and nothing else.
REMARKS = """
    global_x_shape slow prompt_injection plagiarism review_suggested not_fresh_instance guessed_encoding
    keras_generation_used not_needed magic shell_line cell_magic cell_failed cell_timed_out missing_packages
    untracked_weights supplied_cell attack_on_grader
""".split()  # noqa: SIM905
CHECKS = (
    "contract", "equivalence", "generalisation", "statelessness", "trainability", "own_work", "weights_copied",
    "comparison",
)  # fmt: skip


def _catalogue(language):
    with (LOCALE / f"{language}.po").open("rb") as file:
        messages = [message for message in read_po(file, abort_invalid=True) if message.id]
    for message in messages:
        if message.pluralizable:  # Its forms say the same, and are read as one text.
            assert all(message.string), message.id
            message.id, message.string = message.id[0], " ".join(message.string)
    return {message.id: message for message in messages}


CATALOGUES = {language: _catalogue(language) for language in LANGUAGES}


def _documented(catalogue):
    """id -> the parameters named above it, or above the first entry of its code."""
    documented, above = {}, {}
    for id, message in catalogue.items():
        code = re.sub(r"(/\w+)?\.(title|message|hint)(\.\w+)?$", "", id)
        for comment in message.auto_comments:
            above[code] = set(comment.removeprefix("params: ").split(", "))
        documented[id] = above.get(code, set())
    return documented


def _placeholders(message):
    return set(PLACEHOLDER.findall(message.string))


def _report(**parts):
    receipt = Receipt(
        submission_sha256="0" * 64,
        assignment_digest="1",
        grader_version="0",
        created_at=datetime(2025, 1, 1, tzinfo=UTC),
    )
    values = {
        "status": Status.FAILED, "points": 10.0, "max_points": 100.0, "score": 0.1, "checks": [], "receipt": receipt,
        "assignment": AssignmentRef(id="lstm-layer", digest="1"),
        "submission": SubmissionRef(filename="lstm.py", sha256="0" * 64, format="py"),
    }  # fmt: skip
    return Report.model_validate(values | parts)


def _check(status=CheckStatus.FAILED, **values):
    return Check(id="contract", points=0, max_points=10, status=status, **values)


# --- the catalogues ---


def test_every_id_exists_in_every_language():
    assert CATALOGUES["ru"].keys() == CATALOGUES["en"].keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_or_marked_as_unfinished(language):
    assert [id for id, message in CATALOGUES[language].items() if not message.string.strip() or message.fuzzy] == []


def test_both_languages_have_the_same_placeholders():
    differing = [
        id for id, message in CATALOGUES["en"].items() if _placeholders(message) != _placeholders(CATALOGUES["ru"][id])
    ]
    assert differing == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_placeholder_is_documented_above_its_code(language):
    documented = _documented(CATALOGUES[language])
    for id, message in CATALOGUES[language].items():
        # `place` is made out of `line` and `file`.
        assert {"line" if name == "place" else name for name in _placeholders(message)} <= documented[id], id


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_brace_stays_in_a_text_that_is_not_a_placeholder(language):
    assert [
        id for id, message in CATALOGUES[language].items() if set("{}") & set(PLACEHOLDER.sub("", message.string))
    ] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_title_message_and_hint(language):
    wanted = {f"{code}.{part}" for code in CODES for part in ("title", "message", "hint")}
    assert wanted - CATALOGUES[language].keys() == set()
    assert [code for code in CODES if _placeholders(CATALOGUES[language][f"{code}.title"])] == []


def test_every_code_of_the_catalogue_is_in_the_list():
    hints = {id.removesuffix(".hint") for id in CATALOGUES["en"] if id.endswith(".hint")}
    assert {code for code in hints if "/" not in code} == set(CODES)


def test_every_kind_of_error_that_is_told_apart_has_advice():
    assert {f"any/{variant}.hint" for variant in ERROR_VARIANTS} - CATALOGUES["en"].keys() == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_remark_has_a_message_and_nothing_else(language):
    ids = CATALOGUES[language].keys()
    assert {f"{code}.message" for code in REMARKS} <= ids
    assert not {f"{code}.{part}" for code in REMARKS for part in ("title", "hint")} & ids


def test_every_check_has_a_title_and_a_sentence_for_a_plain_pass():
    wanted = {f"check.{check}.{part}" for check in CHECKS for part in ("title", "passed")}
    assert wanted - CATALOGUES["en"].keys() == set()


def test_values_of_the_report_have_words():
    categories = ("exercise", "other_shape", "larger_values", "other_seed")
    ids = {
        *(f"status.{status}" for status in Status),
        *(f"check_status.{status}" for status in CheckStatus),
        *(f"category.{category}" for category in categories),
        *(f"found_in.{place}" for place in ("comment", "markdown", "raw", "cell_magic", "function")),
    }
    assert ids <= CATALOGUES["en"].keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_mixes_latin_and_cyrillic_letters(language):
    words = re.findall(r"[^\W\d_]+", " ".join(message.string for message in CATALOGUES[language].values()))
    assert [word for word in words if len({unicodedata.name(letter).split()[0] for letter in word}) > 1] == []


def test_hints_do_not_give_the_formula_away():
    formulas = ("f*c+i*ch", "f*c+i*g", "o*tanh(c)", "o*tf.tanh(c)", "i*ch")
    for catalogue in CATALOGUES.values():
        for id, message in catalogue.items():
            assert not any(formula in message.string.replace(" ", "") for formula in formulas), id


# --- filling in ---


def test_parameters_are_filled_in():
    text = translate("time_major.message", "en", actual=[5, 2, 3], expected=[2, 5, 3])
    assert text.startswith("Your LSTM returned (5, 2, 3); expected (2, 5, 3) = (batch, timesteps, units).")


def test_a_missing_parameter_shows_as_a_question_mark():
    assert translate("ui.score_of", "en", points=7) == "7 of ?"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1234567, "0.123457"),
        (2e-06, "2e-6"),
        (10**400, "?"),
        (None, "?"),
        ({"a": 1}, "?"),
        ([], "—"),
        (["a", None], "a, ?"),
        ("{points}", "{points}"),
        ("{0.__class__}", "{0.__class__}"),
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("one\ntwo", "one two"),
        ("abc\u202edef", "abc\ufffddef"),
        ("\ud800", "\ufffd"),
        ("y" * 1_000_000, "y" * 199 + "…"),
        ("a sentence " * 30, "a sentence " * 17 + "a sentence…"),
        (["y"] * 1_000_000, "y, " * 67 + "…"),
        (["lstm_cell.fcXI.kernel (kernel I)"] * 12, "lstm_cell.fcXI.kernel (kernel I), " * 5 + "…"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_values_are_shown_short_and_printable(value, shown):
    assert translate("ui.score_of", "en", points=value, max_points=1) == f"{shown} of 1"


@pytest.mark.parametrize(("language", "shown"), [("en", "yours is NaN or infinity,"), ("ru", "NaN или бесконечность")])
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
        ({"place": "elsewhere"}, "not known"),
    ],
)
def test_a_place_is_named_as_far_as_it_is_known(params, place):
    assert f"Where: {place}." in translate("syntax_error.message", "en", **params)


@pytest.mark.parametrize(("language", "shown"), [("en", "0.257 at the first timestep"), ("ru", "на первом шаге 0,257")])
def test_numbers_follow_the_language(language, shown):
    assert shown in translate("chart.over_time_text", language, first=0.2571732, last=0.1, largest=0.4, at=3)


def test_numbers_in_a_row_are_told_apart_where_a_comma_is_part_of_them():
    assert translate("epsilon_added.message.value", "ru", value=[0.5, 0.25]) == "Она примерно равна 0,5; 0,25."


def test_a_variant_says_another_sentence_and_falls_back_to_that_of_its_code():
    diagnosis = Diagnosis(code="returns_tuple", params={"variant": "states"}, confidence="exact")
    unknown = Diagnosis(code="returns_tuple", params={"variant": "of_tomorrow"}, confidence="exact")
    known, plain = render(_report(diagnoses=[diagnosis, unknown]), "en")["diagnoses"]
    assert "the last h and c" in known["message"]
    assert plain["message"].startswith("Your call returned a tuple of several things")


def test_advice_for_a_kind_of_error_serves_every_code():
    params = {"type": "KeyError", "message": "'c'", "variant": "key"}
    diagnoses = [
        Diagnosis(code=code, params=params, confidence="exact") for code in ("raises_in_init", "raises_in_call")
    ]
    hints = {shown["hint"] for shown in render(_report(diagnoses=diagnoses), "en")["diagnoses"]}
    assert len(hints) == 1
    assert hints.pop().startswith("Print the keys of that dict just before the line")


def test_a_consequence_names_its_cause_and_gives_no_advice_of_its_own():
    params = {"categories": ["other_shape"], "follows_from": "gates_swapped_if"}
    check = _check(code="wrong_on_hidden_cases", params=params)
    shown = render(_report(checks=[check]), "en")["checks"][0]
    assert (shown["message"], shown["hint"]) == ("Same cause: “Input and forget gates swapped”.", None)


def test_a_consequence_of_two_mistakes_names_both():
    params = {"follows_from": "bias_missing", "follows_also": ["no_tanh_output"]}
    shown = render(_report(checks=[_check(code="wrong_on_hidden_cases", params=params)]), "ru")["checks"][0]
    assert shown["message"] == "Причины те же: «Не хватает смещения (bias)», «Выход без tanh»."


def test_a_consequence_calls_its_cause_as_the_report_does():
    diagnosis = Diagnosis(code="x_not_used", params={"gates": ["F"], "variant": "gates"}, confidence="exact")
    check = _check(code="wrong_on_hidden_cases", params={"follows_from": "x_not_used"})
    shown = render(_report(checks=[check], diagnoses=[diagnosis]), "en")["checks"][0]
    assert shown["message"] == "Same cause: “Input x is missing from a gate”."


def test_sentences_that_are_added_follow_the_order_of_the_catalogue():
    params = {"gates": ["O"], "function": "hard_sigmoid of Keras 2"}
    diagnosis = Diagnosis(code="wrong_gate_activation", params=params, confidence="exact")
    [shown] = render(_report(diagnoses=[diagnosis]), "ru")["diagnoses"]
    assert shown["message"].endswith("У вас hard_sigmoid, как в Keras 2. Где: выходной вентиль o.")


def test_a_parameter_that_stands_in_the_message_has_no_sentence_beside_it():
    """Reports of an older version know the class that was found, but no variant."""
    for params, told in (({"found": "MyLSTM"}, 1), ({"found": "MyLSTM", "variant": "other_name"}, 1)):
        diagnosis = Diagnosis(code="no_lstm_class", params=params, confidence="exact")
        [shown] = render(_report(diagnoses=[diagnosis]), "en")["diagnoses"]
        assert shown["message"].count("MyLSTM") == told


@pytest.mark.parametrize(
    ("gates", "shown"),
    [
        (["I", "F"], "the input gate i, the forget gate f"),
        (["I", "F", "O"], "all three gates"),
        (["I", "F", "C", "O"], "all three gates and the candidate"),
    ],
)
def test_gates_are_called_by_their_names(gates, shown):
    diagnosis = Diagnosis(code="bias_twice", params={"gates": gates}, confidence="exact")
    [told] = render(_report(diagnoses=[diagnosis]), "en")["diagnoses"]
    assert told["message"].endswith(f"Where: {shown}.")


# What the name of a code says already.
SAID_BY_THE_CODE = {
    *((f"gates_swapped_{pair}", "gates") for pair in ("if", "io", "fo", "co")),
    ("input_transformed", "of"),
    ("tanh_on_state", "of"),
    ("tanh_on_state", "function"),
    ("state_init_ones", "value"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_is_known_of_a_mistake_is_told(language):
    told: dict[str, set[str]] = {}
    for id, message in CATALOGUES[language].items():
        told.setdefault(re.split("[./]", id)[0], set()).update(_placeholders(message))
    known = {(mistake.code, name) for mistake in bank() for name in mistake.params}
    assert {(code, name) for code, name in known if name not in told[code]} == SAID_BY_THE_CODE


def test_the_message_of_a_mistake_has_all_that_it_names():
    """A mistake that is known by its numbers gives no shapes, lines or words of Python."""
    lacking = set()
    for mistake in bank():
        of = f"{mistake.code}/{variant_of([mistake])}.message"
        message = CATALOGUES["en"].get(of) or CATALOGUES["en"][f"{mistake.code}.message"]
        lacking |= {(mistake.name, name) for name in _placeholders(message) - mistake.params.keys()}
    assert lacking == set()


def test_every_variant_of_a_mistake_has_a_sentence():
    names = {mistake.name: mistake.code for mistake in bank()}
    assert {f"{names[name]}/{of}.message" for name, of in MISTAKE_VARIANTS.items()} <= CATALOGUES["ru"].keys()


def test_one_word_is_used_for_a_gate():
    assert [id for id, message in CATALOGUES["ru"].items() if re.search("ворот|гейт", message.string.lower())] == []


def test_a_sentence_that_is_added_names_the_place_too():
    check = _check(code="t2_faked", params={"line": 3, "file": "cell 6"})
    [shown] = render(_report(checks=[check]), "en")["checks"]
    assert shown["message"].endswith("Where: cell 6, line 3.")


def test_kinds_of_cases_are_translated():
    assert "комментарий" in translate("no_lstm_class.message.found_in", "ru", found_in="comment")
    text = translate("wrong_on_hidden_cases.message", "ru", categories=["other_shape", "of_tomorrow"])
    assert "другие размеры, of_tomorrow" in text


def test_parameters_may_be_named_like_our_arguments():
    assert translate("report.seconds", "en", id=1, language=2, self=3, seconds=4) == "4 s"


def test_an_unknown_code_shows_as_itself():
    assert translate("of_tomorrow.message", "ru") == "of_tomorrow"


def test_an_unknown_language_is_refused():
    with pytest.raises(KeyError):
        translate("ui.points", "de")


def test_a_catalogue_can_be_read_from_another_folder(tmp_path):
    for language in LANGUAGES:
        (tmp_path / f"{language}.po").write_text('msgid "greeting"\nmsgstr "{name}!"\n', encoding="utf-8")
    assert Catalogue(tmp_path).text("greeting", "ru", name="Ada") == "Ada!"


PLURAL = """msgid "files"
msgid_plural "files"
"""


@pytest.mark.parametrize(
    ("count", "english", "russian"),
    [(1, "1 file", "1 файл"), (3, "3 files", "3 файла"), (11, "11 files", "11 файлов"), (21, "21 files", "21 файл")],
)
def test_a_text_with_plurals_has_the_form_of_the_count(tmp_path, count, english, russian):
    forms = {"en": ["{count} file", "{count} files"], "ru": ["{count} файл", "{count} файла", "{count} файлов"]}
    for language, strings in forms.items():
        lines = [f'msgstr[{index}] "{string}"\n' for index, string in enumerate(strings)]
        header = f'msgid ""\nmsgstr "Plural-Forms: nplurals={len(strings)}; plural=0;\\n"\n\n'
        (tmp_path / f"{language}.po").write_text(header + PLURAL + "".join(lines), encoding="utf-8")
    catalogue = Catalogue(tmp_path)
    assert [catalogue.text("files", language, count=count) for language in ("en", "ru")] == [english, russian]


def test_a_catalogue_without_a_language_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        Catalogue(tmp_path)


# --- the rendered report ---


def test_render_adds_texts_and_nothing_else():
    report = _report(
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


def test_a_failed_check_says_what_came_and_what_to_try():
    check = render(_report(checks=[_check(code="returns_none")]), "ru")["checks"][0]
    assert check["title"] == "Класс и его ответ"
    assert check["message"].startswith("Ваш call вернул None")
    assert "return" in check["hint"]


def test_a_passed_check_has_a_sentence_of_its_own_and_no_hint():
    check = render(_report(checks=[_check(CheckStatus.PASSED)]), "en")["checks"][0]
    assert check["message"].startswith("There is a class LSTM")
    assert check["hint"] is None


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "Some weights receive no gradient. Expected: every kernel, recurrent kernel and bias can be trained."),
        ({"roles": []}, "can be trained."),
        ({"roles": ["fcXI", "fcHI"]}, "can be trained. They are: fcXI, fcHI."),
    ],
)
def test_a_sentence_is_added_for_a_parameter_that_is_known(params, message):
    check = render(_report(checks=[_check(code="gradient_missing", params=params)]), "en")["checks"][0]
    assert check["message"].endswith(message)


def test_every_added_sentence_belongs_to_a_documented_parameter_of_a_code():
    documented = _documented(CATALOGUES["en"])
    added = [id for id in CATALOGUES["en"] if re.search(r"\.message\.", id)]
    assert added
    for id in added:
        code, _, name = id.partition(".message.")
        assert code in {*CODES, *REMARKS}
        assert name in documented[id]


def test_a_report_of_a_newer_version_is_rendered_with_its_codes():
    report = _report(
        checks=[Check(id="style", points=0, max_points=1, status="failed", code="of_tomorrow")],
        diagnoses=[Diagnosis(code="of_tomorrow", confidence="likely")],
    )
    rendered = render(report, "en")
    assert (rendered["checks"][0]["title"], rendered["checks"][0]["message"]) == ("style", "of_tomorrow")
    assert (rendered["diagnoses"][0]["message"], rendered["diagnoses"][0]["hint"]) == ("of_tomorrow", None)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["{a.b}", "{x[0]}", "\x1b]0;\a"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)
NAMES = st.sampled_from(sorted({"id", "self", "place"} | set().union(*_documented(CATALOGUES["en"]).values())))


@given(
    code=st.sampled_from([*CODES, *REMARKS]) | st.text(),
    params=st.dictionaries(NAMES, JSON),
    language=st.sampled_from(LANGUAGES),
)
def test_no_parameter_breaks_a_report_or_puts_control_characters_into_it(code, params, language):
    report = _report(
        checks=[_check(code=code, params=params)],
        diagnoses=[Diagnosis(code=code, params=params, confidence="exact")],
        advisories=[Advisory(code=code, params=params)],
        extraction=Extraction(cells_skipped=[SkippedCell(index=0, code=code, params=params)]),
    )
    rendered = render(report, language)
    shown = [
        *rendered["checks"],
        *rendered["diagnoses"],
        *rendered["advisories"],
        *rendered["extraction"]["cells_skipped"],
    ]
    for item in shown:
        # The catalogues write numbers with it; no terminal takes it for a command.
        assert item["message"].replace("\N{NO-BREAK SPACE}", " ").isprintable()
        assert len(item["message"]) < 3000


# --- the reader's language ---


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "ru"),
        ("", "ru"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("RU-ru", "ru"),
        ("en;q=0.5, ru;q=0.8", "ru"),
        ("de, en;q=0.3", "en"),
        ("en;q=0", "ru"),
        ("de", "ru"),
        ("*", "ru"),
        ("en;q=nan, ;;, =", "ru"),
    ],
)
def test_the_language_that_the_reader_likes_best_is_chosen(header, language):
    assert negotiate(header, "ru") == language


@given(st.text())
def test_any_header_gives_a_language(header):
    assert negotiate(header, "en") in LANGUAGES
