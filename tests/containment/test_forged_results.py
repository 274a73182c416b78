"""Submissions that write to the result pipe themselves. Whatever they say, it must be compared, and it must add up."""

from __future__ import annotations

import pytest

# What a forger would write: frames in the runner's own layout.
FORGERY = """
import safetensors.numpy

def frame(body, arrays=None):
    text = json.dumps(body).encode()
    block = safetensors.numpy.save(arrays) if arrays else b''
    return struct.pack('<II', len(text), len(block)) + text + block

def output(case, array, **changes):
    body = dict(event='output', case=case, call=0, reused=False, kind='tensor',
                dtype='float32', shape=list(array.shape), parts=None)
    return frame(body | changes, {'output': array})

CLASS = frame(dict(event='class', found=True, is_class=True, kind='type', is_model=True, own=True,
                   bases=['submission.LSTM', 'keras.src.models.model.Model'], has_call=True, is_stub=False))
PARTS = frame(dict(event='parts', roles={'fcXI': 'cell.fcXI'}, evidence='names', candidates=1, found=[]))
# The names of questions say nothing, so they are read from the driver.
def questions():
    at = sys._getframe()
    while 'questions' not in (at.f_locals.get('request') or ()): at = at.f_back
    return at.f_locals['request']['questions']

ASKED = questions()
ZEROS = {asked['id']: np.zeros((asked['batch'], asked['timesteps'], asked['units']), np.float32) for asked in ASKED}
EXERCISE = next(asked['id'] for asked in ASKED if asked['main'])
MEASURED = next(asked['id'] for asked in ASKED if asked['measure'])
ANSWERS = b''.join(output(case, array) for case, array in ZEROS.items())
DONE = frame(dict(event='done', phases={}))

def forge(data):
    while data:
        data = data[os.write(3, data):]
"""


def forging(expression, *, go_on=False):
    """An attack that writes the value of `expression` to the result pipe and, unless told to go on, ends."""
    ending = "" if go_on else "\nos._exit(0)"
    return {"top": FORGERY, "class_body": f"forge({expression}){ending}"}


def test_plausible_frames_with_wrong_numbers_are_a_wrong_answer(attack):
    report = attack(**forging("CLASS + PARTS + ANSWERS + DONE"))
    assert report.status == "failed"
    assert report.points <= 10
    assert report.cases[0].first_divergence is not None


def test_claimed_gradients_and_repeats_earn_nothing_beside_wrong_numbers(attack):
    gradients = "frame(dict(event='gradients', case=MEASURED, reach={'w': 1.0}, first_timestep=1.0))"
    repeats = "output(EXERCISE, ZEROS[EXERCISE], call=1)"
    report = attack(**forging(f"CLASS + PARTS + ANSWERS + {repeats} + {gradients} + DONE"))
    assert report.status == "failed"
    assert report.points <= 10


def test_nan_in_forged_arrays_is_never_close(attack):
    nan = "b''.join(output(case, array * np.float32('nan')) for case, array in ZEROS.items())"
    report = attack(**forging(f"CLASS + PARTS + {nan} + DONE"))
    assert report.status == "failed"
    assert report.points <= 10
    assert report.cases[0].nonfinite.nan == 2 * 100 * 32


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("b'\\xff' * 1000", id="garbage"),
        pytest.param("bytes(1000)", id="zeros"),
        pytest.param('b\'{"event": "done"}\' * 100', id="JSON without frames"),
        pytest.param("struct.pack('<II', 2**32 - 1, 2**32 - 1)", id="a frame of 8 GB"),
        pytest.param("CLASS[:-5]", id="a frame that is cut off"),
        pytest.param("DONE + DONE", id="more after the end"),
        pytest.param("DONE + b'x'", id="a byte after the end"),
        pytest.param("frame([])", id="an event that is a list"),
        pytest.param("frame(dict(event='passed', points=100))", id="an event that does not exist"),
        pytest.param("frame(dict(event='done', phases={}, points=100))", id="a field that does not exist"),
        pytest.param("struct.pack('<II', 200000, 0) + b'[' * 200000", id="deep JSON"),
        pytest.param("struct.pack('<II', 5000, 0) + b'1' * 5000", id="a huge number"),
        pytest.param("struct.pack('<II', 4, 0) + b'\\xff\\xfe\\xfd\\xfc'", id="JSON that is not UTF-8"),
        pytest.param("frame(dict(event='phase', name='import')) * 3000", id="too many frames"),
        pytest.param("CLASS + output(EXERCISE, ZEROS[EXERCISE], shape=[2, 100])", id="a shape that does not fit"),
        pytest.param("CLASS + output('nobody_asked', ZEROS[EXERCISE])", id="a case that was not asked"),
        pytest.param(
            "CLASS + frame(dict(event='done', phases={}), {'output': ZEROS[EXERCISE]})", id="arrays where none belong"
        ),
        pytest.param("CLASS + output(EXERCISE, ZEROS[EXERCISE].astype(np.int32))", id="integers"),
        pytest.param("struct.pack('<II', len(b'{}'), 8) + b'{}' + b'\\xff' * 8", id="an empty object"),
        pytest.param(
            "CLASS + (lambda b: struct.pack('<II', len(b), 16) + b + struct.pack('<Q', 2**63) + bytes(8))"
            "(output(EXERCISE, ZEROS[EXERCISE])[8:].split(b'}')[0] + b'}')",
            id="arrays with a huge header",
        ),
        pytest.param("CLASS + PARTS + ANSWERS + ANSWERS + DONE", id="every answer twice"),
        pytest.param("CLASS + CLASS", id="two classes"),
        pytest.param("CLASS + PARTS + PARTS", id="parts found twice"),
        pytest.param("CLASS + frame(dict(event='trial', case=EXERCISE, pairing={})) * 2", id="two trials"),
        pytest.param(
            "CLASS + 101 * frame(dict(event='raised', phase='call', case='', type='', bases=[], message='', lines=[]))",
            id="more exceptions than cases",
        ),
        pytest.param(
            "CLASS + (lambda text, header: struct.pack('<II', len(text), 8 + len(header)) + text +"
            " struct.pack('<Q', len(header)) + header)("
            "json.dumps(dict(event='trial', case=EXERCISE, pairing={})).encode(),"
            " json.dumps({str(n): dict(dtype='F32', shape=[0], data_offsets=[0, 0]) for n in range(10**5)}).encode())",
            id="a hundred thousand arrays",
        ),
    ],
)
@pytest.mark.parametrize("go_on", [False, True], ids=["then ends", "then goes on"])
def test_bytes_that_do_not_add_up_are_an_invalid_output(attack, data, go_on):
    report = attack(**forging(data, go_on=go_on))
    assert (report.status, report.points) == ("invalid_output", 0)
    (diagnosis,) = report.diagnoses
    assert diagnosis.code in ("invalid_output", "forged_result")


@pytest.mark.parametrize(
    "event",
    [
        pytest.param("dict(event='done', phases={'import': float('nan'), 'call': float('inf')})", id="not finite"),
        pytest.param("dict(event='done', phases={'import': -1e308})", id="a negative time"),
        pytest.param("dict(event='done', phases={'x' * 7000 + str(i): 0.0 for i in range(1000)})", id="7 MB of phases"),
        pytest.param(
            "dict(event='raised', phase='call', case=EXERCISE, type='E', bases=[], message='', lines=[2**70, -5])",
            id="huge line numbers",
        ),
        pytest.param(
            "dict(event='output', case=EXERCISE, call=0, reused=False, kind='tensor', "
            "dtype='float32', shape=[2**70], parts=None)",
            id="a huge shape without an array",
        ),
        pytest.param(
            "dict(event='output', case=EXERCISE, call=0, reused=False, kind='tuple', "
            "dtype=None, shape=None, parts=[[2**70]])",
            id="huge parts",
        ),
        pytest.param(
            "dict(event='parts', roles={'a' * 7000 + str(i): 'b' for i in range(1000)}, evidence='names', "
            "candidates=2**70, found=[])",
            id="7 MB of roles",
        ),
        pytest.param(
            "dict(event='statement_failed', line=2**70, code='cell_failed', type='E', message='m')", id="a huge line"
        ),
        pytest.param(
            "dict(event='class', found=False, is_class=True, kind='', is_model=True, own=True, bases=[], "
            "has_call=True, is_stub=False)",
            id="a class that contradicts itself",
        ),
    ],
)
def test_numbers_that_no_report_can_hold_end_in_a_report_all_the_same(attack, event):
    report = attack(**forging(f"CLASS + frame({event})"))
    assert report.status not in ("internal_error", "passed")
    assert report.points <= 10
    assert report.digest() == report.receipt.report_sha256
    assert len(report.model_dump_json()) < 1_000_000


# As much as is believed of everything.
LOUD = """
long = 'n' * 400
names = [f'{n}{long}'[:400] for n in range(1000)]
failed = dict(event='statement_failed', line=1, code='cell_failed', type=long, message='/a' * 4000)
raised = dict(event='raised', phase='call', case=EXERCISE, type=long, bases=[long] * 50, message='/a' * 4000,
              lines=[1] * 50)
events = [failed] * 100 + [raised] * 100 + [dict(event='phase', name='call')] * 990
parts = dict(event='parts', roles=dict.fromkeys(names[:20], long), evidence='names', candidates=1, found=[long] * 100)
reach = dict(event='gradients', case=MEASURED, reach=dict.fromkeys(names, 0.0), first_timestep=0.0)
built_in = [dict(name=name, layer=long, line=1, is_global=False) for name in names[:50]]
answers = b''.join(output(case, array, built_in=built_in) for case, array in ZEROS.items())
said = b''.join(map(frame, events)) + CLASS + frame(parts) + answers + frame(reach)
"""


def test_a_run_that_says_as_much_as_it_can_gets_a_report_that_people_can_read(attack):
    report = attack(top=FORGERY + LOUD, class_body="forge(said + DONE)\nos._exit(0)")
    assert (report.status, report.points) == ("failed", 10)
    assert len(report.model_dump_json()) < 500_000


@pytest.mark.parametrize(
    "event",
    [
        pytest.param("dict(event='phase', name='call')", id="phases"),
        pytest.param(
            "dict(event='statement_failed', line=1, code='cell_failed', type='E', message='/a' * 4000)", id="failures"
        ),
    ],
)
def test_frames_without_an_end_are_an_output_limit(attack, event):
    report = attack(top=FORGERY, class_body=f"many = frame({event}) * 1000\nwhile True: forge(many)")
    assert (report.status, report.points) == ("output_limit", 0)
    assert len(report.model_dump_json()) < 200_000


def test_a_forged_end_inside_a_call_does_not_hide_what_the_runner_says(attack):
    report = attack(top=FORGERY, call="forge(DONE)")
    assert (report.status, report.points) == ("invalid_output", 0)
    assert [diagnosis.code for diagnosis in report.diagnoses] == ["forged_result"]
    assert report.is_held


def test_a_run_that_is_over_before_it_said_more_is_forged_too(attack):
    """One that says nothing more for a second after its end is ended; what it did not answer tells then."""
    report = attack(top=FORGERY, call="forge(DONE)\nsignal.pause()")
    assert (report.status, report.points) == ("invalid_output", 0)
    assert [diagnosis.code for diagnosis in report.diagnoses] == ["forged_result"]
    assert report.is_held


def test_an_array_subclass_that_calls_itself_equal_is_compared_as_numbers(attack):
    report = attack(
        class_body="""
        class Equal(np.ndarray):
            def __eq__(self, other): return np.True_
            def __le__(self, other): return np.True_
            def __array_ufunc__(self, *args, **kwargs): return np.zeros(())
        """,
        call="return np.zeros((x.shape[0], x.shape[1], self.h_size), np.float32).view(LSTM.Equal)",
    )
    assert report.status == "failed"
    assert report.points == 0
