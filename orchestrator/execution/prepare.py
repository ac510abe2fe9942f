"""Audio and features, which must be there before trials train: made, verified, repaired.

``ablate run`` makes what its trials need; ``ablate features build`` and ``verify`` do so without a
training.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from features.corpora import catalogue
from features.errors import ShardDamageError
from features.shards import verification
from features.shards.verification import ShardFinding
from orchestrator.execution.cluster.protocol import Map, OnEvent
from orchestrator.execution.events import Progress
from orchestrator.planning.corpus import find_corpus
from orchestrator.planning.plan import Plan, plan_study
from orchestrator.store import shard_cache
from orchestrator.store.ledger import Ledger
from orchestrator.study.study import Study
from orchestrator.study.trials import PlannedTrial


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What a verification of the store's features found."""

    shards: int
    """How many shards were read."""
    findings: tuple[ShardFinding, ...]
    audio: tuple[str, ...]
    """Recordings that are not what the corpus was registered with, one sentence each."""

    @property
    def whole(self) -> int:
        """How many of these shards are what was written."""
        return self.shards - len({f.file for f in self.findings if f.remove})

    @property
    def damage(self) -> bool:
        """Whether a shard or a recording is not what was written."""
        return bool(self.audio) or any(f.kind != "outdated" for f in self.findings)


def prepare(
    plan: Plan,
    to_train: Sequence[PlannedTrial],
    ledger: Ledger,
    on_event: OnEvent,
    threads: int,
    elsewhere: Map | None = None,
) -> None:
    """Make the audio and the features that these trials need, and no others.

    Args:
        plan: the plan of the study.
        to_train: the trials.
        ledger: the store.
        on_event: is called with the progress.
        threads: threads for the extraction here.
        elsewhere: maps the extraction to other machines, in place of threads here.
    """
    from features.shards import shards

    corpus = plan.selection.corpus
    if corpus.name in ledger.corpora():
        ledger.write_corpus(corpus.name, corpus.to_json())  # times and sizes as seen now
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
    """Make all features that a study needs, and train nothing.

    Args:
        study: the study.
        ledger: the store.
        on_event: is called with the progress.
        threads: threads for the extraction here.
        allow_config: whether `features: opensmile:PATH.conf` may run here.
        elsewhere: maps the extraction to other machines, in place of threads here.

    Raises:
        AblateError, FeatureError: as ``run`` before it trains.
    """
    plan = plan_study(study, ledger, allow_config=allow_config)
    prepare(plan, plan.trials, ledger, on_event, threads, elsewhere)
    return plan


def verify(
    ledger: Ledger, study: Study | None, on_event: OnEvent, *, allow_config: bool
) -> Verified:
    """Read every shard of the store and compare it with its digest.

    With a study: also whether all its shards are there, and its recordings as they were registered.

    Raises:
        AblateError, FeatureError: when the study cannot be planned.
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
    """The shards that a study's trials need and the store lacks."""
    for config in dict.fromkeys(item.trial.features for item in plan.trials):
        version = plan.features[config.features].version()
        yield from verification.find_missing(
            ledger.paths.local_shards, plan.selection, config, version
        )


def repair(ledger: Ledger, found: Verified) -> Sequence[str]:
    """Delete damaged shards, nothing else; returns the names of the deleted files."""
    deleted = [path.name for path in verification.repair(found.findings)]
    shard_cache.remove(ledger, deleted)
    return deleted


def not_rebuilt(ledger: Ledger, deleted: Sequence[str]) -> tuple[str, ...]:
    """Keys of shards that were deleted and not built anew, since this study does not need them."""
    keys = dict.fromkeys(name.partition(".")[0] for name in deleted)
    return tuple(key for key in keys if not (ledger.paths.local_shards / f"{key}.json").exists())
