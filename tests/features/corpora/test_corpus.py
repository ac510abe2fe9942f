import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from features.corpora.corpus import Corpus
from features.corpora.recordings import refresh
from features.errors import CorpusError, MissingError, ShardDamageError

EMOTIONS = {"angry": ("angry",), "happy": ("happy", "excited")}


@pytest.fixture
def small(make: Any) -> Corpus:
    u = make.utterance
    corpus: Corpus = make.corpus(
        u("1", "ann", "angry"),
        u("2", "ann", "excited"),
        u("3", "bob", "happy"),
        u("4", "bob", "calm"),
    )
    return corpus


def recorded(make: Any, write_wav: Any, root: Path, count: int) -> Corpus:
    """A corpus whose files exist, with sizes and times as a reader takes them."""
    from features.corpora.recordings import identify

    found = []
    for number in range(count):
        write_wav(root / f"{number}.wav")
        measured = identify(str(root), f"{number}.wav")
        found.append(make.utterance(str(number), "ann", "angry", **measured))
    corpus: Corpus = make.corpus(*found, root=str(root))
    return corpus


def sentence(text: str) -> str:
    return f"^{re.escape(text)}$"


def test_json_gives_the_same_corpus_back(small: Corpus) -> None:
    assert Corpus.from_json(json.loads(json.dumps(small.to_json()))) == small


@pytest.mark.parametrize("data", [{}, {"format": 99}, {"format": 1, "name": "x", "root": "/"}])
def test_a_record_of_another_shape_is_damage(data: dict[str, Any]) -> None:
    with pytest.raises(
        ShardDamageError, match=r"register the corpus again with `ablate corpus add`\.$"
    ):
        Corpus.from_json(data)


def test_selection_numbers_classes_alphabetically_and_counts_the_rest(small: Corpus) -> None:
    selection = small.select(dict(reversed(EMOTIONS.items())))
    assert selection.classes == ("angry", "happy")
    assert [(u.id, label) for u, label in selection.items] == [("1", 0), ("2", 1), ("3", 1)]
    assert selection.left_out == {"calm": 1}
    assert selection.speakers == ("ann", "bob")


def test_the_digest_of_a_selection_is_a_fixed_string(small: Corpus) -> None:
    """Changing it changes every trial's id: do that knowingly."""
    assert small.select(EMOTIONS).digest == (
        "03d1c055c61d59211241b084b6dd69acfbf937fbda55d0a48f0b10c6527b212d"
    )


def test_paths_roots_and_times_do_not_enter_the_digest(small: Corpus, make: Any) -> None:
    moved = make.corpus(
        *(
            make.utterance(u.id, u.speaker, u.emotion, path=f"x/{u.id}.flac", size=9, mtime_ns=9)
            for u in small.utterances
        ),
        root="/elsewhere",
        name="renamed",
    )
    assert moved.select(EMOTIONS).digest == small.select(EMOTIONS).digest


@pytest.mark.parametrize(
    "change", [{"speaker": "bob"}, {"emotion": "happy"}, {"digest": "other"}, {"id": "0"}]
)
def test_speaker_label_audio_and_id_enter_the_digest(
    small: Corpus, make: Any, change: dict[str, str]
) -> None:
    first, *rest = small.utterances
    fields = {"id": first.id, "speaker": first.speaker, "emotion": first.emotion}
    fields |= {"digest": first.digest} | change
    other = make.utterance(
        fields["id"], fields["speaker"], fields["emotion"], digest=fields["digest"]
    )
    emotions = EMOTIONS | {"angry": ("angry", "calm")}
    assert make.corpus(other, *rest).select(emotions).digest != small.select(emotions).digest


def test_a_class_without_utterances_is_refused(small: Corpus) -> None:
    expected = (
        "Class `sad` of `emotions` must have utterances in corpus `made-up`, but none is labelled "
        "`sad`; its labels are `angry`, `calm`, `excited`, `happy`: choose among them or leave the "
        "class out."
    )
    with pytest.raises(CorpusError, match=sentence(expected)):
        small.select(EMOTIONS | {"sad": ("sad",)})


def test_a_misspelt_label_gets_a_suggestion(small: Corpus) -> None:
    expected = (
        "Class `x` of `emotions` must have utterances in corpus `made-up`, but none is labelled "
        "`exited`; its labels are `angry`, `calm`, `excited`, `happy`: did you mean `excited`?"
    )
    with pytest.raises(CorpusError, match=sentence(expected)):
        small.select({"angry": ("angry",), "x": ("exited",)})


def test_a_label_in_two_classes_is_refused(small: Corpus) -> None:
    expected = (
        "Label `happy` must stand in one class of `emotions`, "
        "but stands in `happy` and `joy` instead."
    )
    with pytest.raises(CorpusError, match=sentence(expected)):
        small.select(EMOTIONS | {"joy": ("happy",)})


def test_one_class_is_too_few(small: Corpus) -> None:
    expected = "`emotions` must name at least 2 classes, but names 1 instead."
    with pytest.raises(CorpusError, match=sentence(expected)):
        small.select({"angry": ("angry",)})


def test_a_part_that_the_corpus_has_not_is_refused(small: Corpus, make: Any) -> None:
    expected = "`corpus_part` must be `all` for corpus `made-up`, but is `scripted` instead."
    with pytest.raises(CorpusError, match=sentence(expected)):
        small.part("scripted")
    some = make.corpus(make.utterance("1", "ann", "angry", kind="improvised"))
    expected = (
        "`corpus_part` must be one of `all`, `improvised` for corpus `made-up`, but is `scripted` "
        "instead."
    )
    with pytest.raises(CorpusError, match=sentence(expected)):
        some.part("scripted")


def test_records_of_before_kinds_and_splits_are_read(small: Corpus) -> None:
    data = json.loads(json.dumps(small.to_json()))
    del data["doubts"], data["reader"]
    for row in data["utterances"]:
        for name in ("kind", "split", "start", "end"):
            del row[name]
    assert Corpus.from_json(data) == small


def test_refresh_of_an_untouched_corpus_changes_nothing(
    make: Any, write_wav: Any, tmp_path: Path
) -> None:
    corpus = recorded(make, write_wav, tmp_path, 3)
    assert refresh(corpus) == corpus
    assert refresh(corpus, deep=True) == corpus


def test_refresh_takes_the_digest_of_a_changed_file(
    make: Any, write_wav: Any, tmp_path: Path
) -> None:
    corpus = recorded(make, write_wav, tmp_path, 3)
    write_wav(tmp_path / "1.wav", make.tone(0.5, 16_000))
    fresh = refresh(corpus)
    changed = [u.id for u, v in zip(corpus.utterances, fresh.utterances, strict=True) if u != v]
    assert changed == ["1"]
    assert corpus.utterances[1].digest != fresh.utterances[1].digest


def test_a_touched_file_keeps_its_digest(make: Any, write_wav: Any, tmp_path: Path) -> None:
    corpus = recorded(make, write_wav, tmp_path, 1)
    os.utime(tmp_path / "0.wav", ns=(1, 1))
    assert refresh(corpus).utterances[0].digest == corpus.utterances[0].digest


def test_deep_refresh_finds_bytes_that_changed_in_secret(
    make: Any, write_wav: Any, tmp_path: Path
) -> None:
    corpus = recorded(make, write_wav, tmp_path, 2)
    file = tmp_path / "1.wav"
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(corpus.utterances[1].mtime_ns,) * 2)
    assert refresh(corpus) == corpus
    expected = (
        "1 of the 2 files of corpus `made-up` changed while size and time stayed (1.wav): restore "
        "them from the original, or register the corpus again with "
        f"`ablate corpus add made-up {tmp_path}`."
    )
    with pytest.raises(ShardDamageError, match=sentence(expected)):
        refresh(corpus, deep=True)


def test_files_that_are_gone_are_counted_and_three_are_named(
    make: Any, write_wav: Any, tmp_path: Path
) -> None:
    corpus = recorded(make, write_wav, tmp_path, 5)
    for number in range(4):
        (tmp_path / f"{number}.wav").unlink()
    expected = (
        f"4 of the 5 files of corpus `made-up` are gone from {tmp_path} (0.wav, 1.wav, 2.wav "
        "and 1 more): put them back, or register what is there with "
        f"`ablate corpus add made-up {tmp_path}`."
    )
    with pytest.raises(CorpusError, match=sentence(expected)):
        refresh(corpus)


def test_a_folder_that_is_gone_is_missing(make: Any, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    corpus = make.corpus(make.utterance("1", "ann", "angry", mtime_ns=1), root=str(gone))
    expected = (
        f"The folder of corpus `made-up`, {gone}, is gone: put it back, or register another with "
        "`ablate corpus add made-up FOLDER`."
    )
    with pytest.raises(MissingError, match=sentence(expected)):
        refresh(corpus)


def test_synthesised_audio_is_not_looked_at(small: Corpus) -> None:
    assert refresh(small) == small


def test_a_misspelt_label_beside_a_right_one_is_not_left_out_in_silence(make: Any) -> None:
    corpus = make.corpus(
        *(make.utterance(emotion, "ann", emotion) for emotion in ("calm", "happy", "sad"))
    )
    expected = (
        "`calmm` in `emotions` must be a label of corpus `made-up`, but its labels are `calm`, "
        "`happy`, `sad` instead: did you mean `calm`?"
    )
    with pytest.raises(CorpusError, match=sentence(expected)):
        corpus.select({"good": ("happy", "calmm"), "sad": ("sad",)})
    assert corpus.select({"good": ("happy", "excited"), "sad": ("sad",)}).left_out == {"calm": 1}
