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
from orchestrator.analysis.progress.adaptive import adaptive_progress
from orchestrator.analysis.progress.completeness import given_up_trials
from orchestrator.analysis.progress.earlier_verdicts import with_earlier_verdicts
from orchestrator.errors import StudyError
from orchestrator.planning.corpus import Speech, find_speech
from orchestrator.planning.feature_sets import feature_set, with_features
from orchestrator.planning.snapshot_builder import build_snapshot, with_search
from orchestrator.planning.states import sort_trials
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.resolve import Variant
from orchestrator.study.score_faults import score_faults_of
from orchestrator.study.search_key.space import Search
from orchestrator.study.study import Study
from orchestrator.study.trials import PlannedTrial, expand, variants

if TYPE_CHECKING:
    from orchestrator.search.configurations import SearchMemory
    from orchestrator.search.state import SearchState


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A study compared with a store: each of its trials is done, failed, stale, or to do."""

    study: Study
    """The study file."""
    snapshot: Snapshot
    """The study with everything resolved, as a run would keep it in the store."""
    selection: Selection
    """The utterances of the corpus that belong to the study's classes."""
    emotions: Mapping[str, tuple[str, ...]]
    """Name of a class -> the corpus's own labels that it joins, such as ``happy`` and
    ``excited``."""
    variants: tuple[Variant, ...]
    """The rows with every default written out; in a search its distinct configurations."""
    features: Mapping[str, FeatureSet]
    """Name of a descriptor set, as it stands in trial ids -> the set."""
    trials: tuple[PlannedTrial, ...]
    """All trials; in an adaptive study those that are or may still be needed."""
    notices: tuple[str, ...]
    """Sentences for the user, such as which corpus was taken where the study names none."""
    done: tuple[str, ...]
    """Ids of trials that have an outcome in the store."""
    failed: tuple[str, ...]
    """Ids of trials with failed attempts and no outcome; a run tries each once more."""
    stale: Mapping[str, str]
    """Id of a trial -> what changed since its slot was trained under another id, such as
    ``changed: training.lr``."""
    to_do: tuple[str, ...]
    """Ids of trials without an outcome or a failure."""
    search: "SearchState | None" = None
    """The state of the search; None in a study that lists its rows."""

    @property
    def to_train(self) -> tuple[PlannedTrial, ...]:
        """The trials that a run trains: all that are not done, each id once, in table order.

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
    """Expand a study into trials and sort these by their state in the store; trains nothing.

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
    if faults := score_faults_of(study, speech.default_profile):
        raise StudyError(study.file, study.text, faults)
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
        snapshot=with_earlier_verdicts(found.snapshot, ledger),
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
    """The trials of a study before they are compared with the store, and their snapshot."""

    variants: tuple[Variant, ...]
    features: Mapping[str, FeatureSet]
    trials: tuple[PlannedTrial, ...]
    snapshot: Snapshot
    search: "SearchState | None" = None


def _expand_rows(study: Study, speech: Speech, allow_config: bool) -> _Expanded:
    """Build the trials of a study that lists its rows."""
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
    """Replay a search from the store and build the trials that it has proposed so far."""
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
    """All trials; in an adaptive study without the further seeds of settled comparisons."""
    if snapshot.replicates != "adaptive":
        return trials
    ids = [item.id for item in trials]
    found = adaptive_progress(snapshot, ledger.outcomes.read_all(ids), given_up_trials(ledger, ids))
    needed = {trial.id for trial in (found.needed_at_most() if found else snapshot).trials}
    return tuple(item for item in trials if item.id in needed)


def _check_distinct(study: Study, trials: tuple[PlannedTrial, ...]) -> None:
    """Refuse a study in which two rows have equal trials: their settings differ without effect.

    Raises:
        StudyError: two rows are the same trials.
    """
    first: dict[str, str] = {}
    for item in trials:
        other = first.setdefault(item.id, item.row)
        if other != item.row:
            raise study.fault(
                "rows" if study.gives("rows") else "axes",
                f"The rows `{other}` and `{item.row}` are the same trials: what tells them apart "
                "changes nothing here.",
            )


def _name_is_taken(snapshot: Snapshot, ledger: Ledger) -> tuple[str, ...]:
    """A warning, if the last study of this name here had no row in common with this one."""
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
