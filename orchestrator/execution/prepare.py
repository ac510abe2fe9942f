"""``ablate features build`` and ``verify``: features without a training, and the proof of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from features.corpora import catalogue
from features.errors import ShardDamageError
from features.shards import verification
from features.shards.verification import ShardFinding
from orchestrator.execution.cluster.protocol import Map, OnEvent
from orchestrator.execution.events import Progress
from orchestrator.execution.run import prepare
from orchestrator.planning.corpus import find_corpus
from orchestrator.planning.plan import Plan, plan_study
from orchestrator.store import shard_cache
from orchestrator.store.ledger import Ledger
from orchestrator.study.study import Study


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What a verification found."""

    shards: int
    """How many were read."""
    findings: tuple[ShardFinding, ...]
    audio: tuple[str, ...]
    """Recordings that are not what the corpus was registered with, one sentence each."""

    @property
    def whole(self) -> int:
        """How many of them are what was written."""
        return self.shards - len({f.file for f in self.findings if f.remove})

    @property
    def damage(self) -> bool:
        """Whether something is not what it was."""
        return bool(self.audio) or any(f.kind != "outdated" for f in self.findings)


def build(
    study: Study,
    ledger: Ledger,
    tell: OnEvent,
    *,
    threads: int,
    allow_config: bool = False,
    elsewhere: Map | None = None,
) -> Plan:
    """Make all features that a study needs, and train nothing.

    Raises:
        AblateError, FeatureError: as ``run`` before it trains.
    """
    plan = plan_study(study, ledger, allow_config=allow_config)
    prepare(plan, plan.trials, ledger, tell, threads, elsewhere)
    return plan


def verify(ledger: Ledger, study: Study | None, tell: OnEvent, *, allow_config: bool) -> Verified:
    """Prove every shard of the store; with a study, that its own are there and its audio as it was.

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
        tell(Progress("verifying features", done, total))

    found = tuple(verification.verify(ledger.paths.local_shards, count))
    known = {path.stem.partition(".")[0] for f in found for path in (f.file, *f.remove)}
    absent = tuple(_needed(plan, ledger)) if plan else ()
    findings = (*found, *dict.fromkeys(f for f in absent if f.file.stem not in known))
    return Verified(shards=shards, findings=findings, audio=audio)


def _needed(plan: Plan, ledger: Ledger) -> Iterator[ShardFinding]:
    for config in dict.fromkeys(item.trial.features for item in plan.trials):
        version = plan.features[config.features].version()
        yield from verification.find_missing(
            ledger.paths.local_shards, plan.selection, config, version
        )


def repair(ledger: Ledger, found: Verified) -> Sequence[str]:
    """Delete damaged shards, nothing else; the names of the files that went."""
    gone = [path.name for path in verification.repair(found.findings)]
    shard_cache.remove(ledger, gone)
    return gone


def not_rebuilt(ledger: Ledger, deleted: Sequence[str]) -> tuple[str, ...]:
    """Keys of shards that were deleted and are not there again: no part of the study at hand."""
    keys = dict.fromkeys(name.partition(".")[0] for name in deleted)
    return tuple(key for key in keys if not (ledger.paths.local_shards / f"{key}.json").exists())
