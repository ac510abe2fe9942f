"""A search as trials of a study: its groups, its configurations, and what of it is kept."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from features.corpora.corpus import Selection
from features.corpora.folds import Fold, inner
from features.descriptors.feature_set import FeatureSet
from features.errors import CorpusError
from orchestrator.search.generations import Group, SearchState, replay
from orchestrator.search.objective import ObjectiveScores
from orchestrator.store.ledger import OUTCOME, Ledger
from orchestrator.store.records import Opening
from orchestrator.store.snapshot import SnapshotConfiguration, SnapshotSearch, SnapshotTrial
from orchestrator.study.canonical import digest, plain
from orchestrator.study.search_key.space import Point, Search
from orchestrator.study.settings import resolve
from orchestrator.study.study import Study
from orchestrator.study.trials import PlannedTrial, Variant, trial_of


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchExpansion:
    """A search as far as it has come."""

    course: SearchState
    variants: tuple[Variant, ...]
    """Of every configuration so far, each under its first name."""
    features: dict[str, FeatureSet]
    """The frame descriptors of these, by the name that stands in ids."""
    snapshot: SnapshotSearch
    """What the store keeps of it."""
    open: tuple[SnapshotTrial, ...]
    """Trials whose test scores are open: those of the winners, once all are trained."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What must stand under every table of it."""
        snapshot, groups = self.snapshot, len({one.group.index for one in self.course.tried})
        how = f"{snapshot.sampler}, seed {snapshot.seed}"
        come = "tried" if snapshot.closed else "proposed so far"
        tried = f"{_most(self.course)} configurations {come}"
        if repeats := _repeats(self.course):
            tried += f" (up to {repeats} of them not for the first time)"
        if snapshot.selection == "flat":
            return (
                f"Selected on these speakers ({how}; {tried}): dev UA, at the epoch chosen on the "
                "same half. The best of several is flattered by its luck: it says nothing of new "
                "speakers.",
            )
        best = "the best was trained on all of these and is judged on the group"
        if not snapshot.closed:
            best = "the best will be trained on all of these and judged on the group"
        said: tuple[str, ...] = (
            f"Search ({how}, budget {snapshot.budget}): {tried} for each of {groups} held-out "
            f"groups, each on {snapshot.inner_folds} inner folds of the other speakers; {best}, "
            "which no choice has seen.",
        )
        if not snapshot.closed:
            said += (
                f"Sealed: the search goes on (budget: {snapshot.budget}); no test score is shown "
                "before its last training has ended.",
            )
        if snapshot.opened:
            before = ", ".join(map(str, snapshot.opened))
            said += (
                f"WARNING: the test scores had been opened after {before} configurations, and the "
                "budget was changed: whoever changed it may have looked.",
            )
        if snapshot.others:
            many = "another search" if snapshot.others == 1 else f"{snapshot.others} other searches"
            said += (
                f"WARNING: the test scores of {many} (other axes, settings, sampler or seed) for "
                "the same speakers had been opened before: whoever asked for this one may have "
                "looked.",
            )
        return said


class Memory:
    """What a run keeps between two plans of one search: nothing is read or made twice."""

    def __init__(self) -> None:
        self.scores: ObjectiveScores | None = None
        self.build: _Configurations | None = None


def grow(
    study: Study,
    search: Search,
    selection: Selection,
    folds: Sequence[Fold],
    ledger: Ledger,
    *,
    default_profile: str,
    feature_set: Callable[[str], FeatureSet],
    memory: Memory,
    at_once: float | None,
) -> SearchExpansion:
    """A study's search where it stands now.

    Args:
        study: whose.
        search: its key.
        selection: the speech.
        folds: of the protocol.
        ledger: the store.
        default_profile: of a study that names none.
        feature_set: name -> descriptors.
        memory: what was read and made before; filled.
        at_once: how many trials share an hour of a budget of hours; None: as many as when the
            store last kept the search. A run asks so before it has workers: with fewer its plan,
            and what it keeps, would fall behind what is trained.

    Raises:
        StudyError: the corpus cannot give the inner folds.
        LackError: Optuna is not installed.
        DamageError: a record is not what was written.
    """
    key = _key(study, search, selection, folds)
    groups = _groups(study, search, selection, folds)
    if memory.build is None or memory.scores is None:
        memory.build = _Configurations(study, search, selection, default_profile, feature_set)
        memory.scores = ObjectiveScores(ledger, search.selection)
    build = memory.build
    before = _last(study, key, ledger)
    if search.unit == "trials":
        sharing = 1.0
    else:
        sharing = at_once or (before.at_once if before is not None else 1.0)
    openings = ledger.openings()
    opened = [one for one in openings if one.key == key]
    course = replay(
        _as_opened(search, opened),
        groups,
        build,
        memory.scores,
        _points(before),
        study.seeds,
        sharing,
    )
    names = ledger.files_of(item.id for item in course.final)
    closed = bool(course.winners) and all(OUTCOME in found for found in names.values())
    final = tuple(SnapshotTrial(p.row, p.fold, p.seed, p.id) for p in course.final)
    tried = tuple(
        SnapshotTrial(p.row, p.fold, p.seed, p.id) for one in course.tried for p in one.placed
    )
    speakers = _speakers(selection, folds) if search.selection == "nested" else ""
    alike = [one for one in openings if one.speakers == speakers] if speakers else []
    own = [one.opened for one in opened if one.configurations == _most(course)]
    now = min(own, default=math.inf)
    first = min((one.opened for one in opened), default=math.inf)
    return SearchExpansion(
        course=course,
        variants=tuple(build.variants.values()),
        features=build.features,
        snapshot=SnapshotSearch(
            key=key,
            selection=search.selection,
            sampler=search.sampler,
            seed=search.seed,
            inner_folds=search.inner_folds if search.selection == "nested" else 0,
            budget=search.budget,
            tried=tuple(
                SnapshotConfiguration(
                    group=one.group.index,
                    number=one.number,
                    point=dict(one.point),
                    told=search.told(one.point),
                    trials=tuple(item.id for item in one.placed),
                    state=one.state,
                    score=one.score,
                )
                for one in course.tried
            ),
            trials=tried if closed else (*tried, *final),
            winners=tuple(one.number for one in course.winners),
            closed=closed,
            opened=tuple(sorted(one.configurations for one in opened if one.opened < now)),
            others=len({one.key for one in alike if one.opened < first}),
            speakers=speakers,
            at_once=sharing,
        ),
        open=final if closed else (),
    )


def _most(course: SearchState) -> int:
    """Configurations of the group that has most."""
    return max((one.number for one in course.tried), default=0)


def _repeats(course: SearchState) -> int:
    """Configurations that the group with most of them had tried before: small spaces come to it."""
    seen, repeats = set[tuple[int, str]](), Counter[int]()
    for one in course.tried:
        key = one.group.index, digest(dict(one.point))
        repeats[one.group.index] += key in seen
        seen.add(key)
    return max(repeats.values(), default=0)


def _groups(
    study: Study, search: Search, selection: Selection, folds: Sequence[Fold]
) -> tuple[Group, ...]:
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


def _key(study: Study, search: Search, selection: Selection, folds: Sequence[Fold]) -> str:
    """Digest of all that proposals and scores rest on; a larger budget is the same search."""
    snapshot = {
        "search": plain(replace(search, unit="trials", amount=0)),
        "settings": plain(study.settings),
        **_held_out(selection, folds),
    }
    return digest(snapshot)


def _speakers(selection: Selection, folds: Sequence[Fold]) -> str:
    """Digest of those by whom a search is judged."""
    return digest(_held_out(selection, folds))


def _held_out(selection: Selection, folds: Sequence[Fold]) -> dict[str, Any]:
    return {
        "corpus": selection.digest,
        "classes": list(selection.classes),
        "folds": [[list(fold.a), list(fold.b)] for fold in folds],
    }


def _last(study: Study, key: str, ledger: Ledger) -> SnapshotSearch | None:
    """The search as the store last kept it."""
    kept = (snapshot.search for snapshot in ledger.each_snapshot(study.name))
    return next((search for search in kept if search and search.key == key), None)


def _points(before: SnapshotSearch | None) -> dict[int, list[Point]]:
    points: dict[int, list[Point]] = {}
    for one in before.tried if before else ():
        points.setdefault(one.group, []).append(one.point)
    return points


def _as_opened(search: Search, opened: Sequence[Opening]) -> Search:
    """With the budget that was used when its test scores were opened: it is over since then."""
    for one in opened:
        if (one.unit, one.amount) == (search.unit, search.amount):
            return replace(search, unit="trials", amount=one.configurations)
    return search


class _Configurations:
    """Points as trials; remembers the variants and descriptors that it made."""

    def __init__(
        self,
        study: Study,
        search: Search,
        selection: Selection,
        default_profile: str,
        feature_set: Callable[[str], FeatureSet],
    ) -> None:
        self._study, self._search, self._profile = study, search, default_profile
        self._corpus, self._classes = selection.digest, selection.classes
        self._feature_set = feature_set
        self.features: dict[str, FeatureSet] = {}
        self.variants: dict[str, Variant] = {}
        """By the point that they are of."""
        self._by_setting: dict[str, FeatureSet] = {}
        self._extractors: dict[str, str] = {}
        self._made: dict[tuple[str, tuple[int, ...], int], tuple[PlannedTrial, ...]] = {}
        """By row, folds and seeds: ids of thousands of trials take seconds."""

    def __call__(
        self, row: str, point: Point, folds: Sequence[Fold], seeds: int
    ) -> tuple[PlannedTrial, ...]:
        key = row, tuple(fold.index for fold in folds), seeds
        if key not in self._made:
            self._made[key] = self._trials(row, point, folds, seeds)
        return self._made[key]

    def _trials(
        self, row: str, point: Point, folds: Sequence[Fold], seeds: int
    ) -> tuple[PlannedTrial, ...]:
        variant = self._variant(row, point)
        extractor = self._extractors[variant.features.features]
        placed = []
        for seed in range(seeds):
            for fold in folds:
                trial = trial_of(variant, self._corpus, self._classes, extractor, fold, seed)
                placed.append(PlannedTrial(row, fold.index, seed, trial, trial.id))
        return tuple(placed)

    def _variant(self, row: str, point: Point) -> Variant:
        key = digest(dict(point))
        if key not in self.variants:
            resolved = resolve(self._profile, self._study.settings, self._search.settings(point))
            name = resolved.features.features
            if name not in self._by_setting:
                self._by_setting[name] = self._feature_set(name)
            chosen = self._by_setting[name]
            if chosen.name not in self.features:
                self.features[chosen.name] = chosen
                self._extractors[chosen.name] = chosen.version()
            self.variants[key] = Variant(
                name=row,
                profile=resolved.profile,
                reading=resolved.reading,
                features=replace(resolved.features, features=chosen.name),
                model=resolved.model,
                training=resolved.training,
            )
        return self.variants[key]
