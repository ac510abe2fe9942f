from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from features.corpora.folds import deal
from features.corpora.readers.cremad import EMOTIONS, read

SIX = ("angry", "disgust", "fearful", "happy", "neutral", "sad")
ACTORS = range(1001, 1092)
HEAD = '"ActorID","Age","Sex","Race","Ethnicity"'


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """91 actors, a sentence in six emotions each, laid out as the real tree."""
    root = tmp_path_factory.mktemp("cremad")
    (root / "AudioWAV").mkdir()
    loudness = count(1000)
    for actor in ACTORS:
        for emotion in EMOTIONS:
            tone = np.array([1, -1] * 800, np.int16) * next(loudness)
            soundfile.write(root / "AudioWAV" / f"{actor}_DFA_{emotion}_XX.wav", tone, 16_000)
    people = [
        f'{actor},30,"{"Male" if actor < 1049 else "Female"}","Asian","Hispanic"'
        for actor in ACTORS
    ]
    (root / "VideoDemographics.csv").write_text("\r\n".join([HEAD, *people]) + "\r\n")
    return root


def test_91_actors_give_six_classes_and_their_sexes(tree: Path) -> None:
    corpus = read(tree)
    six = corpus.select({name: (name,) for name in SIX})
    assert (len(six.items), len(six.speakers), six.classes) == (546, 91, SIX)
    assert {u.speaker: u.sex for u in corpus.utterances}["actor-1001"] == "male"
    assert {u.speaker: u.sex for u in corpus.utterances}["actor-1091"] == "female"
    assert corpus.notes == ("not the complete corpus: 546 of 7,442 utterances",)


def test_91_actors_are_dealt_evenly_and_by_sex(tree: Path) -> None:
    corpus = read(tree)
    sexes = {u.speaker: u.sex for u in corpus.utterances}
    folds = deal(corpus.select({name: (name,) for name in SIX}), 5)
    held = [(*fold.a, *fold.b) for fold in folds]
    assert sorted(map(len, held)) == [18, 18, 18, 18, 19]
    for sex in ("female", "male"):
        counts = [sum(sexes[name] == sex for name in names) for names in held]
        assert max(counts) - min(counts) <= 1


def test_names_give_emotion_and_actor_whatever_the_level(write_wav: Any, tmp_path: Path) -> None:
    # 1040_ITH_SAD_X.wav is in the real corpus.
    for name in ("1001_IEO_ANG_HI", "1040_ITH_SAD_X", "1002_IEO_JOY_LO", "1001_IEO_ANG_HIGH"):
        write_wav(tmp_path / "AudioWAV" / f"{name}.wav")
    corpus = read(tmp_path)
    assert [(u.speaker, u.emotion, u.sex) for u in corpus.utterances] == [
        ("actor-1001", "angry", ""),
        ("actor-1040", "sad", ""),
    ]
    assert {left.path: left.reason for left in corpus.left_out} == {
        "AudioWAV/1002_IEO_JOY_LO.wav": "unknown emotion JOY",
        "AudioWAV/1001_IEO_ANG_HIGH.wav": "its name is none of CREMA-D",
    }
    assert corpus.notes[1] == (
        "VideoDemographics.csv does not give the sex of 2 actors: actor-1001, ..."
    )


def test_a_clip_that_git_lfs_has_not_fetched_is_named(write_wav: Any, tmp_path: Path) -> None:
    write_wav(tmp_path / "AudioWAV" / "1001_DFA_ANG_XX.wav")
    (tmp_path / "AudioWAV" / "1001_DFA_SAD_XX.wav").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    )
    (left,) = (item for item in read(tmp_path, skip_bad=True).left_out if item.bad)
    assert left.reason == "a pointer of Git LFS, `git lfs pull` fetches the audio"
