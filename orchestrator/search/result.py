"""What a search found, by its snapshot and the test scores that are open. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.analysis.statistics import mean
from orchestrator.errors import StudyError
from orchestrator.search.importance import FEWEST, Importance, importances
from orchestrator.search.proposals import Evaluated
from orchestrator.store.snapshot import CHOSEN, Snapshot, SnapshotConfiguration, SnapshotSearch
from orchestrator.study.reader import parse_study
from orchestrator.study.search_key.space import SearchAxis


@dataclass(frozen=True, kw_only=True, slots=True)
class Winner:
    """What was chosen for a held-out group; in a flat search, for all speakers."""

    group: int
    speakers: tuple[str, ...]
    """On whom it is judged; in a flat search, on whom it was chosen."""
    configuration: SnapshotConfiguration
    test: float | None
    """Mean UA over the speakers and seeds; None while it is sealed, and in a flat search."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchResult:
    """A search, as far as it has come."""

    search: SnapshotSearch
    winners: tuple[Winner, ...]
    """By group; empty until the budget is used."""
    axes: tuple[SearchAxis, ...] | None
    """The settings that it varies; None where ``search_axes`` cannot tell them."""
    importances: tuple[Importance, ...]
    """How much each axis mattered; empty below ``FEWEST`` scored configurations."""

    def count(self, group: int, state: str | None = None) -> int:
        """How many configurations of a group came to that end; without one, to any."""
        ends = (one.state for one in self.search.tried if one.group == group)
        return sum(end == state if state else end != "training" for end in ends)

    def best(self, count: int) -> tuple[SnapshotConfiguration, ...]:
        """Those that scored best on all of their folds, the best first."""
        trained = [one for one in self.search.tried if one.state == "trained"]
        return tuple(sorted(trained, key=lambda one: (-(one.score or 0.0), one.number))[:count])


def search_result(
    snapshot: Snapshot, uas: Mapping[str, Mapping[str, Mapping[int, float]]]
) -> SearchResult | None:
    """What a study's search found; None where it has none.

    Args:
        snapshot: the study.
        uas: row -> speaker -> seed -> test UA, as ``summary.uas`` counts them.
    """
    if snapshot.search is None:
        return None
    winners = enumerate(snapshot.search.winners)
    own = uas.get(CHOSEN, {})
    return SearchResult(
        search=snapshot.search,
        winners=tuple(
            _winner(snapshot, snapshot.search, group, number, own) for group, number in winners
        ),
        axes=(axes := search_axes(snapshot)),
        importances=_importances(axes, snapshot.search),
    )


UNKNOWN_AXES = (
    "The axes of this search are unknown: an earlier version kept it without them, and this "
    "version refuses the text of its study. `ablate run` of a mended study file keeps them."
)


def search_axes(snapshot: Snapshot) -> tuple[SearchAxis, ...] | None:
    """The settings that a study's search varies.

    A snapshot tells them since they are kept in it; of an older one the study's text is read.

    Returns:
        None where the study has no search, or where the snapshot is older and this program refuses
        the text: ``UNKNOWN_AXES`` says so.
    """
    if snapshot.search is None or snapshot.search.axes is not None:
        return snapshot.search.axes if snapshot.search else None
    try:
        search = parse_study(snapshot.text, f"{snapshot.study}.yaml").search
    except StudyError:
        return None
    return search.axes if search else None


def _importances(
    axes: Sequence[SearchAxis] | None, search: SnapshotSearch
) -> tuple[Importance, ...]:
    scored = [one for one in search.tried if one.score is not None]
    if len(scored) < FEWEST or axes is None:
        return ()
    groups: dict[int, list[Evaluated]] = {}
    for one in scored:
        groups.setdefault(one.group, []).append(Evaluated(point=one.point, score=one.score))
    return importances(axes, list(groups.values()))


def _winner(
    snapshot: Snapshot,
    search: SnapshotSearch,
    group: int,
    number: int,
    uas: Mapping[str, Mapping[int, float]],
) -> Winner:
    folds = (snapshot.folds[group],) if search.selection == "nested" else snapshot.folds
    speakers = tuple(speaker for fold in folds for speaker in (*fold.a, *fold.b))
    known = [mean(list(uas[speaker].values())) for speaker in speakers if speaker in uas]
    return Winner(
        group=group,
        speakers=speakers,
        configuration=next(t for t in search.tried if (t.group, t.number) == (group, number)),
        test=mean(known) if known else None,
    )
