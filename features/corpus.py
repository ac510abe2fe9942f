"""What is known of a corpus: who says what where, and the digests that make it itself.

Light: the standard library only, so that a plan needs neither numpy nor audio.
A corpus is read once (`catalogue.read`), kept as JSON by the caller, and refreshed by looking at
sizes and times of its files; only changed files are read again.
Identity (`Selection.digest`) is content: audio and labels. Paths, roots and times never enter.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Literal

from features.errors import CorpusError, DamageError, MissingError

Sex = Literal["female", "male", ""]
Tell = Callable[[int, int], None]
"""Progress: called with (done, total)."""

FORMAT = 1
"""Version of `Corpus.to_json`."""


def nothing(done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """One recording with one label."""

    id: str
    """Unique in its corpus, the same on every machine."""
    path: str
    """Audio file, relative to the corpus's root, with forward slashes."""
    speaker: str
    """Who speaks; folds are made of speakers."""
    sex: str
    """`female`, `male`, or empty where the corpus does not say."""
    session: str
    """Recording session (IEMOCAP), or empty."""
    emotion: str
    """The corpus's own label, as a full word: angry, excited, calm, ..."""
    digest: str
    """sha256 of the file's bytes; of recipe and synthesiser where the audio is synthesised."""
    size: int
    """Bytes when the digest was made; 0 for synthesised audio."""
    mtime_ns: int
    """Modification time when the digest was made; 0 for synthesised audio."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """A file or a labelled turn that is not part of the corpus."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The utterances of the chosen classes, in the order of their ids."""

    corpus: "Corpus"
    classes: tuple[str, ...]
    """Class names; the position is the class index."""
    items: tuple[tuple[Utterance, int], ...]
    """(utterance, class index)."""
    left_out: Mapping[str, int]
    """Utterances not chosen, by the corpus's own label."""

    @property
    def digest(self) -> str:
        """sha256 over id, speaker, class and audio digest of every utterance: part of trial ids."""
        rows = [[u.id, u.speaker, self.classes[label], u.digest] for u, label in self.items]
        return canonical_digest(rows)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Speakers, sorted."""
        return tuple(sorted({utterance.speaker for utterance, _ in self.items}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """A registered corpus: description and digests, no audio."""

    name: str
    root: str
    """Absolute folder the paths are relative to."""
    utterances: tuple[Utterance, ...]
    """Sorted by id."""
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...] = field(default=())
    """What a user should know, one sentence each."""

    def to_json(self) -> dict[str, Any]:
        """Plain dict for `json.dump`."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Corpus":
        """The inverse of `to_json`.

        Raises:
            DamageError: the data is not what `to_json` wrote.
        """
        try:
            if data["format"] != FORMAT:
                raise ValueError(f"format {data['format']!r}")
            return cls(
                name=data["name"],
                root=data["root"],
                utterances=tuple(Utterance(**row) for row in data["utterances"]),
                left_out=tuple(LeftOut(**row) for row in data["left_out"]),
                notes=tuple(data["notes"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DamageError(
                f"The record of a corpus cannot be read ({error!r}): "
                "register the corpus again with `ablate corpus add`."
            ) from error

    def emotions(self) -> dict[str, int]:
        """Utterances by the corpus's own label, labels sorted."""
        return dict(sorted(Counter(u.emotion for u in self.utterances).items()))

    def select(self, emotions: Mapping[str, Sequence[str]]) -> Selection:
        """Choose utterances by label: class name -> the corpus labels it gathers.

        Classes are numbered in alphabetical order.

        Raises:
            CorpusError: a class has no utterance, a label stands in two classes, or no class.
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
        return Selection(
            corpus=self, classes=classes, items=chosen, left_out=dict(sorted(rest.items()))
        )

    def _labels(self, emotions: Mapping[str, Sequence[str]]) -> dict[str, str]:
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

    def _no_utterance(self, name: str, labels: Sequence[str]) -> str:
        known = self.emotions()
        near = [m for label in labels for m in get_close_matches(label, known, n=1)]
        hint = f"did you mean `{near[0]}`?" if near else "choose among them or leave the class out."
        return (
            f"Class `{name}` of `emotions` must have utterances in corpus `{self.name}`, but none "
            f"is labelled {_listed(labels)}; its labels are {_listed(tuple(known))}: {hint}"
        )


def refresh(corpus: Corpus, *, deep: bool = False, tell: Tell = nothing) -> Corpus:
    """Look at every file again; read only those whose size or time changed (all if `deep`).

    Synthesised audio is identified by its recipe and is not looked at.

    Raises:
        MissingError: the corpus's folder is gone.
        CorpusError: files are gone.
        DamageError: `deep` found other bytes under an unchanged size and time.
    """
    recorded = [u for u in corpus.utterances if u.mtime_ns]
    if recorded and not os.path.isdir(corpus.root):
        raise MissingError(
            f"The folder of corpus `{corpus.name}`, {corpus.root}, is gone: put it back, or "
            f"register another with `ablate corpus add {corpus.name} FOLDER`."
        )
    now = {u.id: _stat(corpus.root, u.path) for u in recorded}
    _refuse_gone(corpus, [u.path for u in recorded if now[u.id] is None])
    fresh, damaged = [], []
    for done, utterance in enumerate(corpus.utterances, start=1):
        same = now.get(utterance.id, _at(utterance)) == _at(utterance)
        if utterance.mtime_ns and (deep or not same):
            read = identify(corpus.root, utterance.path)
            if same and read["digest"] != utterance.digest:
                damaged.append(utterance.path)
            utterance = replace(utterance, **read)
        fresh.append(utterance)
        tell(done, len(corpus.utterances))
    if damaged:
        raise DamageError(
            f"{_count(damaged, corpus)} of corpus `{corpus.name}` changed while size and time "
            f"stayed ({_some(damaged)}): restore them from the original, or register the corpus "
            f"again with `ablate corpus add {corpus.name} {corpus.root}`."
        )
    return replace(corpus, utterances=tuple(fresh))


def identify(root: str, path: str) -> dict[str, Any]:
    """Digest, size and time of one file, as the fields of `Utterance`.

    Raises:
        OSError: the file cannot be read.
    """
    with open(os.path.join(root, path), "rb") as file:
        stat = os.fstat(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"digest": digest, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def canonical_digest(value: Any) -> str:
    """sha256 of a value's canonical JSON: sorted keys, no spaces, ASCII."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _stat(root: str, path: str) -> tuple[int, int] | None:
    try:
        stat = os.stat(f"{root}/{path}")
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _at(utterance: Utterance) -> tuple[int, int]:
    return utterance.size, utterance.mtime_ns


def _refuse_gone(corpus: Corpus, gone: Sequence[str]) -> None:
    if gone:
        raise CorpusError(
            f"{_count(gone, corpus)} of corpus `{corpus.name}` are gone from {corpus.root} "
            f"({_some(gone)}): put them back, or register what is there with "
            f"`ablate corpus add {corpus.name} {corpus.root}`."
        )


def _count(paths: Sequence[str], corpus: Corpus) -> str:
    return f"{len(paths)} of the {len(corpus.utterances)} files"


def _some(paths: Sequence[str]) -> str:
    return ", ".join(paths[:3]) + (", ..." if len(paths) > 3 else "")


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words) or "nothing"
