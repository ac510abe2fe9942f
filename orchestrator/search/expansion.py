"""Turns a search into trials of a study: its held-out groups, configurations, and snapshot."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from features.corpora.corpus import Selection
from features.corpora.folds import Fold, inner
from features.descriptors.feature_set import FeatureSet
from features.errors import CorpusError
from orchestrator.search.configurations import SearchMemory
from orchestrator.search.generations import replay
from orchestrator.search.state import Configuration, Group, SearchState
from orchestrator.store.ledger import Ledger
from orchestrator.store.paths import OUTCOME
from orchestrator.store.records import Opening
from orchestrator.store.snapshot import SnapshotConfiguration, SnapshotSearch, SnapshotTrial
from orchestrator.study.canonical import digest, plain
from orchestrator.study.protocol import ScoreRule, score_rule
from orchestrator.study.resolve import Variant
from orchestrator.study.search_key.space import Point, Search
from orchestrator.study.study import Study


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchExpansion:
    """A search replayed from the store, with all that a plan and a snapshot need of it."""

    state: SearchState
    """Its configurations, winners and trials."""
    variants: tuple[Variant, ...]
    """The distinct configurations as variants (all settings)."""
    features: dict[str, FeatureSet]
    """Name of a descriptor set, as it stands in trial ids -> the set."""
    snapshot: SnapshotSearch
    """The search as a snapshot keeps it in the store."""
    showable_trials: tuple[SnapshotTrial, ...]
    """The trials that test the winners, once all have finished: only then may test scores be shown;
    else empty."""


def expand_search(
    study: Study,
    search: Search,
    selection: Selection,
    folds: Sequence[Fold],
    ledger: Ledger,
    *,
    default_profile: str,
    feature_set: Callable[[str], FeatureSet],
    memory: SearchMemory,
    trials_at_once: float | None,
) -> SearchExpansion:
    """Replay a study's search from its first proposal to its present state.

    Args:
        study: the study file.
        search: its key `search`.
        selection: the utterances.
        folds: the folds of the protocol.
        ledger: the store.
        default_profile: the profile of a study that names none.
        feature_set: name in the study file -> descriptor set.
        memory: what earlier plans of this search read and built; this one adds to it.
        trials_at_once: how many trials share an hour of a budget of hours; None: as many as when
            the store last kept the search. A run passes None before it has workers: with fewer
            trials at once its plan would fall behind what is trained already.

    Raises:
        StudyError: the corpus cannot give the inner folds.
        LackError: Optuna is not installed.
        DamageError: a record is not what was written.
    """
    score = score_rule(default_profile, study.settings)
    key = _search_digest(study, search, selection, folds, score)
    build, scores = memory.fill(study, search, selection, default_profile, feature_set, ledger)
    last = _last_snapshot(study, key, ledger)
    if search.unit == "trials":
        sharing = 1.0
    else:
        sharing = trials_at_once or (last.at_once if last is not None else 1.0)
    openings = ledger.studies.openings()
    state = replay(
        _with_opened_budget(search, [one for one in openings if one.key == key]),
        _groups(study, search, selection, folds),
        build,
        scores,
        _known_points(last),
        study.seeds,
        sharing,
    )
    names = ledger.files_of(item.id for item in state.final)
    closed = bool(state.winners) and all(OUTCOME in found for found in names.values())
    return SearchExpansion(
        state=state,
        variants=tuple(build.variants.values()),
        features=build.features,
        snapshot=_snapshot(
            search,
            state,
            key=key,
            speakers=_speakers_digest(selection, folds) if search.selection == "nested" else "",
            closed=closed,
            openings=openings,
            sharing=sharing,
        ),
        showable_trials=tuple(map(SnapshotTrial.of, state.final)) if closed else (),
    )


def _snapshot(
    search: Search,
    state: SearchState,
    *,
    key: str,
    speakers: str,
    closed: bool,
    openings: Sequence[Opening],
    sharing: float,
) -> SnapshotSearch:
    """The search as a snapshot keeps it; ``openings`` are those of all searches in the store."""
    mine = [one for one in openings if one.key == key]
    now = min(
        (o.opened for o in mine if o.configurations == state.configurations), default=math.inf
    )
    first = min((one.opened for one in mine), default=math.inf)
    same_speakers = [one for one in openings if speakers and one.speakers == speakers]
    tried = tuple(SnapshotTrial.of(item) for one in state.tried for item in one.trials)
    return SnapshotSearch(
        key=key,
        selection=search.selection,
        sampler=search.sampler,
        seed=search.seed,
        inner_folds=search.inner_folds if search.selection == "nested" else 0,
        budget=search.budget,
        tried=tuple(_snapshot_configuration(search, one) for one in state.tried),
        trials=tried if closed else (*tried, *map(SnapshotTrial.of, state.final)),
        winners=tuple(one.number for one in state.winners),
        closed=closed,
        opened=tuple(sorted(one.configurations for one in mine if one.opened < now)),
        others=len({one.key for one in same_speakers if one.opened < first}),
        speakers=speakers,
        at_once=sharing,
        axes=search.axes,
    )


def _snapshot_configuration(search: Search, one: Configuration) -> SnapshotConfiguration:
    return SnapshotConfiguration(
        group=one.group.index,
        number=one.number,
        point=dict(one.point),
        description=search.describe(one.point),
        trials=tuple(item.id for item in one.trials),
        state=one.state,
        score=one.score,
    )


def _groups(
    study: Study, search: Search, selection: Selection, folds: Sequence[Fold]
) -> tuple[Group, ...]:
    """The held-out groups, each with the folds on which its configurations are scored."""
    if search.selection == "flat":
        return (Group(index=0, name="all folds", folds=tuple(folds), outer=None),)
    try:
        return tuple(
            Group(
                index=fold.index,
                name=f"group {fold.index + 1}",
                folds=inner(selection, fold, search.inner_folds),
                outer=fold,
            )
            for fold in folds
        )
    except CorpusError as error:
        raise study.fault("search.inner_folds", str(error)) from None


def _search_digest(
    study: Study, search: Search, selection: Selection, folds: Sequence[Fold], score: ScoreRule
) -> str:
    """Digest of all that proposals and scores depend on; a larger budget is the same search."""
    return digest(
        {
            "search": plain(replace(search, unit="trials", amount=0)),
            "settings": plain({k: v for k, v in study.settings.items() if k != "score"}),
            # Left out as before it was a key, so that such searches keep their digest.
            **({} if score == "chosen" else {"score": score}),
            **_held_out(selection, folds),
        }
    )


def _speakers_digest(selection: Selection, folds: Sequence[Fold]) -> str:
    """Digest of the speech and of which speakers are held out together.

    Two searches with the same digest have the same test speakers.
    """
    return digest(_held_out(selection, folds))


def _held_out(selection: Selection, folds: Sequence[Fold]) -> dict[str, Any]:
    """Digest of the speech, classes, speakers of each held-out group, as plain values."""
    return {
        "corpus": selection.digest,
        "classes": list(selection.classes),
        "folds": [[list(fold.a), list(fold.b)] for fold in folds],
    }


def _last_snapshot(study: Study, key: str, ledger: Ledger) -> SnapshotSearch | None:
    """The search as the newest snapshot of it has it; None where it never ran in this store."""
    kept = (snapshot.search for snapshot in ledger.studies.iter_snapshots(study.name))
    return next((search for search in kept if search and search.key == key), None)


def _known_points(last: SnapshotSearch | None) -> dict[int, list[Point]]:
    """Index of a group -> the points proposed for it, in order, from the last snapshot."""
    points: dict[int, list[Point]] = {}
    for one in last.tried if last else ():
        points.setdefault(one.group, []).append(one.point)
    return points


def _with_opened_budget(search: Search, opened: Sequence[Opening]) -> Search:
    """The search, limited to the number of configurations after which its test scores were opened.

    From then on it proposes nothing more, unless somebody changes the budget.
    """
    for one in opened:
        if (one.unit, one.amount) == (search.unit, search.amount):
            return replace(search, unit="trials", amount=one.configurations)
    return search
