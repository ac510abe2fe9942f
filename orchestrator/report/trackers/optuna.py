"""Writes a study to an Optuna storage, for Optuna's dashboard and samplers: ``run --log optuna``.

A *row* of the study becomes an Optuna trial. Its value is the row's mean UA (0 to 1), its
parameters are the settings in which rows differ, its intermediate values are the UA of each
finished training. A row with missing trainings is an Optuna trial in the state RUNNING.

Of a search, a configuration becomes an Optuna trial, with the UA by which the search compared it.
Each held-out group of a nested search has an Optuna study of its own.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.analysis.progress.adaptive import adaptive_progress
from orchestrator.analysis.row_scores import estimate_row
from orchestrator.errors import LackError, first_line
from orchestrator.report.trackers.finished import FinishedTrial, SettingValue, settings
from orchestrator.search.proposals import distributions as drawn_from
from orchestrator.search.result import UNKNOWN_AXES, search_axes
from orchestrator.store.records import Outcome, is_stale
from orchestrator.store.snapshot import Snapshot, SnapshotConfiguration
from orchestrator.study.canonical import digest
from orchestrator.study.search_key.space import SearchAxis

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

FORM = "ablate.form"
"""Attribute of an Optuna study: a digest of what it was written from.

That is the snapshot and the settings in which rows differ; for a search, all that its proposals and
scores depend on."""
NUMBER = "number"
"""Attribute of an Optuna trial of a search: number of the configuration in its group, from 1."""
WRITER = "ablate.writer"
"""Attribute of an Optuna study: a random text that stands for the process that created it.

A process writes only while its own text stands there. Another process may have deleted the study
and created it anew; a database then gives ids of deleted trials to new ones, and scores of one row
would be written into the trial of another.
"""


class OptunaTracker:
    """Writes rows, or configurations of a search, as trials to an Optuna storage.

    Optuna never changes a finished trial. So the Optuna study is deleted and written anew when the
    snapshot changes, or when rows turn out to differ in more settings. If two runs log to one
    storage at once, the later one writes; it finds the other's trainings in the store.

    Args:
        where: the URL of a database, or a folder, in which a journal file is written.

    Raises:
        LackError: Optuna is not installed, or the storage cannot be used.
    """

    def __init__(self, where: str) -> None:
        try:
            import optuna
            from optuna.storages import JournalStorage, get_storage
            from optuna.storages.journal import JournalFileBackend
        except ImportError:
            raise LackError(
                "`--log optuna` needs the extra `optuna`: `pip install 'ablate-ser[optuna]'`."
            ) from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            if "://" in where:
                self._storage: BaseStorage = get_storage(where)
                self.view_command = f"optuna-dashboard {where}"
            else:
                folder = Path(where)
                folder.mkdir(parents=True, exist_ok=True)
                path = folder / "journal.log"
                self._storage = JournalStorage(JournalFileBackend(str(path)))
                self.view_command = f"optuna-dashboard {path}"
        except Exception as error:  # of a database, of the system
            reason = first_line(error)
            raise LackError(f"`--log optuna` cannot use `{where}`: {reason[:200]}") from error
        self._snapshot: Snapshot | None = None
        self._outcomes: dict[str, Outcome] = {}
        self._study: Study | None = None
        self._form = ""
        self._writer = uuid.uuid4().hex
        self._running: dict[str, Trial] = {}
        self._new: set[str] = set()
        self._reported: set[tuple[str, str]] = set()
        """(row, trial id) of the trainings whose UA the Optuna study has."""

    def write(self, finished: FinishedTrial) -> None:
        """Keep a finished trial; `flush` writes its row. Trials of a search are ignored."""
        if finished.snapshot.search is not None:
            return  # its configurations come by ``write_search``
        if finished.snapshot != self._snapshot:
            self._snapshot, self._outcomes = finished.snapshot, {}
            self._study, self._form = None, ""
        if finished.trial.id not in self._outcomes and not is_stale(finished.outcome):
            self._outcomes[finished.trial.id] = replace(finished.outcome, files={}, libraries={})
            self._new.add(finished.trial.id)

    def flush(self) -> None:
        """Write the rows of the trials that `write` got since the last call.

        Raises:
            LackError: another run has created the Optuna study anew.
        """
        if self._snapshot is None or not self._new:
            return
        new = {trial.row for trial in self._snapshot.trials if trial.id in self._new}
        known = self._settings(self._snapshot)
        if self._snapshot.replicates == "adaptive":  # a training settles other rows too
            new = set(known)
        differ = distributions(list(known.values()))
        form = digest([self._snapshot.to_json(), {k: str(d) for k, d in differ.items()}])
        if self._study is None or self._form != form:
            self._form = form
            if not self._is_whole(self._snapshot, form):
                self._begin(self._snapshot, form)
                new = set(known)
        for row in (row.name for row in self._snapshot.rows if row.name in new):
            if self._study is not None:
                self._refuse_another(self._study)
                self._write(self._study, self._snapshot, row, known[row], differ)
        self._new.clear()

    def write_search(self, snapshot: Snapshot) -> None:
        """Write the configurations of a search that have ended and that the storage lacks.

        Raises:
            LackError: the axes of the search are unknown: the snapshot of an earlier version lacks
                them, and this version refuses the text of its study.
        """
        if snapshot.search is None:
            return
        axes = search_axes(snapshot)
        if axes is None:
            raise LackError(UNKNOWN_AXES)
        for group in sorted({one.group for one in snapshot.search.tried}):
            flat = snapshot.search.selection == "flat"
            name = snapshot.study if flat else f"{snapshot.study}, group {group + 1}"
            study = self._search_study(snapshot, name, snapshot.search.key)
            there = {trial.user_attrs.get(NUMBER) for trial in study.get_trials(deepcopy=False)}
            for one in snapshot.search.tried:
                new = one.group == group and one.number not in there
                if new and one.state != "training":
                    study.add_trial(_configuration(one, axes))

    def _search_study(self, snapshot: Snapshot, name: str, key: str) -> "Study":
        """The Optuna study with this name; one of another search is deleted and created anew.

        Args:
            snapshot: the study.
            name: the name of the Optuna study.
            key: the digest of all that the search's proposals and scores depend on.
        """
        import optuna

        if name in optuna.get_all_study_names(self._storage):
            study = optuna.load_study(study_name=name, storage=self._storage)
            if study.user_attrs.get(FORM) == key:
                return study
            optuna.delete_study(study_name=name, storage=self._storage)
        study = optuna.create_study(study_name=name, storage=self._storage, direction="maximize")
        for field in ("question", "corpus", "profile", "reading"):
            study.set_user_attr(field, getattr(snapshot, field))
        study.set_user_attr(FORM, key)
        return study

    def _settings(self, snapshot: Snapshot) -> dict[str, dict[str, SettingValue]]:
        """Row -> its settings by dotted names; only rows with a finished training."""
        known: dict[str, dict[str, SettingValue]] = {}
        for trial in snapshot.trials:
            if trial.row not in known and trial.id in self._outcomes:
                known[trial.row] = settings(self._outcomes[trial.id])
        return known

    def _is_whole(self, snapshot: Snapshot, form: str) -> bool:
        """Whether the storage has the whole study already: this digest, and every row finished."""
        import optuna

        names = optuna.get_all_study_names(self._storage)
        if snapshot.study not in names:
            return False
        found = optuna.load_study(study_name=snapshot.study, storage=self._storage)
        ended = [t for t in found.trials if t.state == optuna.trial.TrialState.COMPLETE]
        return found.user_attrs.get(FORM) == form and len(ended) == len(snapshot.rows)

    def _refuse_another(self, study: "Study") -> None:
        """Do nothing if this process created the Optuna study; raise if another has done so since.

        Raises:
            LackError: another run has created the study anew.
        """
        try:
            writer = study.user_attrs.get(WRITER)
        except KeyError:  # it is gone: another run is about to begin it
            writer = None
        if writer != self._writer:
            raise LackError(f"another run logs `{study.study_name}` there now")

    def _begin(self, snapshot: Snapshot, form: str) -> None:
        """Create an empty Optuna study; one that has its name is deleted."""
        import optuna

        if snapshot.study in optuna.get_all_study_names(self._storage):
            optuna.delete_study(study_name=snapshot.study, storage=self._storage)
        self._running, self._reported = {}, set()
        self._study = optuna.create_study(
            study_name=snapshot.study,
            storage=self._storage,
            direction="maximize",
            sampler=optuna.samplers.RandomSampler(seed=0),
        )
        self._study.set_user_attr(WRITER, self._writer)
        for key in ("question", "corpus", "profile", "reading"):
            self._study.set_user_attr(key, getattr(snapshot, key))
        self._study.set_user_attr(FORM, form)

    def _write(
        self,
        study: "Study",
        snapshot: Snapshot,
        row: str,
        its: Mapping[str, SettingValue],
        differ: Mapping[str, "BaseDistribution"],
    ) -> None:
        """Report the UA of each finished training of a row to its Optuna trial.

        If no training is missing, also report the row's mean UA (0 to 1), which ends the trial.

        Args:
            study: the Optuna study.
            snapshot: the study.
            row: the name of the row.
            its: the settings of the row.
            differ: the settings in which rows differ, with their distributions.
        """
        if row not in self._running:
            params = {key: as_choice(its.get(key), kind) for key, kind in differ.items()}
            study.enqueue_trial(params, user_attrs={"row": row, **its})
            self._running[row] = study.ask(fixed_distributions=dict(differ))
        trial = self._running[row]
        for one in snapshot.trials:
            is_new = (row, one.id) not in self._reported
            if one.row != row or one.id not in self._outcomes or not is_new:
                continue
            self._reported.add((row, one.id))
            scores = FinishedTrial(snapshot, one, self._outcomes[one.id], ()).scores
            if "ua" in scores:
                name = f"{one.fold_name}, seed {one.seed}"
                step = snapshot.training(one) * snapshot.folds_a_deal + one.fold
                trial.report(scores["ua"], step)
                trial.set_user_attr(name, {**scores, "id": one.id})
        sequential = adaptive_progress(snapshot, self._outcomes)
        now = snapshot if sequential is None else sequential.needed_now()
        found = estimate_row(now, row, self._outcomes)
        trial.set_user_attr("trainings finished", found.n)
        if found.ua is not None:
            trial.set_user_attr("UA 95 %", [found.ua.low, found.ua.high])
            if not found.missing and (sequential is None or not sequential.open_rows):
                study.tell(trial, found.ua.mean)


def _configuration(one: SnapshotConfiguration, axes: Sequence[SearchAxis]) -> "FrozenTrial":
    """A configuration of a search as an Optuna trial: COMPLETE, PRUNED, or FAIL without a score.

    Args:
        one: the configuration.
        axes: the settings that the search varies, with their ranges.
    """
    from optuna.trial import TrialState, create_trial

    pruned = one.state == "pruned"
    state = TrialState.PRUNED if pruned else TrialState.COMPLETE
    known = {name: kind for axis in axes for name, kind in drawn_from(axis)}
    return create_trial(
        params=dict(one.point),
        distributions={name: known[name] for name in one.point},
        value=None if pruned else one.score,
        intermediate_values={} if one.score is None else {0: one.score},
        state=TrialState.FAIL if one.score is None else state,
        user_attrs={
            NUMBER: one.number,
            "configuration": one.description,
            "trials": list(one.trials),
        },
    )


def distributions(rows: Sequence[Mapping[str, SettingValue]]) -> dict[str, "BaseDistribution"]:
    """The settings in which rows differ -> Optuna's distribution of their values.

    Integers and floats become intervals from the least to the greatest. All other settings become
    categories of texts, and so does a number that some rows do not set.

    Args:
        rows: the settings of each row, by dotted names.
    """
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    found: dict[str, BaseDistribution] = {}
    for key in sorted({key for row in rows for key in row}):
        values = [row.get(key) for row in rows]
        if len(set(map(repr, values))) < 2:
            continue
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        if len(numbers) < len(values):
            found[key] = CategoricalDistribution(sorted(set(map(_text, values))))
        elif all(isinstance(v, int) for v in numbers):
            found[key] = IntDistribution(int(min(numbers)), int(max(numbers)))
        else:
            found[key] = FloatDistribution(float(min(numbers)), float(max(numbers)))
    return found


def as_choice(value: SettingValue | None, kind: "BaseDistribution") -> SettingValue | None:
    """The value of a setting as its Optuna distribution takes it: as text if it is a category."""
    from optuna.distributions import CategoricalDistribution

    return _text(value) if isinstance(kind, CategoricalDistribution) else value


def _text(value: SettingValue | None) -> str:
    return "none" if value is None else str(value)
