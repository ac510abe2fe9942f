"""Finds the speech of a study: its corpus as it is on disk now, its utterances, its folds.

A registration can also be forgotten here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from features.corpora import catalogue, copies
from features.corpora.corpus import Corpus, Selection
from features.corpora.folds import Fold, deal, deal_anew
from features.corpora.notes import plan_notes, refuse_unnamed_forms
from features.errors import CorpusError
from orchestrator.analysis.progress.adaptive import with_wanted_trials
from orchestrator.errors import LackError, RequestError, nearest
from orchestrator.planning.status import lease_holder
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import LEASE
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.protocol import score_rule
from orchestrator.study.resolve import emotions
from orchestrator.study.study import Study

AUTO_CORPUS = "demo"
"""Name of the corpus that ``corpus: auto`` takes where IEMOCAP is not registered; synthesised."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Speech:
    """The speech that a study trains and tests on: utterances, labels and folds."""

    selection: Selection
    """The utterances that belong to the study's classes."""
    emotions: Mapping[str, tuple[str, ...]]
    """Name of a class -> the corpus's own labels that it joins, such as ``happy`` and
    ``excited``."""
    folds: tuple[Fold, ...]
    """The folds: each with its held-out group and its training speakers."""
    default_profile: str
    """The profile of rows that name none: ``paper`` for IEMOCAP, else ``quick``."""
    notices: tuple[str, ...]
    """A sentence for the user for each choice that the study left open, such as the corpus."""


def find_speech(study: Study, ledger: Ledger) -> Speech:
    """Find a study's corpus, select its utterances, and deal its speakers into folds.

    Raises:
        LackError: the corpus is not registered.
        StudyError: the corpus lacks the part, the emotions, the folds or the deals that the
            study asks for.
    """
    corpus, notices = find_corpus(study, ledger)
    default_profile = "paper" if corpus.name == "iemocap" else "quick"
    if study.settings.get("profile") is None:
        notices = (*notices, _default_profile(study, corpus, default_profile))
    wanted = emotions(study.settings)
    part = study.settings.get("corpus_part", "all")
    try:
        corpus = corpus if part == "all" else corpus.part(part)
    except CorpusError as error:
        raise study.fault("corpus_part", str(error)) from None
    try:
        refuse_unnamed_forms(corpus, wanted)
        selection = corpus.select(wanted)
    except CorpusError as error:
        key = "emotions" if study.gives("emotions") else "corpus"
        raise study.fault(key, str(error)) from None
    try:
        folds = deal(selection, study.folds)
    except CorpusError as error:
        raise study.fault("protocol.folds", str(error)) from None
    if study.folds != "published":
        try:
            folds = deal_anew(selection, study.folds, study.deals)
        except CorpusError as error:
            raise study.fault("protocol.deals", str(error)) from None
    return Speech(
        selection=selection,
        emotions=wanted,
        folds=folds,
        default_profile=default_profile,
        notices=(*notices, *plan_notes(selection, wanted)),
    )


def _default_profile(study: Study, corpus: Corpus, profile: str) -> str:
    """A sentence: which profile was taken, and with it which score, if the study names neither."""
    if "score" in study.settings:
        return f"Profile: {profile}, the default for `{corpus.name}`."
    score = score_rule(profile, study.settings)
    return f"Profile: {profile}, the default for `{corpus.name}`, and so score {score}."


def find_corpus(study: Study, ledger: Ledger) -> tuple[Corpus, tuple[str, ...]]:
    """Find the study's corpus and read it as it is on disk now.

    Returns:
        The corpus, and sentences for the user: one where the study names no corpus (``auto``).

    Raises:
        LackError: the corpus is not registered.
    """
    name, notices = corpus_name(study, ledger)
    if name in catalogue.SYNTHESISED:
        return catalogue.read(name, ledger.paths.corpus_audio(name)), notices
    record = ledger.corpus(name)
    if record is None:
        raise unregistered(name, ledger)
    return copies.with_current_state(catalogue.refresh(Corpus.from_json(record))), notices


def corpus_name(study: Study, ledger: Ledger) -> tuple[str, tuple[str, ...]]:
    """Name the study's corpus; ``auto`` takes IEMOCAP if it is registered, else ``AUTO_CORPUS``.

    Returns:
        The name, and a sentence for the user where the study names no corpus.
    """
    if study.corpus != "auto":
        return study.corpus, ()
    if ledger.corpus("iemocap") is not None:
        return "iemocap", ("Corpus: `iemocap`.",)
    return AUTO_CORPUS, (
        f"Corpus: `{AUTO_CORPUS}`, synthesised speech, since `iemocap` is not registered: "
        "its numbers say nothing about people.",
    )


def registered_corpus(name: str, ledger: Ledger) -> Corpus:
    """Return a corpus as it was registered; a synthesised one needs no registration.

    Raises:
        LackError: the corpus is not registered.
        MissingError: the corpus's synthesiser is not installed.
    """
    known = ledger.corpora()
    if name in catalogue.SYNTHESISED and name not in known:
        return catalogue.read(name, ledger.paths.corpus_audio(name))
    if name not in known:
        raise unregistered(name, ledger)
    return Corpus.from_json(known[name])


def forget_corpus(name: str, ledger: Ledger) -> Corpus:
    """Remove the registration of a corpus: recordings, features and outcomes stay.

    Returns:
        The corpus as it was registered.

    Raises:
        LackError: the corpus is not registered.
        RequestError: a run trains on it.
    """
    record = ledger.corpus(name)
    if record is None and name in catalogue.SYNTHESISED:
        raise RequestError(f"The corpus `{name}` is synthesised: there is nothing to forget.")
    if record is None:
        raise unregistered(name, ledger)
    corpus = Corpus.from_json(record)
    for snapshot in ledger.studies.snapshots():
        if snapshot.corpus == name:
            _refuse_held(with_wanted_trials(snapshot, ledger), ledger)
    ledger.remove_corpus(name)
    return corpus


def _refuse_held(snapshot: Snapshot, ledger: Ledger) -> None:
    """Refuse to forget the corpus of a study that some process trains now.

    Raises:
        RequestError: a living process holds one of its trials.
    """
    names = ledger.files_of({trial.id for trial in snapshot.all_trials})
    for id, files in names.items():
        holder = lease_holder(ledger, id) if LEASE in files else None
        if holder is not None and not holder.lost:
            raise RequestError(
                f"The corpus `{snapshot.corpus}` must not be in use, but study `{snapshot.study}` "
                f"trains on it on {holder.host} (trial {id[:12]}): wait for the end of that run, "
                "or stop it."
            )


def unregistered(name: str, ledger: Ledger) -> LackError:
    """An error that says that a corpus is not registered, with the command that registers it."""
    how = f"{name} FOLDER" if name in catalogue.names() else f"table FILE_OR_FOLDER --name {name}"
    how = "table FILE_OR_FOLDER" if name == "table" else how
    known = {*catalogue.names(), *ledger.corpora()}
    hint = "" if name in known else f" {nearest(name, known)}"
    return LackError(
        f"The corpus `{name}` is not registered in `{ledger.root}`. "
        f"`ablate corpus add {how}` registers it.{hint}"
    )
