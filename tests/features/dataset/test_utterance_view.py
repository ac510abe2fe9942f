from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from features.audio import read_mono
from features.corpora.corpus import Corpus
from features.dataset.utterance_view import find, view_utterance
from features.descriptors.catalogue import SETS
from features.errors import CorpusError


def test_an_utterance_is_shown_as_the_extractors_hear_it(demo: Corpus) -> None:
    utterance = demo.utterances[0]
    path = Path(demo.root) / utterance.path
    seen = view_utterance(path, "lld78", utterance)
    assert (seen.name, seen.speaker, seen.emotion) == ("female-1-angry-1", "female-1", "angry")
    assert (seen.rate, seen.channels, seen.doubts) == (22_050, 1, ())
    assert np.array_equal(seen.frames_TF, SETS["lld78"].extract(read_mono(path)))
    assert np.array_equal(seen.logmel_TM, SETS["logmel128"].extract(read_mono(path)))
    assert len(seen.centres_M) == 128 and len(seen.columns) == 78
    assert seen.segments == ((0, len(seen.frames_TF)),)


def test_a_part_of_a_file_and_its_graphs_are_shown(
    make: Any, write_wav: Any, tmp_path: Path
) -> None:
    path = write_wav(tmp_path / "a.wav", make.tone(4.0, 16_000))
    seen = view_utterance(path, "lld78", make.utterance("a", "ann", "sad", start=0.5, end=3.5))
    assert seen.seconds == 3.0 and len(seen.signal_S) == 48_000
    assert [stop - start for start, stop in seen.segments] == [120, 120, 58]


@pytest.mark.parametrize(
    ("features", "column"),
    [
        ("lld78", "pcm_intensity_sma"),
        ("is10", "logMelFreqBand_sma[7]"),
        ("lld35", "pcm_fftMag_mfcc[12]"),
        ("logmel128", "logmel[100]"),
    ],
)
def test_a_frame_stands_where_it_was_heard(
    write_wav: Any, tmp_path: Path, features: str, column: str
) -> None:
    """A burst of noise from 0.50 to 0.52 s: the middle of the column's rise lies at 0.51 s."""
    samples = np.zeros(16_000)
    samples[8_000:8_320] = 0.5 * np.random.default_rng(0).uniform(-1, 1, 320)
    seen = view_utterance(write_wav(tmp_path / "a.wav", samples), features)
    values_T = seen.frames_TF[:, seen.columns.index(column)].astype(float)
    weights_T = np.maximum(values_T - np.median(values_T), 0) / np.ptp(values_T)
    times_T = seen.first_ms / 1000 + np.arange(len(values_T)) / 100
    assert abs((weights_T * times_T).sum() / weights_T.sum() - 0.51) < 0.006


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (96_000, 1), (16_000, 8)])
def test_any_rate_and_channel_count_is_shown(
    make: Any, write_wav: Any, tmp_path: Path, rate: int, channels: int
) -> None:
    samples = np.stack([make.tone(0.5, rate)] * channels, axis=1)
    seen = view_utterance(write_wav(tmp_path / "a.wav", samples, rate), "is10")
    assert (seen.rate, seen.channels) == (rate, channels)
    assert len(seen.signal_S) == 8_000 and np.isfinite(seen.frames_TF).all()


@pytest.mark.parametrize(
    ("samples", "doubts"),
    [(np.zeros(16_000), ("silent",)), (np.full(100, 0.5), ("shorter than 50 ms",))],
)
def test_what_looks_wrong_is_shown_and_said(
    write_wav: Any, tmp_path: Path, samples: Any, doubts: tuple[str, ...]
) -> None:
    assert view_utterance(write_wav(tmp_path / "a.wav", samples), "lld78").doubts == doubts


def test_speech_behind_a_header_that_says_0_is_drawn_and_doubted(
    write_wav: Any, tmp_path: Path
) -> None:
    path = write_wav(tmp_path / "a.wav")
    data = bytearray(path.read_bytes())
    data[40:44] = bytes(4)
    path.write_bytes(data)
    seen = view_utterance(path, "lld78")
    assert (seen.seconds, seen.doubts) == (0.3, ("its header says 0 samples",))


def test_what_is_no_recording_is_refused(write_wav: Any, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no audio")
    (tmp_path / "empty.wav").write_bytes(b"")
    write_wav(tmp_path / "zero.wav", np.zeros(0))
    soundfile.write(
        tmp_path / "nan.wav", np.array([0, np.nan] * 99, np.float32), 16_000, subtype="FLOAT"
    )
    said = {
        "text.wav": "text, not audio",
        "empty.wav": "empty",
        "zero.wav": "without a sample",
        "nan.wav": "holds values that are no numbers",
        "gone.wav": "missing",
        ".": "a folder",
    }
    for name, reason in said.items():
        with pytest.raises(CorpusError) as refused:
            view_utterance(tmp_path / name, "lld78")
        assert str(refused.value) == (
            f"`UTTERANCE` must be a recording that can be used, but {tmp_path / name} cannot "
            f"({reason}): restore it, or choose another."
        )


def test_what_no_picture_could_show_is_refused(
    write_wav: Any, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.dataset.utterance_view.LONGEST_S", 1.0)
    path = write_wav(tmp_path / "a.wav", make.tone(2.0, 16_000))
    with pytest.raises(CorpusError, match=r"must be at most 1 s long, but .* has 2 s instead"):
        view_utterance(path, "lld78")
    with pytest.raises(CorpusError, match="^`features` must be one of"):
        view_utterance(path, "lld79")


def test_functionals_are_no_course_over_time(write_wav: Any, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="^`--features` must give frames to be drawn, but"):
        view_utterance(write_wav(tmp_path / "a.wav"), "egemaps")


def test_an_id_is_found_or_refused_with_the_way_out(make: Any) -> None:
    one = make.corpus(make.utterance("ann-1", "ann", "sad"), name="one")
    two = make.corpus(
        make.utterance("ann-1", "ann", "sad"), make.utterance("bob-1", "bob", "sad"), name="two"
    )
    assert find([one, two], "bob-1") == (two, two.utterances[1])
    with pytest.raises(CorpusError, match=r"is in `one` and `two` instead: .*`--corpus one`"):
        find([one, two], "ann-1")
    with pytest.raises(CorpusError, match=r"but `bob-2` is neither .*: did you mean `bob-1`\?$"):
        find([one, two], "bob-2")
    with pytest.raises(CorpusError, match=r"\(corpora: none\), but `zzz` is neither instead"):
        find([], "zzz")
