"""The sentences about a corpus's names and labels: when it is added, in a plan, under a report.

Light: the standard library only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.config import DEFAULT_EMOTIONS
from features.corpora.corpus import Corpus, FileNote, Selection, some
from features.corpora.identities import (
    answer_notes,
    capitalised,
    doubt,
    question_notes,
    questions,
    ways_on,
)
from features.corpora.labels import (
    LabelDoubt,
    are_numbers,
    as_yaml,
    completed,
    label_doubts,
    number_map,
)
from features.corpora.spellings import letters_form, visible
from features.errors import CorpusError

MOST_LABELS = 8
"""Most labels that the sentence about left-out utterances names."""

MOST_CLASSES = 20
"""Most numbers that may be labels of classes: more are ratings."""

MOST_COMPARED = 200
"""Most labels of a corpus that are compared with each other: more are numbers or sentences."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusDoubt:
    """A doubt about names or labels of a corpus, which a person can settle."""

    about: str
    """``speaker``, ``session`` or ``label``."""
    names: tuple[str, ...]
    """The names or labels in doubt."""
    sentence: str
    """What is in doubt, as a sentence without its full stop."""
    ways_on: tuple[tuple[str, str], ...]
    """What it may be -> what a person writes then: options, or a line of a study file."""


def corpus_doubts(corpus: Corpus) -> tuple[CorpusDoubt, ...]:
    """List what is in doubt about the names and labels of a corpus, whatever is studied."""
    names = (
        CorpusDoubt(
            about=question.kind,
            names=question.names,
            sentence=capitalised(doubt(question)),
            ways_on=ways_on(question),
        )
        for question in questions(corpus, corpus.utterances)
    )
    return (*names, *(_number_doubt(corpus) or _label_doubts(corpus)))


def plan_notes(selection: Selection, emotions: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Sentences for a plan: what a study leaves out, and what is in doubt about its speech.

    Args:
        selection: the chosen utterances.
        emotions: name of a class -> the corpus labels that it joins.
    """
    copies = selection.corpus.copies_note
    return (
        *([copies] if copies else []),
        *_left_out_note(selection),
        *_slip_notes(selection.corpus, emotions),
        *question_notes(selection.corpus, (utterance for utterance, _ in selection.items)),
    )


def report_notes(selection: Selection, emotions: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Sentences that stand under every report: those of a plan, and what a person has answered.

    Args:
        selection: the chosen utterances.
        emotions: name of a class -> the corpus labels that it joins.
    """
    corpus = selection.corpus
    read = filter(None, (corpus.omission, corpus.mending))
    return (*read, *plan_notes(selection, emotions), *answer_notes(corpus))


def in_no_class(
    corpus: Corpus, emotions: Mapping[str, Sequence[str]] = DEFAULT_EMOTIONS
) -> tuple[FileNote, ...]:
    """List the utterances whose label is in no class, each with the label, in order of the ids.

    Args:
        corpus: the corpus.
        emotions: name of a class -> the corpus labels that it joins.
    """
    wanted = _labels(emotions)
    return tuple(
        FileNote(path=u.id, reason=f"label `{visible(u.emotion)}`")
        for u in corpus.utterances
        if u.emotion not in wanted
    )


def refuse_unnamed_forms(corpus: Corpus, emotions: Mapping[str, Sequence[str]]) -> None:
    """Refuse classes that name a label, but not its other forms: ``angry`` without ``Angry``.

    Args:
        corpus: the corpus.
        emotions: name of a class -> the corpus labels that it joins.

    Raises:
        CorpusError: the corpus has such a form; the error holds the line that names all.
    """
    counts = corpus.emotions()
    forms = [d for d in label_doubts(counts, _labels(emotions)) if not d.slip]
    if forms:
        raise CorpusError(
            f"`emotions` must name every form of a label, but in corpus `{corpus.name}` "
            f"{_forms(forms)}. Write "
            f"`{as_yaml(completed(emotions, forms), counts)}`."
        )


def _number_doubt(corpus: Corpus) -> tuple[CorpusDoubt, ...]:
    """The doubt about labels that are all numbers: which emotions they mean; empty without."""
    counts = corpus.emotions()
    if not are_numbers(counts):
        return ()
    if len(counts) > MOST_CLASSES:
        sentence = f"labels are {len(counts)} numbers, which are ratings rather than classes"
        way = ("in the table", "a column `emotion` that names classes")
    else:
        listed = ", ".join(f"`{label}` ({count})" for label, count in counts.items())
        sentence = f"labels are numbers, of which nobody knows the emotion: {listed}"
        way = ("in a study", number_map(counts))
    return (
        CorpusDoubt(
            about="label", names=tuple(counts), sentence=capitalised(sentence), ways_on=(way,)
        ),
    )


def _label_doubts(corpus: Corpus) -> tuple[CorpusDoubt, ...]:
    """Doubts about labels that differ little from each other, or from those of default classes."""
    counts = corpus.emotions()
    if len(counts) > MOST_COMPARED:
        return ()
    default = {letters_form(label): label for label in _labels(DEFAULT_EMOTIONS)}
    usual: dict[str, str] = {}
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        form = letters_form(label)
        usual.setdefault(form, default.get(form, label))
    wanted = {*usual.values()}
    found = list(label_doubts(counts, wanted))
    for rare in sorted(wanted & set(counts) - set(default.values())):
        found += [d for d in label_doubts(counts, wanted - {rare}) if d.label == rare]
    forms = [d for d in found if not d.slip]
    slips = [d for d in found if d.slip]
    classes = dict(DEFAULT_EMOTIONS) if wanted & set(default.values()) else {}
    own = wanted if not classes else {d.wanted for d in found} - _labels(classes)
    classes |= {label: (label,) for label in sorted(own - {d.label for d in slips})}
    doubts = []
    if forms:
        line = as_yaml(completed(classes, forms), counts)
        doubts.append(_doubt(forms, _forms(forms), line))
    for slip in slips:
        line = as_yaml(completed(classes, [*forms, slip]), counts)
        doubts.append(_doubt([slip], _slip(corpus, slip), line))
    return tuple(doubts)


def _doubt(found: Sequence[LabelDoubt], sentence: str, line: str) -> CorpusDoubt:
    return CorpusDoubt(
        about="label",
        names=tuple(d.label for d in found),
        sentence=capitalised(sentence),
        ways_on=(("in a study", line),),
    )


def _left_out_note(selection: Selection) -> tuple[str, ...]:
    """How many utterances of which labels no class takes, the most frequent first."""
    counts = selection.left_out
    if not counts:
        return ()
    labels = sorted(counts, key=lambda label: (-counts[label], label))
    named = ", ".join(f"{counts[label]} `{visible(label)}`" for label in labels[:MOST_LABELS])
    if rest := labels[MOST_LABELS:]:
        named += f", and {sum(counts[label] for label in rest)} of {len(rest)} more labels"
    total = sum(counts.values())
    which = "1 utterance, whose label is" if total == 1 else f"{total} utterances, whose labels are"
    return (f"Left out: {which} in no class ({named}).",)


def _slip_notes(corpus: Corpus, emotions: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """One sentence for each label that may be a wanted one with a slip, and so is left out."""
    counts = corpus.emotions()
    slips = [d for d in label_doubts(counts, _labels(emotions)) if d.slip]
    return tuple(
        f"{capitalised(_slip(corpus, slip))}. It is left out unless the study says "
        f"`{as_yaml(completed(emotions, [slip]), counts)}`."
        for slip in slips
    )


def _forms(doubts: Sequence[LabelDoubt]) -> str:
    """Write which labels are other forms of which, as the part of a sentence."""
    pairs = (f"`{visible(d.label)}` ({d.count}) from `{visible(d.wanted)}`" for d in doubts)
    return f"labels differ in case, blanks or Unicode form alone: {', '.join(pairs)}"


def _slip(corpus: Corpus, doubt: LabelDoubt) -> str:
    """Write which label may be a slip of which, and where it stands, as the part of a sentence."""
    where = [u.path for u in corpus.utterances if u.emotion == doubt.label]
    return (
        f"label `{visible(doubt.label)}` ({doubt.count}: {some(where)}) may be a slip of "
        f"`{visible(doubt.wanted)}`"
    )


def _labels(emotions: Mapping[str, Sequence[str]]) -> set[str]:
    return {label for labels in emotions.values() for label in labels}
