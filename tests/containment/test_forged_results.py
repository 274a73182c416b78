"""Submissions that write to the result pipe themselves. Whatever they say, it must be compared, and it must add up."""

from tests.containment.conftest import verdict

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
AXES = ('batch', 'timesteps', 'units')
ZEROS = {asked['id']: np.zeros([asked['sizes'][axis] for axis in AXES], np.float32) for asked in ASKED}
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


def test_claimed_gradients_and_repeats_earn_nothing_beside_wrong_numbers(attack):
    gradients = "frame(dict(event='gradients', case=MEASURED, reach={'w': 1.0}, first_timestep=1.0))"
    repeats = "output(EXERCISE, ZEROS[EXERCISE], call=1)"
    report = attack(**forging(f"CLASS + PARTS + ANSWERS + {repeats} + {gradients} + DONE"))
    assert report.status == "failed"
    assert report.points <= 10
    assert report.cases[0].first_divergence is not None


def test_nan_in_forged_arrays_is_never_close(attack):
    nan = "b''.join(output(case, array * np.float32('nan')) for case, array in ZEROS.items())"
    report = attack(**forging(f"CLASS + PARTS + {nan} + DONE"))
    assert report.status == "failed"
    assert report.points <= 10
    assert report.cases[0].nonfinite.nan == 2 * 100 * 32


# More of what is no answer is in tests/unit/grader/sandbox/test_protocol.py, without a box.
GARBLED = {
    "garbage": "b'\\xff' * 1000",
    "a frame of 8 GB": "struct.pack('<II', 2**32 - 1, 2**32 - 1)",
    "an end of 60 MB": "struct.pack('<II', 60_000_031, 0) + b' ' * 60_000_000 + DONE[8:]",
    "every answer twice": "CLASS + PARTS + ANSWERS + ANSWERS + DONE",
    "a hundred thousand arrays": (
        "CLASS + (lambda text, header: struct.pack('<II', len(text), 8 + len(header)) + text +"
        " struct.pack('<Q', len(header)) + header)("
        "json.dumps(dict(event='trial', case=EXERCISE, pairing={})).encode(),"
        " json.dumps({str(n): dict(dtype='F32', shape=[0], data_offsets=[0, 0]) for n in range(10**5)}).encode())"
    ),
}
NO_REPORT_HOLDS = {
    "7 MB of phases": "dict(event='done', phases={'x' * 7000 + str(i): 0.0 for i in range(1000)})",
    "huge line numbers": (
        "dict(event='raised', phase='call', case=EXERCISE, type='E', bases=[], message='', lines=[2**70, -5])"
    ),
    "a class that contradicts itself": (
        "dict(event='class', found=False, is_class=True, kind='', is_model=True, own=True, bases=[], "
        "has_call=True, is_stub=False)"
    ),
}


def test_bytes_that_do_not_add_up_are_an_invalid_output(attack):
    codes = ("invalid_output", "forged_result")
    for name, data in GARBLED.items():
        report = attack(**forging(data))
        assert (report.status, report.points, report.diagnoses[0].code in codes) == ("invalid_output", 0, True), name


def test_garbage_before_honest_answers_is_an_invalid_output(attack):
    report = attack(**forging(GARBLED["garbage"], go_on=True))
    assert (report.status, report.points) == ("invalid_output", 0)


def test_numbers_that_no_report_can_hold_end_in_a_report_all_the_same(attack):
    for name, event in NO_REPORT_HOLDS.items():
        report = attack(**forging(f"CLASS + frame({event})"))
        assert report.status not in ("internal_error", "passed"), name
        assert report.points <= 10, name
        assert report.digest() == report.receipt.report_sha256, name
        assert len(report.model_dump_json()) < 1_000_000, name


# As much as is believed of everything.
LOUD = """
long = 'n' * 400
names = [f'{n}{long}'[:400] for n in range(1000)]
failed = dict(event='statement_failed', line=1, raised_at=1, code='cell_failed', type=long, message='/a' * 4000)
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


def test_frames_without_an_end_are_an_output_limit(attack):
    event = "dict(event='statement_failed', line=1, raised_at=1, code='cell_failed', type='E', message='/a' * 4000)"
    report = attack(top=FORGERY, class_body=f"many = frame({event}) * 1000\nwhile True: forge(many)")
    assert (report.status, report.points) == ("output_limit", 0)
    assert len(report.model_dump_json()) < 200_000


def test_a_forged_end_inside_a_call_does_not_hide_what_the_runner_says(attack):
    """One that says nothing more for a second after its end is ended; what it did not answer tells then."""
    for call in ("forge(DONE)", "forge(DONE)\nsignal.pause()"):
        report = attack(top=FORGERY, call=call)
        assert verdict(report) == ("invalid_output", 0, "forged_result"), call
        assert report.is_held, call
