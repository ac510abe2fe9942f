"""A registered corpus: its utterances with speaker, label and file, and their digests.

Light: the standard library only, so that a plan needs neither numpy nor audio.
A corpus is read once (`catalogue.read`), kept as JSON by the caller, and refreshed (`recordings`).
Trial ids depend on content alone, audio and labels (`Selection.digest`): paths and times of files
do not enter.
"""

import shlex
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from features.canonical import digest as digest_of
from features.corpora.labels import are_numbers, are_two_words, number_map
from features.corpora.spellings import NO_ANSWERS, NameAnswers
from features.errors import CorpusError, ShardDamageError

if TYPE_CHECKING:
    from features.soundprint import HeardRecording

Sex = Literal["female", "male", ""]
"""Sex of a speaker; empty where the corpus does not say."""
OnProgress = Callable[[int, int], None]
"""A function that is told progress: called with (items done, items in all)."""

FORMAT = 1
"""Version of the layout of `Corpus.to_json`."""


def no_progress(done: int, total: int) -> None:
    """Ignore progress: the default `OnProgress`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """One labelled piece of speech by one speaker: an audio file, or a part of one."""

    id: str
    """Name that is unique in the corpus and the same on every machine, such as ``03a01Fa``."""
    path: str
    """Path of the audio file, relative to the corpus's root, with forward slashes."""
    speaker: str
    """Name of the speaker, such as ``actor-12``; folds hold out whole speakers."""
    sex: str
    """`female`, `male`, or empty where the corpus does not say."""
    session: str
    """Name of the recording session, such as ``Ses01`` (IEMOCAP), or empty."""
    emotion: str
    """The corpus's own label, as a full word: angry, excited, calm, ..."""
    digest: str
    """sha256 as 64 hexadecimal digits: of the file's bytes; of recipe and synthesiser where the
    audio is synthesised; of the file's digest, start and end where the utterance is a part of the
    file."""
    size: int
    """Size of the file in bytes when the digest was made; 0 for synthesised audio."""
    mtime_ns: int
    """Modification time of the file, in nanoseconds since 1970, when the digest was made; 0 for
    synthesised audio."""
    kind: str = ""
    """Part of the corpus that `corpus_part` selects (IEMOCAP: `improvised`, `scripted`), or
    empty."""
    split: str = ""
    """`train`, `dev` or `test` where the corpus publishes a split, or empty."""
    start: float | None = None
    """Seconds into the file at which the utterance begins; None: at the file's beginning."""
    end: float | None = None
    """Seconds into the file at which the utterance ends; None: at the file's end."""
    mended: bool = False
    """Whether its file's header says 0 samples, and the speech behind it is read all the same
    (`--mend-headers`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileNote:
    """A file or utterance that is left out of the corpus or looks wrong, with the reason."""

    path: str
    """Path of the file below the corpus's root; or the utterance's id, or its row in a table."""
    reason: str
    """Why it is left out or what looks wrong, such as ``silent``."""
    bad: bool = False
    """Whether it cannot be used at all, and so is left out (`--skip-bad`)."""
    copy: bool = False
    """Whether it is, or may be, a copy of another recording of the corpus."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The utterances of a corpus that belong to a study's classes."""

    corpus: "Corpus"
    """The corpus that they were selected from."""
    classes: tuple[str, ...]
    """Class names, alphabetical; the position is the class index."""
    items: tuple[tuple[Utterance, int], ...]
    """Each chosen utterance with its class index, in the order of the ids."""
    left_out: Mapping[str, int]
    """Label of the corpus that is in no class -> number of its utterances."""

    @property
    def digest(self) -> str:
        """sha256 (hexadecimal) over id, speaker, class and audio digest of every utterance.

        It enters the trial ids.
        """
        rows = [[u.id, u.speaker, self.classes[label], u.digest] for u, label in self.items]
        return digest_of(rows)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Names of the speakers of the chosen utterances, sorted."""
        return tuple(sorted({utterance.speaker for utterance, _ in self.items}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """A registered corpus: its utterances with labels and digests, without the audio."""

    name: str
    """The name that a study writes after ``corpus:``."""
    root: str
    """Absolute path of the folder that the utterances' paths are relative to."""
    utterances: tuple[Utterance, ...]
    """All utterances, sorted by id."""
    left_out: tuple[FileNote, ...]
    """Files that are not part of the corpus, with the reason."""
    notes: tuple[str, ...] = field(default=())
    """Sentences that a user should read, such as that the corpus is not complete."""
    doubts: tuple[FileNote, ...] = field(default=())
    """Files that are part of the corpus, but look wrong: silent, clipped, ..."""
    reader: str = ""
    """``table`` if a table describes the corpus, whose name is then the user's own; else empty."""
    speaker_answers: NameAnswers = NO_ANSWERS
    """What a person said about speakers' names that raised a question (`identities`)."""
    session_answers: NameAnswers = NO_ANSWERS
    """What a person said about sessions' names that raised a question."""
    source: str = ""
    """Absolute path of the table or database folder that was read; empty for all other corpora, and
    in registrations from before it was kept."""
    options: tuple[str, ...] = ()
    """The options of `ablate corpus add` that shaped this registration, as words of a command
    line, without `--name` and `--skip-bad`: the command that registers it again repeats them."""
    compared: str = ""
    """Digest of the utterances among which copies of one recording were looked for (`copies`);
    empty where they were not, as in registrations from before this was kept."""
    heard: Mapping[str, "HeardRecording"] = field(default_factory=dict, repr=False, compare=False)
    """Id of an utterance -> how its recording sounds, in the order of reading, silent ones left
    out. It is there until they have been compared, and never registered."""

    def to_json(self) -> dict[str, Any]:
        """Convert to values that JSON can hold; `from_json` is the inverse."""
        record = {"format": FORMAT, **asdict(replace(self, heard={}))}
        del record["heard"]
        return record

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Corpus":
        """Rebuild a corpus from the result of `to_json`.

        Raises:
            ShardDamageError: the data is not what `to_json` wrote.
        """
        try:
            if data["format"] != FORMAT:
                raise ValueError(f"format {data['format']!r}")
            utterances = tuple(Utterance(**row) for row in data["utterances"])
            for utterance in utterances:
                _refuse_escape(utterance.path)
            return cls(
                name=data["name"],
                root=data["root"],
                utterances=utterances,
                left_out=tuple(FileNote(**row) for row in data["left_out"]),
                notes=tuple(data["notes"]),
                doubts=tuple(FileNote(**row) for row in data.get("doubts", ())),
                reader=data.get("reader", ""),
                speaker_answers=_answers(data, "speaker_answers"),
                session_answers=_answers(data, "session_answers"),
                source=str(data.get("source", "")),
                options=tuple(map(str, data.get("options", ()))),
                compared=str(data.get("compared", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ShardDamageError(
                f"The record of a corpus cannot be read ({error!r}): "
                "register the corpus again with `ablate corpus add`."
            ) from error

    def emotions(self) -> dict[str, int]:
        """Count the utterances of each label of the corpus, labels sorted."""
        return dict(sorted(Counter(u.emotion for u in self.utterances).items()))

    @property
    def registration_command(self) -> str:
        """The command to type to register this corpus again, `ablate corpus add ...`."""
        words = ["ablate", "corpus", "add", self.reader or self.name]
        words.append((self.source or "FILE_OR_FOLDER") if self.reader else self.root)
        if self.reader and self.name != self.reader:
            words += ["--name", self.name]
        before = ("", *self.options)
        options = (
            self.root if b == "--root" else o for b, o in zip(before, self.options, strict=False)
        )
        return shlex.join([*words, *options])

    @property
    def omission(self) -> str:
        """Sentences for reports: which files `--skip-bad` left out; empty text if none."""
        bad = [item for item in self.left_out if item.bad]
        sentences = []
        for what, items in (
            ("unusable file", [item for item in bad if not item.copy]),
            ("copied recording", [item for item in bad if item.copy]),
        ):
            if items:
                are = f"1 {what} is" if len(items) == 1 else f"{len(items)} {what}s are"
                listed = some([f"{item.path} ({item.reason})" for item in items])
                sentences.append(
                    f"{are} left out of corpus `{self.name}` (`--skip-bad`): {listed}."
                )
        return " ".join(sentences)

    @property
    def copies_note(self) -> str:
        """A sentence for reports: which recordings may be copies of others; empty text if none."""
        found = [f"{item.path} ({item.reason})" for item in self.doubts if item.copy]
        if not found:
            return ""
        one = len(found) == 1
        return (
            f"{'1 recording' if one else f'{len(found)} recordings'} of corpus `{self.name}` may "
            f"be {'a copy' if one else 'copies'} (`ablate corpus check {self.name}` lists all): "
            f"{some(found)}."
        )

    @property
    def mending(self) -> str:
        """A sentence for reports: which files `--mend-headers` reads; empty text if none."""
        paths = list(dict.fromkeys(u.path for u in self.utterances if u.mended))
        if not paths:
            return ""
        say = (
            "1 file of which the header says"
            if len(paths) == 1
            else (f"{len(paths)} files of which the headers say")
        )
        return (
            f"Corpus `{self.name}` has {say} 0 samples, read to the end all the same "
            f"(`--mend-headers`): {some(paths)}."
        )

    def part(self, kind: str) -> "Corpus":
        """Return the corpus with the utterances of one kind alone (IEMOCAP: ``improvised``).

        Raises:
            CorpusError: the corpus has no utterance of that kind.
        """
        kinds = sorted({u.kind for u in self.utterances if u.kind})
        if kind not in kinds:
            known = _listed(("all", *kinds))
            raise CorpusError(
                f"`corpus_part` must be {'one of ' if kinds else ''}{known} for corpus "
                f"`{self.name}`, but is `{kind}` instead."
            )
        return replace(self, utterances=tuple(u for u in self.utterances if u.kind == kind))

    def select(self, emotions: Mapping[str, Sequence[str]]) -> Selection:
        """Select the utterances whose labels belong to a study's classes.

        Classes are numbered in alphabetical order. A label that the corpus does not have is
        ignored (excited, outside of IEMOCAP), unless it looks like a misspelt label of the corpus.

        Args:
            emotions: name of a class -> the corpus labels that it joins.

        Raises:
            CorpusError: fewer than two classes, a class without an utterance, a label in two
                classes, or a label that looks misspelt.
        """
        label_of = self._labels(emotions)
        classes = tuple(sorted(emotions))
        chosen = tuple(
            (u, classes.index(label_of[u.emotion]))
            for u in self.utterances
            if u.emotion in label_of
        )
        rest = Counter(u.emotion for u in self.utterances if u.emotion not in label_of)
        empty = sorted(set(range(len(classes))) - {label for _, label in chosen})
        if empty:
            raise CorpusError(self._no_utterance(classes[empty[0]], emotions[classes[empty[0]]]))
        self._refuse_typos(label_of)
        return Selection(
            corpus=self, classes=classes, items=chosen, left_out=dict(sorted(rest.items()))
        )

    def _labels(self, emotions: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Invert ``emotions``: label of the corpus -> class.

        Raises:
            CorpusError: fewer than two classes, or a label in two classes.
        """
        if len(emotions) < 2:
            raise CorpusError(
                f"`emotions` must name at least 2 classes, but names {len(emotions)} instead."
            )
        label_of: dict[str, str] = {}
        for name, labels in emotions.items():
            for label in labels:
                if label_of.setdefault(label, name) != name:
                    raise CorpusError(
                        f"Label `{label}` must stand in one class of `emotions`, "
                        f"but stands in `{label_of[label]}` and `{name}` instead."
                    )
        return label_of

    def _refuse_typos(self, wanted: Collection[str]) -> None:
        """Refuse a wanted label that the corpus lacks but that resembles one that nobody wants.

        Raises:
            CorpusError: there is such a label.
        """
        known = self.emotions()
        for label in sorted(set(wanted) - set(known)):
            others = sorted(set(known) - set(wanted))
            near = [
                other
                for other in get_close_matches(label, others, cutoff=0.8)
                if not are_two_words(label, other)
            ]
            if near:
                raise CorpusError(
                    f"`{label}` in `emotions` must be a label of corpus `{self.name}`, but its "
                    f"labels are {_listed(tuple(known))} instead: did you mean `{near[0]}`?"
                )

    def _no_utterance(self, name: str, labels: Sequence[str]) -> str:
        """Write the error for a class ``name`` whose ``labels`` no utterance has."""
        known = self.emotions()
        near = [m for label in labels for m in get_close_matches(label, known, n=1)]
        hint = f"did you mean `{near[0]}`?" if near else "choose among them or leave the class out."
        if are_numbers(known):
            hint = f"name what they mean, `{number_map(known)}`."
        return (
            f"Class `{name}` of `emotions` must have utterances in corpus `{self.name}`, but none "
            f"is labelled {_listed(labels)}; its labels are {_listed(tuple(known))}: {hint}"
        )


def _answers(data: Mapping[str, Any], kind: str) -> NameAnswers:
    """Read the answers about one kind of names; registrations of before have none."""
    return NameAnswers.from_json(data[kind]) if kind in data else NO_ANSWERS


def some(paths: Sequence[str]) -> str:
    """Join the first three paths by commas, and say how many more there are."""
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(paths[:3]) + more


def _refuse_escape(path: str) -> None:
    """Refuse a path that leads out of the corpus's folder.

    Raises:
        ValueError: the path is absolute or has a part ``..``.
    """
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"path {path!r} leads out of the corpus")


def _listed(words: Sequence[str]) -> str:
    """Join words in backquotes by commas; ``nothing`` if there are none."""
    return ", ".join(f"`{word}`" for word in words) or "nothing"
