"""Speakers and sessions of a corpus whose names raise a question, and what a person answered.

The questions come from the names alone (`spellings`), so a corpus that was registered earlier
raises them, too. The answers are kept with the corpus. Light: the standard library only.
"""

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from features.corpora.corpus import Corpus, Selection, Utterance
from features.corpora.spellings import (
    NameAnswers,
    NameQuestion,
    distinct_option,
    joined_names,
    keep_option,
    open_questions,
    read_name,
    read_pair,
    same_option,
    visible,
)
from features.errors import CorpusError

NAME_OF: Mapping[str, Callable[[Utterance], str]] = {
    "speaker": lambda utterance: utterance.speaker,
    "session": lambda utterance: utterance.session,
}
"""What a question is about -> the function that reads that name of an utterance."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NameOptions:
    """What a person typed to answer the questions about speakers, or about sessions."""

    same: Sequence[str] | None = None
    """Values of `--same-speaker`, such as ``01=1``."""
    distinct: Sequence[str] | None = None
    """Values of `--distinct-speakers`, such as ``01,1``."""
    keep: Sequence[str] | None = None
    """Values of `--keep-speaker`, such as ``NA``."""


NO_OPTIONS = NameOptions()
"""No option was typed."""


def with_answers(corpus: Corpus, speakers: NameOptions, sessions: NameOptions) -> Corpus:
    """Return the corpus with answers about its names; joined names are replaced.

    Raises:
        CorpusError: an option names nobody of the corpus, two of them contradict each other, or
            two speakers of different sex are said to be one.
    """
    said = {}
    for kind, options in (("speaker", speakers), ("session", sessions)):
        said[kind] = _read_answers(kind, options, corpus)
        corpus = _joined(corpus, kind, joined_names(said[kind]))
    words = (word for kind, answers in said.items() for word in answers.options(kind))
    return replace(
        corpus,
        speaker_answers=said["speaker"],
        session_answers=said["session"],
        options=(*corpus.options, *words),
    )


def questions(corpus: Corpus, utterances: Iterable[Utterance]) -> tuple[NameQuestion, ...]:
    """List the open questions about the names of some utterances: speakers, then sessions.

    Args:
        corpus: the corpus, for the answers.
        utterances: the utterances whose names are looked at: all of the corpus, or those of a
            study.
    """
    chosen = tuple(utterances)
    return tuple(
        question
        for kind, answers in _answers(corpus)
        for question in open_questions(kind, Counter(map(NAME_OF[kind], chosen)), answers)
    )


def doubt(question: NameQuestion) -> str:
    """Write what is in doubt as the beginning of a sentence: the names, and what they may be."""
    counts = zip(question.names, question.counts, strict=True)
    named = [f"`{visible(name)}` ({count})" for name, count in counts]
    if len(named) == 1:
        return f"{question.kind} {named[0]} may mean that the {question.kind} is not known"
    ways = "two ways" if len(named) == 2 else f"{len(named)} ways"
    return f"{question.kind}s {_and(named)} may be one, spelled {ways}"


def ways_on(question: NameQuestion) -> tuple[tuple[str, str], ...]:
    """Pair each answer to a question with what gives it: options of `ablate corpus add`.

    A name that is no name needs a table without it: for it the second text of a pair is no option.
    """
    kind, names = question.kind, question.names
    if not question.pairs:
        return (
            (f"a {kind} of that name", shlex.join(keep_option(kind, names[0]))),
            ("not known", "empty its cells in the table"),
        )
    same = [pair for pair in question.pairs if pair[0] == names[0]] or list(question.pairs)
    one = [shlex.join(same_option(kind, *pair)) for pair in same]
    several = [shlex.join(distinct_option(kind, *pair)) for pair in question.pairs]
    return ((f"one {kind}", " ".join(one)), (f"{len(names)} {kind}s", " ".join(several)))


def question_notes(corpus: Corpus, utterances: Iterable[Utterance]) -> tuple[str, ...]:
    """Sentences for a plan and for reports: names of the chosen utterances that are in doubt."""
    found = questions(corpus, utterances)
    notes = [_question_note(question) for question in found[:MOST_QUESTIONS]]
    if more := len(found) - len(notes):
        notes.append(f"{more} more such doubts: `ablate corpus check {corpus.name}` lists them.")
    return tuple(notes)


def answer_notes(corpus: Corpus) -> tuple[str, ...]:
    """Sentences for reports: what the registration says about names; none if it says nothing."""
    notes = []
    for kind, answers in _answers(corpus):
        said = [
            f"`{visible(joined)}` is the same as `{visible(stays)}` (`--same-{kind}`)"
            for joined, stays in joined_names(answers).items()
        ]
        said += [
            f"`{visible(first)}` and `{visible(second)}` are two (`--distinct-{kind}s`)"
            for first, second in answers.distinct
        ]
        said += [f"`{visible(name)}` is a name (`--keep-{kind}`)" for name in answers.kept]
        if said:
            notes.append(
                f"{kind.capitalize()}s of corpus `{corpus.name}`, by its registration: "
                f"{'; '.join(said)}."
            )
    return tuple(notes)


def refuse_open_speakers(selection: Selection) -> None:
    """Refuse to go on with a published split while speakers' names are in doubt.

    Raises:
        CorpusError: there are such names; the error says how to answer.
    """
    corpus = selection.corpus
    sides: dict[str, set[str]] = {}
    for utterance, _ in selection.items:
        sides.setdefault(utterance.speaker, set()).add(utterance.split or "none")
    open_ = [
        question
        for question in questions(corpus, (utterance for utterance, _ in selection.items))
        if question.kind == "speaker"
    ]
    if open_:
        first = open_[0]
        stand = "; ".join(
            f"`{visible(name)}` stands in {', '.join(sorted(sides[name]))}" for name in first.names
        )
        more = f" {len(open_) - 1} more such doubts are open." if len(open_) > 1 else ""
        raise CorpusError(
            f"The published split of corpus `{corpus.name}` must keep each speaker on one side, "
            f"but {doubt(first)} ({stand}).{more} Register the corpus again with the answer: "
            f"`{corpus.registration_command}` and {_or(ways_on(first))}. Or give a number of folds."
        )


MOST_QUESTIONS = 3
"""Most doubts that a plan or a report writes out; `ablate corpus check` lists all."""


def spelling_hint(corpus: Corpus, utterances: Iterable[Utterance]) -> str:
    """Write that speakers of some utterances may be one, and how to say so; else an empty text.

    The text is a sentence with a blank before it.
    """
    found = [q for q in questions(corpus, utterances) if q.kind == "speaker" and q.pairs]
    if not found:
        return ""
    names = _and([f"`{visible(name)}`" for name in found[0].names])
    return f" If {names} are one speaker, add `{ways_on(found[0])[0][1]}`."


def capitalised(sentence: str) -> str:
    """Write the first letter of a sentence as a capital."""
    return sentence[:1].upper() + sentence[1:]


def _question_note(question: NameQuestion) -> str:
    """Write an open question and what answers it, as a sentence."""
    start, (first, *_) = capitalised(doubt(question)), ways_on(question)
    if not question.pairs:
        return (
            f"{start}, and counts as one until `ablate corpus add` is told `{first[1]}`, or its "
            "cells in the table are emptied."
        )
    return (
        f"{start}, and count as {len(question.names)} until `ablate corpus add` is told: "
        f"{_or(ways_on(question))}."
    )


def _answers(corpus: Corpus) -> tuple[tuple[str, NameAnswers], ...]:
    return (("speaker", corpus.speaker_answers), ("session", corpus.session_answers))


def _read_answers(kind: str, options: NameOptions, corpus: Corpus) -> NameAnswers:
    """Read what a person typed about speakers or sessions.

    Raises:
        CorpusError: an option names nobody of the corpus.
    """
    names = {NAME_OF[kind](utterance) for utterance in corpus.utterances} - {""}
    return NameAnswers(
        same=tuple(read_pair(kind, f"--same-{kind}", text, names) for text in options.same or ()),
        distinct=tuple(
            read_pair(kind, f"--distinct-{kind}s", text, names) for text in options.distinct or ()
        ),
        kept=tuple(read_name(kind, f"--keep-{kind}", text, names) for text in options.keep or ()),
    )


def _joined(corpus: Corpus, kind: str, stays: Mapping[str, str]) -> Corpus:
    """Replace joined names; a speaker whose sex one spelling lacks gets that of the others.

    Raises:
        CorpusError: speakers of different sex are said to be one.
    """
    if not stays:
        return corpus
    if kind == "session":
        return replace(
            corpus,
            utterances=tuple(
                replace(u, session=stays.get(u.session, u.session)) for u in corpus.utterances
            ),
        )
    sexes: dict[str, dict[str, str]] = {}
    for u in corpus.utterances:
        if u.sex:
            sexes.setdefault(stays.get(u.speaker, u.speaker), {}).setdefault(u.sex, u.speaker)
    joined = {*stays.values()}
    for name in sorted(joined & set(sexes)):
        if len(sexes[name]) > 1:
            found = [f"`{visible(who)}` is {sex}" for sex, who in sorted(sexes[name].items())]
            raise CorpusError(
                f"`--same-speaker` must join spellings of one speaker, but {_and(found)} in "
                f"corpus `{corpus.name}`: mend the table, or drop the option."
            )
    return replace(
        corpus,
        utterances=tuple(
            replace(u, speaker=name, sex=u.sex or next(iter(sexes.get(name, {})), ""))
            if (name := stays.get(u.speaker, u.speaker)) in joined
            else u
            for u in corpus.utterances
        ),
    )


def _and(words: Sequence[str]) -> str:
    return " and ".join((", ".join(words[:-1]), words[-1]) if len(words) > 2 else words)


def _or(ways: Sequence[tuple[str, str]]) -> str:
    """Write the answers to a question, such as "`--same-speaker 01=1` (one speaker) or ..."."""
    return " or ".join(
        f"`{how}` ({what})" if how.startswith("--") else f"{how} ({what})" for what, how in ways
    )
