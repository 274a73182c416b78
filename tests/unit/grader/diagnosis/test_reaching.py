"""Remarks on a submission's reaches; an honest reach costs nothing."""

import pytest

from grader.checks.registry import run_checks
from grader.diagnosis.diagnosis import diagnose
from grader.diagnosis.outcomes import structural_problem
from grader.diagnosis.reaching import attacks, behind, reached_for, worth_a_look
from grader.report.finding import Finding, Remark
from grader.report.model import HELD
from grader.sandbox.events import Reach
from tests.unit.grader.diagnosis.events import failed_event, raised_event


def _attempt(code="network", *, line=5, what="socket.connect"):
    return Reach(event="reach", code=code, what=what, line=line)


def _codes(evidence):
    return [diagnosis.code for diagnosis in diagnose(run_checks(evidence))]


@pytest.mark.parametrize(
    ("reaches", "code"),
    [
        pytest.param([(_attempt(), "call")], "network", id="on the line"),
        # Settings are asked for first.
        ([(_attempt("env_read"), "call"), (_attempt("subprocess"), "call")], "subprocess"),
        pytest.param([(_attempt("write_outside", what="/tmp/.keras"), "call")], "network", id="folder for downloads"),
        pytest.param([(_attempt("reads_files", what="/srv/x.npy"), "call")], "reads_files", id="a file"),
        pytest.param([(_attempt(line=4), "call")], None, id="another line"),
        pytest.param([(_attempt(), "import")], None, id="another phase"),
    ],
)
def test_a_reach_on_the_line_that_raised_is_behind_it(evidence_of, reaches, code):
    found = behind(raised_event(type="OSError", lines=(2, 5)), evidence_of(reaches=reaches).execution)
    assert (found and found.code) == code


def test_a_class_that_a_refused_statement_was_to_make_says_so(evidence_of, class_found):
    failed = [failed_event(line, "OSError", "no") for line in (3, 8)]
    evidence = evidence_of(
        reaches=[(_attempt("reads_files", line=9, what="/data/lstm.txt"), "import")],
        statements_failed=tuple(failed),
        class_found=class_found.model_copy(update={"found": False}),
    )
    assert structural_problem(evidence.execution, evidence.reading) == Finding.of(
        "reads_files", what="/data/lstm.txt", line=9
    )


def test_a_worthless_answer_is_named_after_what_it_was_looked_for_with(evidence_of):
    evidence = evidence_of(lambda case: case.expected * 0, reaches=[(_attempt("gc_reference"), "call")])
    assert _codes(evidence) == ["gc_reference", "constant_output"]


@pytest.mark.parametrize(
    ("source", "codes"),
    [
        ("logging.info(inspect.currentframe().f_code.co_name)", []),
        ("print(sys._getframe(1).f_lineno)", []),
        ("sys._getframe(1).f_locals.values()", ["frame_walk"]),
        ("sys._current_frames()", ["frame_walk"]),
    ],
)
def test_a_look_at_names_and_lines_of_frames_explains_nothing(evidence_of, source, codes):
    reaches = [(_attempt("frame_walk", what="sys._getframe"), "call")]
    evidence = evidence_of(lambda case: case.expected * 0, reading={"source": source}, reaches=reaches)
    assert _codes(evidence) == [*codes, "constant_output"]
    assert [remark.code for remark in worth_a_look(evidence.execution, source)] == codes


def test_numbers_that_a_mistake_explains_are_named_after_the_mistake(evidence_of):
    evidence = evidence_of(lambda case: case.expected[:, ::-1], reaches=[(_attempt(), "call")])
    assert _codes(evidence)[0] == "time_reversed"


def test_beside_a_right_answer_it_is_for_the_teacher_alone(evidence_of):
    reaches = [
        (_attempt(), "call"),
        (_attempt("subprocess", line=1), "import"),
        (_attempt("env_read"), "build"),
        (_attempt("write_outside", line=2, what="/tmp/x"), "import"),
    ]
    evidence = evidence_of(lambda case: case.expected, reaches=reaches, patched=("numpy.abs",))
    assert _codes(evidence) == []
    told = [(remark.code, remark.line) for remark in worth_a_look(evidence.execution, "")]
    assert told == [("monkeypatch", None), ("network", 5), ("write_outside", 2)]


def test_answers_that_imitate_the_runner_are_an_attack(evidence_of):
    execution = evidence_of(forged=True, garbled="an answer that was not asked for").execution
    assert list(attacks(execution, "")) == [Remark(code=HELD, params={"variant": "forged"})]


@pytest.mark.parametrize(
    ("source", "is_attack"),
    [
        ("inspect.currentframe().f_lineno", False),
        ("sys._getframe().f_code.co_name", False),
        ("inspect.currentframe().f_back.f_code.co_name", False),
        ("logging.debug(sys._getframe(1).f_lineno)", False),
        ("[n for n, v in inspect.currentframe().f_back.f_locals.items() if v is x]", False),
        ("[n for fi in inspect.stack() for n, v in fi.frame.f_locals.items() if v is x]", False),
        ("while tb.tb_next: tb = tb.tb_next\nprint(tb.tb_frame.f_code.co_name)", False),
        ("while f: print(f.f_code.co_filename); f = f.f_back", False),
        ("# f_back leads to the caller", False),
        ("while 'request' not in f.f_locals: f = f.f_back", True),
        ("sys._getframe().f_back.f_back.f_locals", True),
        ("sys._getframe(3).f_globals", True),
        ("[fi.frame.f_locals['self'] for fi in inspect.stack()]", True),
        ("exc.__traceback__.tb_frame.f_globals['no_recurrence']", True),
        ("sys._current_frames()", True),
    ],
)
def test_a_look_at_ones_own_frame_is_honest_and_one_at_others_an_attack(evidence_of, source, is_attack):
    evidence = evidence_of(reaches=[(_attempt("frame_walk", what="sys._getframe", line=7), "call")])
    found = list(attacks(evidence.execution, source))
    assert [(remark.params["variant"], remark.line) for remark in found] == ([("frames", 7)] if is_attack else [])


@pytest.mark.parametrize(
    ("code", "what", "source", "variant"),
    [
        ("result_pipe", "dup2", "os.dup2(null, 3)", "pipe"),
        ("grader_module", "driver", "import os, driver", "modules"),
        ("grader_module", "driver", "    from driver import Driver", "modules"),
        ("grader_module", "channel", "sys.modules['channel'].frame", "modules"),
        ("grader_module", "channel", 'sys.modules.get("channel")', "modules"),
        ("grader_module", "roles", "importlib.import_module('roles')", "modules"),
        ("grader_module", "driver", "driver = {'driver': vars(m) for m in sys.modules.values()}", None),
        ("gc_reference", "gc.get_objects", "type(o).__name__ == 'Driver'", "memory"),
        ("gc_reference", "gc.get_objects", "gc.get_referrers(ref)[0]['_channel']", "memory"),
        ("gc_reference", "gc.get_objects", "class Driver: pass\nlen(gc.get_objects())", None),
    ],
)
def test_a_use_of_the_graders_own_things_holds_if_the_source_means_it(evidence_of, code, what, source, variant):
    evidence = evidence_of(reaches=[(_attempt(code, what=what, line=7), "call")])
    found = [(remark.params["variant"], remark.line) for remark in attacks(evidence.execution, source)]
    assert found == ([(variant, 7)] if variant else [])


@pytest.mark.parametrize(
    ("source", "is_attack"),
    [
        ("call = tf.keras.layers.Layer.__call__\ncall.__closure__[1].cell_contents._spoils", True),
        ("def counter(): ...\nprint(counter.__closure__[0].cell_contents)", False),
        ("_spoils = 3", False),
    ],
)
def test_a_look_into_closures_for_the_graders_own_objects_is_an_attack(evidence_of, source, is_attack):
    found = [(remark.params["variant"], remark.line) for remark in attacks(evidence_of().execution, source)]
    assert found == ([("memory", 2)] if is_attack else [])


def test_a_reach_in_the_notebooks_own_run_holds_the_attempt_too(evidence_of):
    reach = Reach(event="reach", code="result_pipe", what="dup2", line=7)
    found = attacks(evidence_of().execution, "os.dup2(1, 3)", [reach])
    assert [(remark.params["variant"], remark.line) for remark in found] == [("pipe", 7)]


def test_code_that_touches_the_grader_is_told_as_nothing_else(evidence_of):
    evidence = evidence_of(reaches=[(_attempt(code), "call") for code in ("result_pipe", "grader_module")])
    assert not list(worth_a_look(evidence.execution, ""))
    assert not list(reached_for(evidence.execution, ""))
