"""A store of cases: what it builds again, what it refuses, and what it keeps apart."""

import dataclasses
import stat
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference import CaseSpec, ReferenceMismatch, ReferenceStore, ReferenceUnavailable, store
from reference.store import check_against_oracle

SPECS = (
    CaseSpec("public", "public", "shape", batch=2, timesteps=5, features=4, units=3, seed=7),
    CaseSpec("hidden", "hidden", "shape", batch=3, timesteps=4, features=2, units=5, seed=8),
)


@pytest.fixture
def cache_dir(tmp_path):
    return tmp_path / "cache"


def cache_file(cache_dir):
    (path,) = cache_dir.glob("*.safetensors")
    return path


def test_a_load_is_answered_from_memory_and_another_store_reads_what_the_first_one_wrote(cache_dir, builder):
    first = ReferenceStore(cache_dir, build=builder)
    written = first.load(SPECS, digest="abc")
    assert first.load(list(SPECS), digest="abc") is written
    read = ReferenceStore(cache_dir, build=builder).load(SPECS, digest="abc")
    assert builder.call_count == 1
    assert tuple(case.spec for case in read) == SPECS
    for before, after in zip(written, read, strict=True):
        np.testing.assert_array_equal(after.x, before.x)
        np.testing.assert_array_equal(after.expected, before.expected)
        assert not after.x.flags.writeable


def test_other_specs_under_the_same_digest_are_built(cache_dir, builder):
    ReferenceStore(cache_dir, build=builder).load(SPECS, digest="abc")
    other = dataclasses.replace(SPECS[0], seed=99)
    (case,) = ReferenceStore(cache_dir, build=builder).load([other], digest="abc")
    assert case.spec == other
    assert builder.call_count == 2


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ("version", lambda name: "9.9" if name == "tensorflow" else "3"),
        ("version", lambda name: "9.9" if name == "keras" else "2.21"),
        ("_recipe", lambda: "the code of keras_layer.py has changed"),
    ],
    ids=["another TensorFlow", "another Keras", "another recipe"],
)
def test_another_version_or_recipe_has_the_answers_built_again(cache_dir, builder, monkeypatch, changed, value):
    ReferenceStore(cache_dir, build=builder).load(SPECS, digest="abc")
    monkeypatch.setattr(metadata if changed == "version" else store, changed, value)
    ReferenceStore(cache_dir, build=builder).load(SPECS, digest="abc")
    assert builder.call_count == 2
    assert len(list(cache_dir.glob("abc-*.safetensors"))) == (2 if changed == "version" else 1)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: data[:-1], id="last byte missing"),
        pytest.param(lambda data: data.replace(b"public/bias", b"public/bits"), id="array renamed"),
        pytest.param(lambda data: data.replace(b"__metadata__", b"__metadatb__"), id="metadata gone"),
    ],
)
def test_damaged_file_is_built_again(cache_dir, builder, damage):
    ReferenceStore(cache_dir, build=builder).load(SPECS, digest="abc")
    good = cache_file(cache_dir).read_bytes()
    cache_file(cache_dir).write_bytes(damage(good))
    ReferenceStore(cache_dir, build=builder).load(SPECS, digest="abc")
    assert builder.call_count == 2
    ReferenceStore(cache_dir, build=builder).load(SPECS, digest="abc")
    assert builder.call_count == 2


@settings(deadline=None)  # It writes and reads files.
@given(st.data())
def test_no_flipped_bit_changes_an_answer(build_with_oracle, data):
    with tempfile.TemporaryDirectory() as folder:
        good = ReferenceStore(Path(folder), build=build_with_oracle).load(SPECS, digest="abc")
        path = cache_file(Path(folder))
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        read = ReferenceStore(Path(folder), build=build_with_oracle).load(SPECS, digest="abc")
    for before, after in zip(good, read, strict=True):
        assert after.spec == before.spec
        np.testing.assert_allclose(after.expected, before.expected, rtol=0, atol=2e-6)


def off_by(error, build):
    """Build like `build`, with one number of the last answer changed."""

    def build_wrongly(specs):
        arrays = build(specs)
        arrays[f"{specs[-1].id}/expected"][1, 2, 0] += error
        return arrays

    return build_wrongly


@pytest.mark.parametrize("error", [-1e-5, 1.5e-6, float("nan")])
def test_keras_and_oracle_that_disagree_stop_the_build(cache_dir, build_with_oracle, error):
    references = ReferenceStore(cache_dir, build=off_by(error, build_with_oracle))
    with pytest.raises(ReferenceMismatch, match="case 'hidden': Keras and the oracle differ by"):
        references.load(SPECS, digest="abc")
    assert not list(cache_dir.glob("*.safetensors"))


def test_larger_values_may_differ_three_times_as_much(make_case):
    case = make_case(dataclasses.replace(SPECS[0], scale=3))
    near, far = case.expected.copy(), case.expected.copy()
    near[0, 0, 0] += 2.5e-6
    far[0, 0, 0] += 3.5e-6
    assert check_against_oracle(dataclasses.replace(case, expected=near)) == pytest.approx(2.5e-6, rel=0.1)
    with pytest.raises(ReferenceMismatch, match="limit 3e-06"):
        check_against_oracle(dataclasses.replace(case, expected=far))


def test_signalling_nan_in_the_weights_is_a_mismatch_and_not_a_warning(make_case):
    case = make_case(SPECS[0])
    case.weights.kernel.view(np.uint32)[0, 0] = 0x7FA00000
    with pytest.raises(ReferenceMismatch, match="differ by nan"):
        check_against_oracle(case)


def test_threads_that_ask_at_once_share_one_build(cache_dir, builder):
    references = ReferenceStore(cache_dir, build=builder)
    start = threading.Barrier(8)

    def load(_):
        start.wait()
        return references.load(SPECS, digest="abc")

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(load, range(8)))
    assert builder.call_count == 1
    assert all(answer is answers[0] for answer in answers)


def test_failed_build_is_tried_again_by_the_next_caller(cache_dir, build_with_oracle):
    builder = Mock(side_effect=[ReferenceUnavailable("out of memory"), build_with_oracle(SPECS)])
    references = ReferenceStore(cache_dir, build=builder)
    with pytest.raises(ReferenceUnavailable, match="out of memory"):
        references.load(SPECS, digest="abc")
    assert references.load(SPECS, digest="abc")


def test_only_the_owner_can_read_the_answers(cache_dir, builder):
    ReferenceStore(cache_dir, build=builder).load(SPECS, digest="abc")
    assert stat.S_IMODE(cache_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(cache_file(cache_dir).stat().st_mode) == 0o600


def test_file_that_a_crash_left_unfinished_is_overwritten(cache_dir, builder):
    ReferenceStore(cache_dir, build=builder).load(SPECS, digest="abc")
    cache_file(cache_dir).rename(cache_file(cache_dir).with_suffix(".unfinished"))
    ReferenceStore(cache_dir, build=builder).load(SPECS, digest="abc")
    assert sorted(path.suffix for path in cache_dir.iterdir()) == ["", ".safetensors"]


def test_cache_folder_that_is_a_file_is_reported(tmp_path, builder):
    (tmp_path / "cache").write_text("not a folder")
    with pytest.raises(ReferenceUnavailable, match=r"cannot be built or stored in .*/cache: File exists"):
        ReferenceStore(tmp_path / "cache", build=builder).load(SPECS, digest="abc")


def test_specs_and_digests_that_are_no_names_of_files_are_refused(cache_dir, builder, monkeypatch):
    references = ReferenceStore(cache_dir, build=builder)
    with pytest.raises(ValueError, match="same id"):
        references.load([SPECS[0], SPECS[0]], digest="abc")
    with pytest.raises(ValueError, match="file name"):
        references.load(SPECS, digest="../abc")
    monkeypatch.setattr(metadata, "version", Mock(side_effect=metadata.PackageNotFoundError))
    with pytest.raises(ReferenceUnavailable, match="tensorflow is not installed"):
        references.load(SPECS, digest="abc")
