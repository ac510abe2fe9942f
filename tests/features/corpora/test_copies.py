"""The same speech under two speakers, on two sides of a split, under two labels."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from features.corpora import catalogue, copies, inspection
from features.corpora.corpus import Corpus
from features.corpora.likeness import CORRELATION, SAME_S, alike
from features.errors import CorpusError
from features.soundprint import ENVELOPE_RATE, Soundprint, SoundprintBuilder

SAID = ("angry", "happy", "neutral", "sad")


class Speech:
    """A folder of synthesised speech with a table of it: two speakers, four emotions, one take."""

    def __init__(self, folder: Path, speech: Path) -> None:
        self.folder, self.rows = folder, list[str]()
        for speaker in ("female-1", "male-1"):
            for emotion in SAID:
                (source,) = speech.glob(f"{speaker}/{speaker}-{emotion}-1-*.wav")
                self.add(f"{speaker}-{emotion}.wav", speaker, emotion)
                shutil.copy(source, folder / f"{speaker}-{emotion}.wav")

    def add(self, file: str, speaker: str, emotion: str, *more: object) -> Path:
        """Add a row, and return the path of its file."""
        self.rows.append(",".join(map(str, (file, speaker, emotion, *more))))
        return self.folder / file

    def read(self, head: str = "file,speaker,emotion", *, skip_bad: bool = False) -> Corpus:
        table = self.folder / "labels.csv"
        table.write_text("\n".join([head, *self.rows]))
        return catalogue.read("table", table, own_name="mine", skip_bad=skip_bad)

    def refused(self, head: str = "file,speaker,emotion") -> str:
        with pytest.raises(CorpusError) as error:
            self.read(head)
        return str(error.value)

    def doubts(self, head: str = "file,speaker,emotion") -> list[tuple[str, str]]:
        return [(doubt.path, doubt.reason) for doubt in self.read(head).doubts if doubt.copy]


@pytest.fixture
def speech(demo_speech: Path, tmp_path: Path) -> Speech:
    return Speech(tmp_path, demo_speech)


def test_speech_without_copies_raises_no_question(speech: Speech) -> None:
    corpus = speech.read()
    assert corpus.doubts == () and corpus.left_out == () and corpus.copies_note == ""
    assert corpus.compared and not corpus.heard
    assert copies.with_current_state(Corpus.from_json(corpus.to_json())).compared


def test_a_recording_of_two_speakers_is_refused_with_pairs_and_the_way_on(speech: Speech) -> None:
    for emotion in SAID:
        shutil.copy(speech.folder / f"male-1-{emotion}.wav", speech.folder / f"a {emotion}.wav")
        speech.add(f"a {emotion}.wav", "male-one", emotion)
    said = speech.refused()
    assert "4 recordings of corpus `mine`" in said and "under two speakers" in said
    assert "a sad.wav and male-1-sad.wav (speakers male-one and male-1): the same bytes" in said
    command = f"ablate corpus add table {speech.folder}/labels.csv --name mine --skip-bad"
    assert command in said
    corpus = speech.read(skip_bad=True)
    # The copies stand later in the table, though their names come first.
    assert {utterance.speaker for utterance in corpus.utterances} == {"female-1", "male-1"}
    assert len(corpus.utterances) == 8
    assert "4 copied recordings are left out of corpus `mine` (`--skip-bad`)" in corpus.omission
    assert "a angry.wav (the same recording as male-1-angry.wav of speaker male-1)" in (
        corpus.omission
    )


def test_a_row_that_stands_twice_is_named_with_what_is_other(speech: Speech) -> None:
    speech.add("male-1-sad.wav", "male-1", "happy")
    assert "labels.csv:10: male-1-sad.wav stands at labels.csv:9 already, labelled sad" in (
        speech.refused()
    )


def test_at_most_a_dozen_pairs_are_named(speech: Speech) -> None:
    for number in range(30):
        shutil.copy(speech.folder / "male-1-sad.wav", speech.folder / f"{number}.wav")
        speech.add(f"{number}.wav", f"speaker {number}", "sad")
    lines = speech.refused().splitlines()
    assert lines[0].startswith("30 recordings") and len(lines) == 1 + copies.MOST + 1
    assert lines[-1] == "  and 18 more pairs"


def both_channels(samples: Any) -> Any:
    return np.stack([samples, samples], axis=1)


@pytest.mark.parametrize(
    ("name", "options", "change"),
    [
        ("x.flac", {}, None),
        ("x.aiff", {}, None),
        ("x.wav", {"subtype": "PCM_24"}, None),
        ("x.wav", {"subtype": "FLOAT"}, None),
        ("x.wav", {"format": "RF64"}, None),
        ("x.wav", {}, both_channels),
    ],
    ids=lambda value: str(getattr(value, "__name__", value)),
)
def test_the_same_samples_in_another_container_are_the_same_recording(
    speech: Speech, name: str, options: dict[str, str], change: Any
) -> None:
    samples, rate = soundfile.read(speech.folder / "male-1-sad.wav", dtype="int16")
    if change:
        samples = change(samples)
    if options.get("subtype") == "FLOAT":
        samples = samples / 32768
    soundfile.write(speech.add(name, "male-one", "sad"), samples, rate, **options)
    said = speech.refused()
    assert f"{name} and male-1-sad.wav (speakers male-one and male-1): the same samples" in said


def test_links_and_other_ways_to_write_a_path_make_no_second_recording(speech: Speech) -> None:
    original = speech.folder / "male-1-sad.wav"
    speech.add("link.wav", "s2", "sad").symlink_to(original)
    os.link(original, speech.add("hard.wav", "s3", "sad"))
    (speech.folder / "sub").mkdir()
    said = speech.refused()
    assert "hard.wav and male-1-sad.wav" in said and "link.wav and male-1-sad.wav" in said
    speech.rows = [*speech.rows[:8], "sub/../male-1-sad.wav,s4,sad"]
    assert "male-1-sad.wav stands at labels.csv:9 already, of speaker male-1" in speech.refused()
    speech.rows = [*speech.rows[:7], "sub/../male-1-sad.wav,male-1,sad"]
    corpus = speech.read()
    assert Corpus.from_json(corpus.to_json()) == corpus
    assert "male-1-sad.wav" in {utterance.path for utterance in corpus.utterances}


def test_a_part_is_compared_not_its_file(speech: Speech) -> None:
    """Two speakers of one dialogue are normal; a part that is another's recording is not."""
    her, rate = soundfile.read(speech.folder / "female-1-sad.wav", dtype="int16")
    him, _ = soundfile.read(speech.folder / "male-1-sad.wav", dtype="int16")
    speech.rows = []
    turn = len(her) / rate
    dialogue = speech.add("dialogue.wav", "her", "sad", 0, turn)
    soundfile.write(dialogue, np.concatenate([her, him]), rate)
    speech.add("dialogue.wav", "him", "sad", turn, "")
    head = "file,speaker,emotion,start,end"
    assert speech.doubts(head) == []
    speech.add("male-1-sad.wav", "he", "sad", "", "")
    title = f"dialogue.wav from {turn:g} s to the end"
    assert f"male-1-sad.wav and {title} (speakers he and him): the same samples" in (
        speech.refused(head)
    )


def test_parts_that_overlap_are_a_doubt(speech: Speech) -> None:
    dialogue = speech.folder / "male-1-happy.wav"
    (speech.folder / "linked.wav").symlink_to(dialogue)
    speech.rows = []
    speech.add("male-1-happy.wav", "her", "sad", 0, 0.5)
    speech.add("male-1-happy.wav", "him", "sad", 0.495, 0.8)  # label files round
    assert speech.doubts("file,speaker,emotion,start,end") == []
    speech.add("linked.wav", "it", "happy", 0.4, 0.6)
    assert speech.doubts("file,speaker,emotion,start,end") == [
        (
            "linked.wav from 0.4 s to 0.6 s",
            "overlaps by 0.10 s with male-1-happy.wav from 0 s to 0.5 s, of speaker her, not it, "
            "labelled sad, not happy",
        ),
        (
            "male-1-happy.wav from 0.495 s to 0.8 s",
            "overlaps by 0.11 s with linked.wav from 0.4 s to 0.6 s, of speaker it, not him, "
            "labelled happy, not sad",
        ),
    ]


def test_a_copy_on_another_side_of_the_split_is_refused(speech: Speech) -> None:
    speech.rows = [f"{row},train" for row in speech.rows]
    shutil.copy(speech.folder / "male-1-sad.wav", speech.add("x.wav", "male-1", "sad", "test"))
    head = "file,speaker,emotion,split"
    said = speech.refused(head)
    assert "on two sides of the published split" in said
    assert "x.wav and male-1-sad.wav (test and train): the same bytes" in said
    speech.rows[-1] = "x.wav,male-1,sad,"  # on no side
    assert speech.doubts(head) == [("x.wav", "the same recording as male-1-sad.wav")]


def test_copies_of_one_speaker_and_under_two_labels_are_doubts(speech: Speech) -> None:
    for name, emotion in (("again.wav", "sad"), ("other.wav", "happy")):
        shutil.copy(speech.folder / "male-1-sad.wav", speech.add(name, "male-1", emotion))
    assert speech.doubts() == [
        ("again.wav", "the same recording as male-1-sad.wav"),
        ("other.wav", "the same recording as male-1-sad.wav, labelled sad, not happy"),
    ]
    note = speech.read().copies_note
    assert note.startswith("2 recordings of corpus `mine` may be copies")
    assert "`ablate corpus check mine`" in note and "labelled sad, not happy" in note


def test_silent_recordings_are_not_compared(speech: Speech) -> None:
    for name in ("a", "b"):
        soundfile.write(speech.add(f"{name}.wav", name, "sad"), np.zeros(16_000), 16_000)
    assert len(speech.read().utterances) == 10
    assert speech.doubts() == []


@pytest.mark.parametrize(
    ("rate", "name", "options"),
    [
        (44_100, "x.wav", {}),
        (8_000, "x.wav", {}),
        (22_050, "x.flac", {}),
        (None, "x.ogg", {}),
        (None, "x.mp3", {}),
        (8_000, "x.wav", {"subtype": "ULAW"}),
    ],
)
def test_other_rates_and_lossy_copies_are_doubts_and_never_refused(
    speech: Speech, rate: int | None, name: str, options: dict[str, str]
) -> None:
    samples, native = soundfile.read(speech.folder / "male-1-angry.wav")
    changed = soxr.resample(samples, native, rate) if rate else samples
    soundfile.write(speech.add(name, "male-one", "angry"), 0.5 * changed, rate or native, **options)
    assert speech.doubts() == [
        (name, "sounds like male-1-angry.wav, of speaker male-1, not male-one")
    ]


@pytest.mark.parametrize(
    ("reader", "names", "speakers"),
    [
        ("ravdess", ("03-01-03-01-01-01-07.wav", "03-01-03-01-01-01-08.wav"), "actor-07"),
        ("emodb", ("wav/03a01Fa.wav", "wav/08a01Fa.wav"), "speaker-03"),
        ("cremad", ("AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1002_DFA_ANG_XX.wav"), "actor-1001"),
        (
            "iemocap",
            tuple(
                f"Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_{turn}.wav"
                for turn in ("F000", "M000")
            ),
            "Ses01F",
        ),
    ],
)
def test_every_reader_refuses_a_copy_under_another_speaker(
    demo_speech: Path, tmp_path: Path, reader: str, names: tuple[str, str], speakers: str
) -> None:
    source = next(demo_speech.glob("*/*.wav"))
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tmp_path / name)
    if reader == "iemocap":
        labels = tmp_path / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
        labels.parent.mkdir(parents=True)
        labels.write_text(
            "".join(
                f"[6.29 - 8.23]\tSes01F_impro01_{turn}\tneu\t[2.5000, 2.5000, 2.5000]\n"
                for turn in ("F000", "M000")
            )
        )
    with pytest.raises(CorpusError, match="under two speakers") as error:
        catalogue.read(reader, tmp_path)
    assert f"`ablate corpus add {reader} {tmp_path} --skip-bad`" in str(error.value)
    kept = catalogue.read(reader, tmp_path, skip_bad=True)
    assert [utterance.speaker for utterance in kept.utterances] == [speakers]


def test_a_registration_of_before_is_compared_by_what_it_says(speech: Speech) -> None:
    """`inspect` hears it again; a copy that came in the meantime is found."""
    corpus = speech.read()
    soundfile.write(
        speech.folder / "female-1-sad.wav", *soundfile.read(speech.folder / "male-1-sad.wav")
    )
    changed = copies.with_current_state(catalogue.refresh(corpus))
    assert corpus.compared and not changed.compared
    heard = inspection.inspect(changed, threads=2).heard
    with pytest.raises(CorpusError, match="under two speakers"):
        copies.settle(changed, heard)
    assert copies.settle(changed, heard, skip_bad=True).compared


def test_parts_are_compared_again_as_they_were_at_first(speech: Speech) -> None:
    speech.rows = []
    speech.add("male-1-happy.wav", "her", "sad", 0, 0.5)
    speech.add("male-1-happy.wav", "him", "sad", 0.3, 0.8)
    corpus = speech.read("file,speaker,emotion,start,end")
    again = copies.settle(replace(corpus, doubts=()), inspection.inspect(corpus).heard)
    assert again == corpus and len(again.doubts) == 1


def test_real_speech_has_the_one_copy_that_ravdess_has(ravdess_root: Path) -> None:
    corpus = catalogue.read("ravdess", ravdess_root)
    assert [(doubt.path, doubt.reason) for doubt in corpus.doubts if doubt.copy] == [
        (
            "Actor_07/03-01-03-01-02-02-07.flac",
            "the same recording as Actor_07/03-01-03-01-02-01-07.flac",
        )
    ]


def prints(count: int) -> Iterator[Soundprint]:
    """Envelopes of few durations, some of them changed a little."""
    random = np.random.default_rng(3)
    known = list[Soundprint]()
    for number in range(count):
        values = int(random.integers(20, 40))
        envelope_V = random.random(values) ** 2
        if known and number % 4 == 0:
            envelope_V = known[int(random.integers(len(known)))].envelope_V
            envelope_V = envelope_V * (1 + random.choice([0.005, 0.02, 0.05]) * random.random())
            envelope_V = envelope_V + random.choice([0.001, 0.01, 0.02]) * random.random(
                len(envelope_V)
            )
        seconds = (len(envelope_V) + 3) / 40 + random.choice([0, 0.015])
        known.append(
            Soundprint(samples=str(number), seconds=seconds, envelope_V=np.float32(envelope_V))
        )
    yield from known


def test_whatever_sounds_like_another_is_found_without_comparing_all_with_all() -> None:
    given = list(prints(300))
    found = set(alike(given))
    wanted = {
        (first, later)
        for later, b in enumerate(given)
        for first, a in enumerate(given[:later])
        if abs(a.seconds - b.seconds) <= SAME_S
        and len(a.envelope_V) == len(b.envelope_V)
        and np.corrcoef(a.envelope_V, b.envelope_V)[0, 1] > CORRELATION
    }
    assert len(wanted) > 20 and found <= wanted
    assert {one for pair in found for one in pair} == {one for pair in wanted for one in pair}


def test_a_steady_tone_has_no_shape_to_compare() -> None:
    flat = np.full(40, 0.5, np.float32)
    same = [Soundprint(samples=str(i), seconds=1.0, envelope_V=flat) for i in range(3)]
    assert list(alike(same)) == []


def test_a_soundprint_is_the_same_whatever_the_blocks() -> None:
    random = np.random.default_rng(1)
    mono = random.standard_normal(20_000).astype(np.float32)
    whole, pieces = SoundprintBuilder(ENVELOPE_RATE), SoundprintBuilder(ENVELOPE_RATE)
    whole.add(mono, mono)
    for at in range(0, len(mono), 1_234):
        pieces.add(mono[at : at + 1_234], mono[at : at + 1_234])
    one, other = whole.build(), pieces.build()
    assert (one.samples, one.seconds) == (other.samples, other.seconds) == (one.samples, 2.5)
    assert np.array_equal(one.envelope_V, other.envelope_V) and len(one.envelope_V) == 97


def test_of_a_long_recording_all_samples_count(speech: Speech) -> None:
    """It is read in blocks: two that differ in their last second alone are two."""
    random = np.random.default_rng(5)
    long = random.integers(-9000, 9000, (40 * ENVELOPE_RATE, 2), dtype=np.int16)
    soundfile.write(speech.add("a.wav", "s1", "sad"), long, ENVELOPE_RATE)
    soundfile.write(speech.add("b.flac", "s2", "sad"), long, ENVELOPE_RATE)
    assert "b.flac and a.wav (speakers s2 and s1): the same samples" in speech.refused()
    long[-100:] = 0
    soundfile.write(speech.folder / "b.flac", long, ENVELOPE_RATE)
    assert speech.doubts() == [("b.flac", "sounds like a.wav, of speaker s1, not s2")]
