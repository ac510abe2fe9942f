"""``ablate export``: writes a study as a folder (bundle) that needs no store and no `ablate`.

It holds the tables in every form, pictures, all predictions, the study, the record of every
training, and `recompute.py`, which computes every printed number again from the predictions alone.
The folder is written under another name and renamed at the end: it is complete or not there.
"""

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files as packaged
from pathlib import Path
from typing import Any

from orchestrator.errors import RequestError
from orchestrator.planning.cost.machine import libraries
from orchestrator.report.figures.canvas import FORMATS, rendered
from orchestrator.report.figures.gallery import PICTURES, all_fitting
from orchestrator.report.formats import FORMS
from orchestrator.report.results import StudyResults
from orchestrator.report.row_details import RowDetails, TrainingDetails
from orchestrator.report.tables.headings import banner, label, protocol_line
from orchestrator.report.tables.text import marked
from orchestrator.store.attempts import gathered_predictions
from orchestrator.store.files import replace_file
from orchestrator.store.paths import PREDICTIONS
from orchestrator.study.protocol import slot_json

PROGRAM = (
    "recompute.py",
    "recompute_printed.py",
    "recompute_rows.py",
    "recompute_effects.py",
    "recompute_statistics.py",
)
"""The scripts in a bundle that compute its numbers again, copied from this folder."""


def refuse_no_folder(folder: Path) -> None:
    """Do nothing if a bundle can be written to a folder; else raise, before anything is computed.

    Raises:
        RequestError: the path is a file, a link or a folder that is not empty, or the folder that
            it is to lie in does not exist.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise RequestError(f"`--output` must be a folder, but {folder} is none: name another.")
    if folder.is_dir() and any(folder.iterdir()):
        raise RequestError(
            f"`--output` must name a new or empty folder, but {folder} is not: name another."
        )
    if not folder.absolute().parent.is_dir():
        raise RequestError(
            f"`--output` must lie in a folder that exists, but {folder.parent} does not: "
            "make it first."
        )


def export(study: StudyResults, folder: Path) -> tuple[str, ...]:
    """Write the bundle of a study.

    Args:
        study: the results of the study.
        folder: the folder to write, which must be new or empty.

    Returns:
        The paths of its files relative to the folder, sorted.

    Raises:
        RequestError: the folder cannot be written (see `refuse_no_folder`), no trial of the study
            is finished, its search has not ended, or it is a flat search, which has no rows.
        DamageError: a file with predictions does not match its digest.
    """
    refuse_no_folder(folder)
    if study.snapshot.search is not None and not study.snapshot.rows:
        raise RequestError(
            f"The flat search `{study.snapshot.study}` has no row that was judged, so there is "
            f"nothing to export: `ablate report {study.snapshot.study} -o FILE.csv` has what it "
            "tried."
        )
    if study.snapshot.is_blinded:
        raise RequestError(
            f"The search `{study.snapshot.study}` has not ended: what judges its winners is sealed "
            "until then, so there is nothing to export. `ablate run` with its study file goes on."
        )
    if not any(row.n for row in study.summary.rows):
        raise RequestError(
            f"No trial of `{study.snapshot.study}` is finished, so there is nothing to export: "
            "`ablate run` with its study file trains them."
        )
    with _complete(folder) as beside:
        for name, blob in _contents(study):
            replace_file(beside / name, blob)
        names = sorted(p.relative_to(beside).as_posix() for p in beside.rglob("*") if p.is_file())
    return tuple(names)


@contextmanager
def _complete(folder: Path) -> Iterator[Path]:
    """A new folder beside the wanted one, to write into in a ``with`` block.

    At the end of the block it gets the wanted name; after an error it is removed.
    """
    wanted = folder.absolute()
    beside = wanted.with_name(f".{wanted.name}.{secrets.token_hex(6)}.tmp")
    beside.mkdir()
    try:
        yield beside
        os.rename(beside, wanted)  # over an empty folder, never over a full one
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _contents(study: StudyResults) -> Iterator[tuple[str, bytes]]:
    snapshot, rows = study.snapshot, study.details(histories=False)
    yield "predictions.parquet", _predictions(study, rows)  # first: it may find the store damaged
    for form in FORMS.values():
        yield f"table{form.ending}", form.write([study], True).encode()
    for name in all_fitting(snapshot):
        figure = PICTURES[name].draw(study, None)
        for ending in FORMATS:
            yield f"figures/{name}{ending}", rendered(figure, ending[1:])
    yield "study.json", _json({**snapshot.to_json(), "text": ""})
    if snapshot.text:
        yield "study.yaml", snapshot.text.encode()
    yield "provenance.json", _json(_provenance(study, rows))
    for name in PROGRAM:
        yield name, (packaged("orchestrator.report.export") / name).read_bytes()
    yield "README.md", _readme(study).encode()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _predictions(study: StudyResults, rows: tuple[RowDetails, ...]) -> bytes:
    """The bytes of a Parquet file with the predictions of every finished trial of all rows.

    A line is a segment, with row, deal (where there are several), fold, seed and trial id; a trial
    that two rows share is in it twice.
    """
    parts = (
        (
            {**_slot(row.name, trial), "trial": trial.id},
            study.ledger.attempts.read_file(trial.outcome, PREDICTIONS),
        )
        for row in rows
        for trial in row.trials
    )
    return gathered_predictions(parts, study.snapshot.classes)


def _provenance(study: StudyResults, rows: tuple[RowDetails, ...]) -> dict[str, Any]:
    """The content of `provenance.json`: the record of every trial, versions, trials without one.

    Names of machines are left out, since a bundle is for strangers.
    """
    trials = [(row.name, trial) for row in rows for trial in row.trials]
    classes: dict[str, int] = {}
    for _, trial in trials:
        name = ", ".join(f"{key} {value}" for key, value in sorted(trial.environment.items()))
        classes[name] = classes.get(name, 0) + 1
    snapshot = study.snapshot
    return {
        "study": snapshot.study,
        "title": {
            "corpus": snapshot.corpus,
            "profile": snapshot.profile,
            "reading": snapshot.reading,
        },
        "exported_with": libraries(),
        "determinism_classes": classes,
        "trials": [_trial(name, trial) for name, trial in trials],
        "missing": [{**trial.slot, "trial": trial.id} for row in rows for trial in row.missing],
        "given_up": [{**trial.slot, "trial": trial.id} for row in rows for trial in row.given_up],
        "alarms": [Path(alarm).name for alarm in study.summary.alarms],
    }


def _slot(row: str, trial: TrainingDetails) -> dict[str, str | int]:
    return slot_json(row, trial.fold.deal, trial.fold.index, trial.seed)


def _trial(row: str, trial: TrainingDetails) -> Mapping[str, Any]:
    outcome = trial.outcome
    return {
        **_slot(row, trial),
        "trial": trial.id,
        "again": trial.rerun_command,
        "identity": outcome.identity,
        "attempt": outcome.attempt,
        "epochs": outcome.epochs,
        "resumed": outcome.resumed,
        "parameters": outcome.parameters,
        "seconds": outcome.seconds,
        "finished": outcome.finished,
        "environment": outcome.environment,
        "libraries": outcome.libraries,
        "digests": outcome.digests,
        "files": outcome.files,
        "scores": [
            {
                "speaker": s.speaker,
                "choice": s.choice,
                "unit": s.unit,
                "epoch": s.epoch,
                "confusion": s.confusion,
            }
            for s in outcome.scores
        ],
    }


ABOUT = {
    ".txt": "the tables and those that support them, as in a terminal",
    ".md": "the same for a web page of a repository",
    ".tex": "the same for a paper (booktabs)",
    ".csv": "one line a row, every number in full",
    ".json": "the same as values",
    ".html": "a page that opens each row",
}
"""Ending of a file with tables -> what it is, for the list of files in a bundle's README."""

README = """\
# {title}

The study `{study}`: {protocol}.

{warning}{trainings}

| file | is |
| :--- | :--- |
{tables}
| `figures/` | {figures}: PNG, SVG, PDF |
| `predictions.parquet` | every held-out segment: who spoke it, what it was taken for |
| `study.json` | what was asked, resolved: rows, folds, seeds, ids |
{study_file}| `provenance.json` | each trial's id and what it is made of, versions, digests |
| `recompute.py` | computes every printed number again, from the predictions alone |
| `recompute_*.py` | how it computes and prints them |

```sh
pip install pandas pyarrow scikit-learn scipy
python recompute.py          # --each lists every number
```

With the store at hand, `ablate rerun ID` trains a trial once more, beside its record, and compares
bit by bit; `provenance.json` has every ID. Without it, `ablate run {run}` trains what the tables
are made of: the same question has the same IDs{lacks}.

{counts} count from 1, seeds from 0. Scores in JSON and CSV are fractions.
"""


def _readme(study: StudyResults) -> str:
    snapshot, summary = study.snapshot, study.summary
    all_rows = summary.completeness.all_rows
    n, missing, diverged = all_rows.finished, all_rows.missing, all_rows.diverged
    warning = [f"**{banner(snapshot)}**"] if banner(snapshot) else []
    warning += [f"- {marked(note)}" for note in snapshot.notes]
    return README.format(
        title=marked(f"{label(snapshot)}. {snapshot.question or snapshot.study}"),
        study=marked(snapshot.study),
        protocol=marked(protocol_line(snapshot)),
        warning="".join(f"{line}\n" for line in warning) + ("\n" if warning else ""),
        trainings=f"{n} trainings are in it"
        + (f"; {diverged} diverged" if diverged else "")
        + (f"; **{missing} are missing**, and every form says so." if missing else ": all."),
        tables="\n".join(f"| `table{f.ending}` | {ABOUT[f.ending]} |" for f in FORMS.values()),
        figures=", ".join(all_fitting(snapshot)),
        study_file="| `study.yaml` | the study file |\n" if snapshot.text else "",
        run="study.yaml" if snapshot.text else "STUDY",
        counts="Folds" if snapshot.deals == 1 else "Deals and their folds",
        lacks="" if snapshot.text else " (the version that ran it kept no study file)",
    )
