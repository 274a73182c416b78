"""One submission after another: whatever a run starts or changes in Python ends with it."""


def test_threads_that_never_end_do_not_keep_a_run_open(attack):
    report = attack(class_body="threading.Thread(target=time.sleep, args=[1000]).start()")
    assert (report.status, report.points) == ("passed", 100)


CHANGES = {
    "tf functions": "tf.stack = tf.zeros = tf.tanh = lambda *a, **k: None",
    "sys.modules": "sys.modules.clear()",
    "builtins": "import builtins\nbuiltins.len = builtins.print = lambda *a: 0",
    "Dense": "tf.keras.layers.Dense.call = lambda self, x: x",
    "the runner's JSON": "json.dumps = lambda *a, **k: '{}'",
    "files": "sys.path.insert(0, os.getcwd())\nopen('roles.py', 'w').write('raise SystemExit')",
    "whatever gc finds": "import gc\nfor o in gc.get_objects():\n    if type(o) is dict: o.pop('np', None)",
    "the runner": (
        "sys.modules['driver.asking'].Driver._ask = sys.modules['channel'].Channel.send = lambda *a, **k: None"
    ),
    "settings": "tf.config.run_functions_eagerly(True)\ntf.keras.backend.set_floatx('float16')\nos._exit(0)",
}


def test_changes_by_a_submission_do_not_reach_the_next_one(attack):
    """Each of them would show in the honest one after all of them."""
    for name, body in CHANGES.items():
        assert attack(class_body=body).status != "internal_error", name
