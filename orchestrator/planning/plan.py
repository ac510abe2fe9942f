"""The plan of a study: its trials, and which of them a run would train.

What the text of a study file cannot tell is checked here: whether the corpus is registered, whether
it has the emotions, and whether it can give the folds. A plan takes half a second and needs no
features.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.corpora.corpus import Selection
from features.descriptors.feature_set import FeatureSet
from orchestrator.analysis.adaptive import adaptive_progress
from orchestrator.planning.corpus import Speech, find_speech
from orchestrator.planning.feature_sets import feature_set, with_features
from orchestrator.planning.snapshot_builder import build_snapshot, with_search
from orchestrator.planning.states import sort_trials
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.search_key.space import Search
from orchestrator.study.study import Study
from orchestrator.study.trials import PlannedTrial, Variant, expand, variants

if TYPE_CHECKING:
    from orchestrator.search.configurations import SearchMemory
    from orchestrator.search.state import SearchState


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A study against a store. Every trial is in exactly one of the four states."""

    study: Study
    snapshot: Snapshot
    selection: Selection
    emotions: Mapping[str, tuple[str, ...]]
    """Class -> the corpus's own labels for it."""
    variants: tuple[Variant, ...]
    features: Mapping[str, FeatureSet]
    """The descriptor sets of the variants, by the name in trial ids."""
    trials: tuple[PlannedTrial, ...]
    """All trials; of an adaptive study those that may still be needed."""
    notices: tuple[str, ...]
    """Sentences that the user must see first, such as a corpus that he did not choose himself."""
    done: tuple[str, ...]
    """Ids of trials that have an outcome."""
    failed: tuple[str, ...]
    """Ids of trials that have failed attempts and no outcome: a run tries each once more."""
    stale: Mapping[str, str]
    """Id -> what changed since this trial of the table was trained under another id."""
    to_do: tuple[str, ...]
    """Ids of trials that were never trained."""
    search: "SearchState | None" = None
    """How far a search has come; None in a study that lists its rows."""

    @property
    def to_train(self) -> tuple[PlannedTrial, ...]:
        """The trials that a run trains, each id once, in the order of the table.

        A search leaves out those whose configuration cannot be trained.
        """
        wanted = {*self.failed, *self.stale, *self.to_do}
        if self.search is not None:
            wanted -= self.search.given_up
        first: dict[str, PlannedTrial] = {}
        for item in self.trials:
            if item.id in wanted:
                first.setdefault(item.id, item)
        return tuple(first.values())


def plan_study(
    study: Study,
    ledger: Ledger,
    *,
    allow_config: bool = False,
    memory: "SearchMemory | None" = None,
    trials_at_once: float | None = None,
) -> Plan:
    """Plan a study.

    Args:
        study: the study file.
        ledger: the store.
        allow_config: whether the user allows an openSMILE configuration of his own to run here.
        memory: in a search that is planned repeatedly, what earlier plans read and built.
        trials_at_once: in a search with a budget of hours, how many trials share an hour; None: as
            many as when the store last kept the search.

    Raises:
        LackError: the corpus is not registered.
        StudyError: the corpus cannot give what the study asks for.
    """
    speech = find_speech(study, ledger)
    if study.search is None:
        found = _expand_rows(study, speech, allow_config)
    else:
        found = _expand_search(
            study, study.search, speech, ledger, allow_config, memory, trials_at_once
        )
    trials = _still_needed(found.snapshot, found.trials, ledger)
    states = sort_trials(study.name, trials, ledger, by_slot=study.search is None)
    return Plan(
        study=study,
        snapshot=found.snapshot,
        selection=speech.selection,
        emotions=speech.emotions,
        variants=found.variants,
        features=found.features,
        trials=trials,
        notices=(*speech.notices, *_name_is_taken(found.snapshot, ledger)),
        done=states.done,
        failed=states.failed,
        stale=states.stale,
        to_do=states.to_do,
        search=found.search,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Expanded:
    """The trials of a study, and what they were made from."""

    variants: tuple[Variant, ...]
    features: Mapping[str, FeatureSet]
    trials: tuple[PlannedTrial, ...]
    snapshot: Snapshot
    search: "SearchState | None" = None


def _expand_rows(study: Study, speech: Speech, allow_config: bool) -> _Expanded:
    """The trials of the rows that a study lists."""
    rows, sets = with_features(study, variants(study, speech.default_profile), allow_config)
    extractors = {name: chosen.version() for name, chosen in sets.items()}
    trials = expand(study, rows, speech.selection, speech.folds, extractors)
    _check_distinct(study, trials)
    return _Expanded(
        variants=rows,
        features=sets,
        trials=trials,
        snapshot=build_snapshot(study, speech, rows, trials),
    )


def _expand_search(
    study: Study,
    search: Search,
    speech: Speech,
    ledger: Ledger,
    allow_config: bool,
    memory: "SearchMemory | None",
    trials_at_once: float | None,
) -> _Expanded:
    """The trials that a search has proposed so far."""
    from orchestrator.search.configurations import SearchMemory
    from orchestrator.search.expansion import expand_search

    found = expand_search(
        study,
        search,
        speech.selection,
        speech.folds,
        ledger,
        default_profile=speech.default_profile,
        feature_set=lambda name: feature_set(study, name, allow_config),
        memory=memory or SearchMemory(),
        trials_at_once=trials_at_once,
    )
    snapshot = build_snapshot(study, speech, found.variants, found.state.trials)
    return _Expanded(
        variants=found.variants,
        features=found.features,
        trials=found.state.trials,
        snapshot=with_search(snapshot, found),
        search=found.state,
    )


def _still_needed(
    snapshot: Snapshot, trials: tuple[PlannedTrial, ...], ledger: Ledger
) -> tuple[PlannedTrial, ...]:
    """All trials; in an adaptive study without those of comparisons that are settled."""
    if snapshot.replicates != "adaptive":
        return trials
    found = adaptive_progress(snapshot, ledger.outcomes.read_all(item.id for item in trials))
    needed = {trial.id for trial in (found.at_most() if found else snapshot).trials}
    return tuple(item for item in trials if item.id in needed)


def _check_distinct(study: Study, trials: tuple[PlannedTrial, ...]) -> None:
    """Refuse two rows with equal trials: what the rows set differently has no effect."""
    first: dict[str, str] = {}
    for item in trials:
        other = first.setdefault(item.id, item.row)
        if other != item.row:
            raise study.fault(
                "rows" if "rows" in study.places else "axes",
                f"The rows `{other}` and `{item.row}` are the same trials: what tells them apart "
                "changes nothing here.",
            )


def _name_is_taken(snapshot: Snapshot, ledger: Ledger) -> tuple[str, ...]:
    """A warning where a study of the same name and of other rows was the last to run here."""
    last = next(ledger.studies.iter_snapshots(snapshot.study), None)
    if last is None or (last.search and snapshot.search and last.question == snapshot.question):
        return ()
    if {row.name for row in last.rows} & {row.name for row in snapshot.rows}:
        return ()
    return (
        f"Study: `{snapshot.study}` had other rows when it last ran here ({last.question}). "
        f"`ablate report {snapshot.study}` will show this one: if it is another question, name it "
        "otherwise.",
    )
