"""Looks for copies among the recordings of a study's corpus, once, before it is planned or trained.

`ablate corpus add` compares what it registers. A corpus that an earlier version registered, or
whose files have changed since, is compared here.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace

from features.corpora import catalogue, copies, inspection
from features.corpora.corpus import Corpus, OnProgress
from features.corpora.identities import question_notes
from orchestrator.planning.corpus import corpus_name
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.study import Study


def compare_recordings(
    study: Study, ledger: Ledger, progress: Callable[[], AbstractContextManager[OnProgress]]
) -> None:
    """Compare the recordings of a study's corpus, unless that was done, and register the result.

    The registration also gets the sizes and times that the files have now.

    Args:
        study: the study.
        ledger: the store.
        progress: is entered where there are recordings to compare; the function that it gives is
            called with (recordings decoded, recordings in all).

    Raises:
        CorpusError: copies stand under two speakers or on two sides of the published split.
        MissingError, ShardDamageError: files of the corpus are gone, or its record is damaged.
    """
    name, _ = corpus_name(study, ledger)
    record = ledger.corpus(name)
    if name in catalogue.SYNTHESISED or record is None:
        return
    registered = Corpus.from_json(record)
    corpus = copies.with_current_state(catalogue.refresh(registered))
    if not corpus.compared:
        with progress() as on_progress:
            heard = inspection.inspect(corpus, on_progress, threads=os.cpu_count() or 1).heard
        corpus = copies.settle(corpus, heard)
    if corpus != registered:
        with suppress(OSError):  # a plan may read a store that only others write
            ledger.write_corpus(name, corpus.to_json())


def with_corpus_notes(snapshot: Snapshot, ledger: Ledger) -> Snapshot:
    """Return the snapshot of a study as reports show it: with what is known of its corpus by now.

    A snapshot from before its corpus was compared gets notes: what the registration says since of
    copies and of speakers that may be one, or that the corpus is not checked for copies.
    """
    if snapshot.copies_checked or snapshot.corpus in catalogue.SYNTHESISED:
        return snapshot
    record = ledger.corpus(snapshot.corpus)
    corpus = None if record is None else Corpus.from_json(record)
    notes = () if corpus is None else question_notes(corpus, corpus.utterances)
    if corpus is not None and corpus.compared:
        note = corpus.copies_note
    else:
        note = (
            f"Corpus `{snapshot.corpus}` is not checked for copies (one recording under two "
            "speakers): the next `ablate plan` or `ablate run` of the study does it."
        )
    found = (*snapshot.notes, *([note] if note else []), *notes)
    return replace(snapshot, notes=tuple(dict.fromkeys(found)))
