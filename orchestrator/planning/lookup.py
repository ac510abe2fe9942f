"""Finds the study that a user means by a file, a name, or the number of a table or figure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from features.errors import FeatureError
from orchestrator.errors import LackError, RequestError
from orchestrator.planning.plan import plan_study
from orchestrator.planning.status import newest_snapshots, unknown_study
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.reader import read_study
from orchestrator.study.study import Study

STUDIES = Path("studies")
"""Folder below the working directory that is searched for study files when the user gives a
number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundStudy:
    """The study that the user means, resolved, and a notice where it is not up to date."""

    snapshot: Snapshot
    """The study as its file asks for it now, or as it last ran."""
    notice: str = ""
    """A sentence: why the snapshot is that of the last run though there is a study file; else
    empty."""


def is_study_file(study: str) -> bool:
    """Whether STUDY on the command line is a file (``.yaml``, ``.yml``, or exists), not a name."""
    return Path(study).suffix in (".yaml", ".yml") or Path(study).is_file()


def find_study(study: str, ledger: Ledger) -> FoundStudy:
    """Find a study by its file, or by the name of one that has run in the store.

    Raises:
        RequestError: no study of that name has run.
        StudyError: the file is no study.
        LackError, FeatureError: the corpus of a study that never ran is missing.
    """
    newest = newest_snapshots(ledger)
    if is_study_file(study):
        return _from_file(read_study(Path(study)), ledger, newest)
    if study in newest:
        return FoundStudy(snapshot=newest[study])
    raise unknown_study(study, newest)


def find_numbered(table: int | None, figure: int | None, ledger: Ledger) -> tuple[FoundStudy, ...]:
    """Every study that declares a table or figure: in ./studies, then others that ran in the store.

    Args:
        table: the number of a table of the paper; None where a figure is meant.
        figure: the number of a figure; None where a table is meant.
        ledger: the store.

    Raises:
        RequestError: no study declares that number.
    """
    newest = newest_snapshots(ledger)
    studies = [read_study(path) for path in sorted(STUDIES.glob("*.yaml"))]
    wanted = [study for study in studies if (study.table, study.figure) == (table, figure)]
    found = {study.name: _from_file(study, ledger, newest) for study in wanted}
    for name, snapshot in newest.items():
        if (snapshot.table, snapshot.figure) == (table, figure):
            found.setdefault(name, FoundStudy(snapshot=snapshot))
    if not found:
        kind, number = ("table", table) if table is not None else ("figure", figure)
        numbers = {getattr(study, kind) for study in (*studies, *newest.values())} - {None}
        known = ", ".join(map(str, sorted(numbers))) or "none yet"
        raise RequestError(
            f"No study declares {kind} {number}. {kind.capitalize()}s of known studies: {known}."
        )
    return tuple(found.values())


def _from_file(study: Study, ledger: Ledger, newest: Mapping[str, Snapshot]) -> FoundStudy:
    """The study as its file asks for it; as it last ran where its corpus is missing."""
    try:
        # An openSMILE configuration is read here for its digest, and never run.
        return FoundStudy(snapshot=plan_study(study, ledger, allow_config=True).snapshot)
    except (FeatureError, LackError) as error:
        if study.name not in newest:
            raise
        notice = f"`{study.name}` is shown as it last ran: {error}"
        return FoundStudy(snapshot=newest[study.name], notice=notice)
