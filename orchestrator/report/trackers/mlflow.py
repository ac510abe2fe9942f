"""Finished trials for MLflow: one experiment a study, one run a trial. The only door to MLflow.

A local store is an SQLite file, since MLflow has given its folders of files up. Any other tracking
URI is passed on. MLflow's own messages home are switched off before it is imported.
"""

import logging
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import LackError
from orchestrator.report.trackers.finished import Finished
from orchestrator.store.snapshot import Snapshot

if TYPE_CHECKING:
    from mlflow import MlflowClient

ID = "ablate.id"
AT_ONCE = 1000
"""Most metrics that MLflow takes in one request."""
LONGEST = 500
"""Characters of a setting's text; MLflow's oldest servers take no more."""


class MlflowLog:
    """A tracking store, by its URI or as a folder.

    Raises:
        LackError: MLflow is not installed, or the store cannot be used.
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
        self.look = f"mlflow ui --backend-store-uri {uri}" if artifacts else uri
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._client: MlflowClient = mlflow.MlflowClient(tracking_uri=uri)
                self._experiment = self._of(study, artifacts)
                self._there = self._known()
        except Exception as error:  # its own, of SQLAlchemy, of requests, of the system
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise LackError(f"`--log mlflow` cannot use `{uri}`: {reason[:200]}") from error

    def _of(self, study: str, artifacts: str | None) -> str:
        found = self._client.get_experiment_by_name(study)
        if found is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(study, artifact_location=artifacts))

    def _known(self) -> set[str]:
        """Ids of the trials that it has. What a killed writer left half is removed."""
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

    def write(self, trial: Finished) -> None:
        """Write a trial as a run, unless it is there."""
        if trial.place.id in self._there:
            return
        from mlflow.entities import Metric, Param

        self._there.add(trial.place.id)
        found = f"tags.`{ID}` = '{trial.place.id}'"
        if self._client.search_runs([self._experiment], found, max_results=1):
            return  # another run on this store logs as well

        tags = {f"ablate.{key}": value for key, value in trial.tags.items()}
        run = self._client.create_run(
            self._experiment, start_time=_ms(trial.began), run_name=trial.name, tags=tags
        )
        id, ended = run.info.run_id, _ms(trial.outcome.finished)
        metrics = [
            Metric(name, value, _ms(when), epoch)
            for epoch, when, figures in trial.curves()
            for name, value in figures.items()
        ]
        metrics += [
            Metric(name, value, ended, trial.outcome.epochs)
            for name, value in _allowed(trial.scores).items()
        ]
        params = [Param(key, str(value)[:LONGEST]) for key, value in trial.settings.items()]
        self._client.log_batch(id, params=params)
        for begin in range(0, len(metrics), AT_ONCE):
            self._client.log_batch(id, metrics=metrics[begin : begin + AT_ONCE])
        self._client.set_terminated(id, "FINISHED", end_time=ended)

    def searched(self, snapshot: Snapshot) -> None:
        """Its trials say it all."""

    def flush(self) -> None:
        """Nothing waits."""


def _ms(seconds: float) -> int:
    """MLflow's clock counts whole milliseconds."""
    return round(seconds * 1000)


def _allowed(scores: Mapping[str, Any]) -> dict[str, float]:
    """Names of speakers may hold what MLflow allows in no name."""
    found: dict[str, float] = {}
    for name, value in scores.items():
        plain = base = re.sub(r"[^\w.\- :/]", "_", name)
        number = 2
        while plain in found:
            plain, number = f"{base} {number}", number + 1
        found[plain] = value
    return found
