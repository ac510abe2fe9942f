"""Makes, verifies and repairs the audio and the feature shards that trials read.

``ablate run`` makes what its trials need; ``ablate features build`` and ``verify`` do so without a
training.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from features.corpora import catalogue
from features.errors import ShardDamageError
from features.shards import verification
from features.shards.verification import ShardFinding
from orchestrator.execution.cluster.protocol import Map, OnEvent
from orchestrator.execution.events import Progress
from orchestrator.planning.copies import compare_recordings
from orchestrator.planning.corpus import find_corpus
from orchestrator.planning.plan import Plan, plan_study
from orchestrator.store import shard_cache
from orchestrator.store.ledger import Ledger
from orchestrator.study.study import Study
from orchestrator.study.trials import PlannedTrial


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What a verification of the store's shards found."""

    shards: int
    """How many shards (files with the features of one speaker) were read."""
    findings: tuple[ShardFinding, ...]
    """The shards that are damaged, missing or outdated, one finding each."""
    audio: tuple[str, ...]
    """A sentence on the recordings whose bytes have changed since the corpus was registered; empty
    where none has."""

    @property
    def whole(self) -> int:
        """How many of the shards that were read are in order: nothing of them need be deleted."""
        return self.shards - len({f.file for f in self.findings if f.remove})

    @property
    def damage(self) -> bool:
        """Whether a shard is damaged or missing, or a recording has changed.

        Shards that are only outdated (made by another version) do not count.
        """
        return bool(self.audio) or any(f.kind != "outdated" for f in self.findings)


@dataclass(frozen=True, kw_only=True, slots=True)
class Repaired:
    """What a repair of the store's shards did."""

    deleted: tuple[str, ...]
    """Names (without folder) of the files that were deleted."""
    of_other_studies: tuple[str, ...]
    """Keys of deleted shards that were not built anew, since the study needs none of them."""
    verified: Verified
    """What a verification found afterwards."""


def compare(study: Study, ledger: Ledger, on_event: OnEvent) -> None:
    """Look for copies among the recordings of a study's corpus, unless that was done.

    Args:
        study: the study.
        ledger: the store.
        on_event: is called with ``Progress``.

    Raises:
        CorpusError: copies stand under two speakers or on two sides of the published split.
    """

    def on_progress(done: int, total: int) -> None:
        on_event(Progress("comparing recordings", done, total))

    compare_recordings(study, ledger, lambda: nullcontext(on_progress))


def prepare(
    plan: Plan,
    to_train: Sequence[PlannedTrial],
    ledger: Ledger,
    on_event: OnEvent,
    threads: int,
    elsewhere: Map | None = None,
) -> None:
    """Make the audio and the shards that these trials need and the store lacks.

    Also write the selection (which utterances, which classes) to the store, for the workers.

    Args:
        plan: the plan of the study.
        to_train: the trials.
        ledger: the store.
        on_event: is called with ``Progress``.
        threads: how many threads extract features in this process.
        elsewhere: a `map` that extracts on other machines (``Cluster.map``); None for threads here.
    """
    from features.shards import shards

    corpus = plan.selection.corpus
    catalogue.prepare(
        corpus, lambda done, total: on_event(Progress("synthesising speech", done, total))
    )
    for config in dict.fromkeys(item.trial.features for item in to_train):
        version = plan.features[config.features].version()
        keys = shards.keys(plan.selection, config, version).values()
        shard_cache.fetch(ledger, keys)
        if shards.missing(ledger.paths.local_shards, plan.selection, config, version):
            shards.build(
                ledger.paths.local_shards,
                plan.selection,
                config,
                lambda done, total: on_event(Progress("extracting features", done, total)),
                threads,
                features=plan.features[config.features],
                parallel_map=elsewhere,
            )
        shard_cache.publish(ledger, keys)
    record = {
        "corpus": corpus.to_json(),
        "emotions": {k: list(v) for k, v in plan.emotions.items()},
    }
    ledger.write_selection(plan.selection.digest, record)


def build(
    study: Study,
    ledger: Ledger,
    on_event: OnEvent,
    *,
    threads: int,
    allow_config: bool = False,
    elsewhere: Map | None = None,
) -> Plan:
    """Make all shards that a study's trials need (`ablate features build`); train nothing.

    Args:
        study: the study.
        ledger: the store.
        on_event: is called with ``Progress``.
        threads: how many threads extract features in this process.
        allow_config: whether a configuration file of openSMILE that the study names
            (`features: opensmile:PATH.conf`) may run here.
        elsewhere: a `map` that extracts on other machines (``Cluster.map``); None for threads here.

    Returns:
        The plan of the study.

    Raises:
        AblateError, FeatureError: the study cannot be planned, or its features cannot be made.
    """
    compare(study, ledger, on_event)
    plan = plan_study(study, ledger, allow_config=allow_config)
    prepare(plan, plan.trials, ledger, on_event, threads, elsewhere)
    return plan


def verify(
    ledger: Ledger, study: Study | None, on_event: OnEvent, *, allow_config: bool
) -> Verified:
    """Read every shard of the store and compare it with its digest (`ablate features verify`).

    Args:
        ledger: the store.
        study: a study, of which it is also checked whether all its shards are there and whether its
            recordings are as registered; None for the shards of the store alone.
        on_event: is called with ``Progress``.
        allow_config: whether a configuration file of openSMILE that the study names may run here.

    Raises:
        AblateError, FeatureError: the study cannot be planned.
    """
    audio: tuple[str, ...] = ()
    plan = None
    if study is not None:
        corpus = find_corpus(study, ledger)[0]
        try:
            catalogue.refresh(corpus, deep=True)
        except ShardDamageError as error:
            audio = (str(error),)
        plan = plan_study(study, ledger, allow_config=allow_config)
    shard_cache.fetch_all_anew(ledger)
    shards = 0

    def count(done: int, total: int) -> None:
        nonlocal shards
        shards = total
        on_event(Progress("verifying features", done, total))

    found = tuple(verification.verify(ledger.paths.local_shards, count))
    known = {path.stem.partition(".")[0] for f in found for path in (f.file, *f.remove)}
    absent = tuple(_needed(plan, ledger)) if plan else ()
    findings = (*found, *dict.fromkeys(f for f in absent if f.file.stem not in known))
    return Verified(shards=shards, findings=findings, audio=audio)


def _needed(plan: Plan, ledger: Ledger) -> Iterator[ShardFinding]:
    """A finding for each shard that a study's trials need and the store lacks."""
    for config in dict.fromkeys(item.trial.features for item in plan.trials):
        version = plan.features[config.features].version()
        yield from verification.find_missing(
            ledger.paths.local_shards, plan.selection, config, version
        )


def repair(
    ledger: Ledger,
    study: Study,
    found: Verified,
    on_event: OnEvent,
    *,
    threads: int,
    allow_config: bool,
) -> Repaired:
    """Delete what is damaged, build what the study needs, and verify again (`--repair`).

    Args:
        ledger: the store.
        study: the study whose shards are built anew.
        found: what ``verify`` returned for the study; without changed recordings.
        on_event: is called with ``Progress``.
        threads: how many threads extract features in this process.
        allow_config: whether a configuration file of openSMILE that the study names may run here.

    Raises:
        AblateError, FeatureError: the study cannot be planned, or its features cannot be made.
    """
    deleted = delete_damaged(ledger, found)
    build(study, ledger, on_event, threads=threads, allow_config=allow_config)
    return Repaired(
        deleted=deleted,
        of_other_studies=_not_rebuilt(ledger, deleted),
        verified=verify(ledger, study, on_event, allow_config=allow_config),
    )


def delete_damaged(ledger: Ledger, found: Verified) -> tuple[str, ...]:
    """Delete damaged shards and what is left of incomplete ones, so that they can be made anew.

    Args:
        ledger: the store.
        found: what ``verify`` returned.

    Returns:
        The names (without folder) of the deleted files.
    """
    deleted = tuple(path.name for path in verification.delete_damaged(found.findings))
    shard_cache.remove(ledger, deleted)
    return deleted


def _not_rebuilt(ledger: Ledger, deleted: Sequence[str]) -> tuple[str, ...]:
    """Keys of the deleted shards that are still absent after a build: the study needs none of them.

    Args:
        ledger: the store.
        deleted: names of deleted files, from ``delete_damaged``.
    """
    keys = dict.fromkeys(name.partition(".")[0] for name in deleted)
    return tuple(key for key in keys if not (ledger.paths.local_shards / f"{key}.json").exists())
