"""Writes finished trials to MLflow: a study is an experiment, a trial is a run.

The only door to MLflow. In a local folder the trials go into an SQLite file, since MLflow has given
up its folders of files. A tracking URI is passed on to MLflow. Its telemetry is switched off before
it is imported.
"""

import logging
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import LackError, first_line
from orchestrator.report.trackers.finished import FinishedTrial
from orchestrator.store.snapshot import Snapshot

if TYPE_CHECKING:
    from mlflow import MlflowClient

ID = "ablate.id"
"""Tag of an MLflow run that holds the trial id."""
AT_ONCE = 1000
"""Most metrics that MLflow takes in one request."""
LONGEST = 500
"""Most characters of a setting's value, the rest is cut; old MLflow servers take no more."""


class MlflowTracker:
    """Writes trials as runs to MLflow.

    Args:
        where: a tracking URI of MLflow, ``databricks``, or a folder of this machine.
        study: the name of the study, which becomes the name of the experiment.

    Raises:
        LackError: MLflow is not installed, or the tracking store cannot be used.
    """

    def __init__(self, where: str, study: str) -> None:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # 7 take minutes
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what it imports
                import mlflow
                import sqlalchemy  # noqa: F401
        except ImportError:
            raise LackError(
                "`--log mlflow` needs the extra `mlflow`: `pip install 'ablate-ser[mlflow]'`."
            ) from None
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        uri, artifacts = where, None
        if "://" not in where and where != "databricks":
            folder = Path(where)
            folder.mkdir(parents=True, exist_ok=True)
            uri, artifacts = f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()
        self.view_command = f"mlflow ui --backend-store-uri {uri}" if artifacts else uri
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._client: MlflowClient = mlflow.MlflowClient(tracking_uri=uri)
                self._experiment = self._experiment_of(study, artifacts)
                self._written = self._runs()
        except Exception as error:  # its own, of SQLAlchemy, of requests, of the system
            reason = first_line(error)
            raise LackError(f"`--log mlflow` cannot use `{uri}`: {reason[:200]}") from error

    def _experiment_of(self, study: str, artifacts: str | None) -> str:
        found = self._client.get_experiment_by_name(study)
        if found is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(study, artifact_location=artifacts))

    def _runs(self) -> set[str]:
        """The ids of the trials that have a finished run; unfinished runs of trials are deleted.

        A process that was killed while it wrote leaves an unfinished run.
        """
        known, token = set[str](), None
        while True:
            page = self._client.search_runs([self._experiment], page_token=token)
            for run in page:
                id = run.data.tags.get(ID)
                if id and run.info.status == "FINISHED":
                    known.add(id)
                elif id:
                    self._client.delete_run(run.info.run_id)
            token = page.token
            if not token:
                return known

    def write(self, finished: FinishedTrial) -> None:
        """Write a trial as an MLflow run, unless there is one with its id already."""
        if finished.trial.id in self._written:
            return
        from mlflow.entities import Metric, Param

        self._written.add(finished.trial.id)
        same = f"tags.`{ID}` = '{finished.trial.id}'"
        if self._client.search_runs([self._experiment], same, max_results=1):
            return  # another run on this store has written it

        tags = {f"ablate.{key}": value for key, value in finished.tags.items()}
        run = self._client.create_run(
            self._experiment, start_time=_ms(finished.began), run_name=finished.name, tags=tags
        )
        id, ended = run.info.run_id, _ms(finished.outcome.finished)
        metrics = [
            Metric(name, value, _ms(when), epoch)
            for epoch, when, figures in finished.curves()
            for name, value in figures.items()
        ]
        metrics += [
            Metric(name, value, ended, finished.outcome.epochs)
            for name, value in _allowed(finished.scores).items()
        ]
        params = [Param(key, str(value)[:LONGEST]) for key, value in finished.settings.items()]
        self._client.log_batch(id, params=params)
        for begin in range(0, len(metrics), AT_ONCE):
            self._client.log_batch(id, metrics=metrics[begin : begin + AT_ONCE])
        self._client.set_terminated(id, "FINISHED", end_time=ended)

    def write_search(self, snapshot: Snapshot) -> None:
        """Do nothing: `write` writes the trials of a search as well."""

    def flush(self) -> None:
        """Do nothing: `write` writes at once."""


def _ms(seconds: float) -> int:
    """Seconds as whole milliseconds, which MLflow counts time in."""
    return round(seconds * 1000)


def _allowed(scores: Mapping[str, Any]) -> dict[str, float]:
    """The scores under names that MLflow allows; other characters of a name become ``_``.

    A speaker's name may hold any character. Names that become equal get a number.
    """
    found: dict[str, float] = {}
    for name, value in scores.items():
        plain = base = re.sub(r"[^\w.\- :/]", "_", name)
        number = 2
        while plain in found:
            plain, number = f"{base} {number}", number + 1
        found[plain] = value
    return found
