"""What every set of frame descriptors must keep."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from features.descriptors import catalogue
from features.descriptors.catalogue import (
    FEATURE_SETS,
    FUNCTIONALS,
    SETS,
    extractor_version,
    feature_set,
)
from features.descriptors.feature_set import FeatureSet
from features.errors import CorpusError

ROOT = Path(catalogue.__file__).resolve().parents[2]
COLUMNS = {"lld78": 78, "is10": 76, "lld35": 33, "logmel128": 128, "egemaps": 88}

each = pytest.mark.parametrize("name", FEATURE_SETS)
each_of_frames = pytest.mark.parametrize(
    "name", [name for name in FEATURE_SETS if name not in FUNCTIONALS]
)


def noise(samples: int) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)


FILES = sorted(p.stem for p in (ROOT / "features/descriptors/sets").glob("[!_]*.py"))


@pytest.mark.parametrize("file", FILES)
def test_each_file_is_a_set_of_the_catalogue(file: str) -> None:
    assert file in SETS, f"sets/{file}.py must have its name in descriptors/catalogue.SETS"


@each
def test_each_set_is_complete_and_its_columns_are_counted_here(name: str) -> None:
    assert isinstance(SETS[name], FeatureSet)
    assert SETS[name].name == name
    assert SETS[name].about and "\n" not in SETS[name].about
    assert name in COLUMNS, f"COLUMNS of this test must say how many columns `{name}` has"


@each
def test_there_are_as_many_names_as_columns_and_none_twice(name: str) -> None:
    names = SETS[name].names()
    assert len(set(names)) == len(names) == COLUMNS.get(name)
    assert SETS[name].extract(noise(8_000)).shape[1] == len(names)


@each
@pytest.mark.parametrize("samples", [0, 1, 799, 1279, 1600])
def test_short_signals_and_silence_give_frames_that_are_numbers(name: str, samples: int) -> None:
    for signal in (noise(samples), np.zeros(samples, np.float32)):
        frames = SETS[name].extract(signal)
        assert frames.dtype == np.float32 and frames.flags.c_contiguous
        assert len(frames) == 1 if name in FUNCTIONALS else len(frames) >= 3
        assert np.isfinite(frames).all()


@each_of_frames
def test_a_frame_comes_every_ten_milliseconds(name: str) -> None:
    assert SETS[name].frame_step_ms == 10
    one, two = (len(SETS[name].extract(noise(n))) for n in (16_000, 32_000))
    assert two - one == 100


@each
def test_only_functionals_give_one_row_for_two_seconds(name: str) -> None:
    assert (len(SETS[name].extract(noise(32_000))) == 1) == (name in FUNCTIONALS)


def test_functionals_stand_last() -> None:
    last = FEATURE_SETS[-len(FUNCTIONALS) :]
    assert last == FUNCTIONALS, f"descriptors/catalogue.SETS must have {FUNCTIONALS} at its end"
    assert FUNCTIONALS[0] == "egemaps", "errors propose the first one: `egemaps` must stay it"


@each
def test_the_same_signal_gives_the_same_bits_after_others(name: str) -> None:
    first = SETS[name].extract(noise(5_000))
    SETS[name].extract(noise(9_000))
    assert np.array_equal(SETS[name].extract(noise(5_000)), first)


@each
def test_a_set_pickles_and_stereo_is_refused(name: str) -> None:
    again = pickle.loads(pickle.dumps(SETS[name]))
    assert np.array_equal(again.extract(noise(3_000)), SETS[name].extract(noise(3_000)))
    expected = r"^`signal` must have shape \(samples,\), but has \(2, 100\) instead\.$"
    with pytest.raises(ValueError, match=expected):
        SETS[name].extract(np.zeros((2, 100), np.float32))


def test_versions_differ_and_start_no_engine() -> None:
    assert len({extractor_version(name) for name in SETS}) == len(SETS)
    code = (
        "import sys; from features.descriptors.catalogue import SETS, extractor_version; "
        "[extractor_version(name) for name in SETS]; "
        "print([m for m in ('numpy', 'opensmile', 'librosa') if m in sys.modules])"
    )
    out = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert out == "[]\n"


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(CorpusError, match=r"^`features` must be one of .*, but is `x` instead\.$"):
        feature_set("x")
