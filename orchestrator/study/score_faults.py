"""What cannot stand beside a study's score: a patience, a single epoch, a flat search."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.errors import Fault
from orchestrator.study.protocol import score_rule
from orchestrator.study.search_key.space import Choice, Range, Search
from orchestrator.study.study import Row, Study


def score_faults_of(study: Study, default_profile: str) -> list[Fault]:
    """The faults of `score_faults` in a whole study, once its corpus is known.

    Args:
        study: the study.
        default_profile: the profile of a study that names none.
    """
    found = score_faults(default_profile, study.settings, study.rows, study.search, study.positions)
    return list(found)


def score_faults(
    default_profile: str,
    settings: Mapping[str, Any],
    rows: Sequence[Row],
    search: Search | None,
    positions: Mapping[str, tuple[int, int]],
) -> Iterator[Fault]:
    """Yield a fault for each key that cannot stand beside the study's score.

    Averaged weights need all epochs, so that patience cannot act, and more than one of them. A flat
    search chooses by dev scores, and only the chosen epoch has dev speakers.

    Args:
        default_profile: the profile of a study that names none.
        settings: settings of the study's top level and of its baseline.
        rows: its rows.
        search: its search; None where it has rows.
        positions: key -> line and column, as `Study.positions`.
    """
    rule = score_rule(default_profile, settings)
    profile = settings.get("profile", default_profile)
    default = "" if "score" in settings else f" (the default with profile `{profile}`)"
    beside = f"`score: {rule}`{default}"
    if rule != "chosen" and search is not None and search.selection == "flat":
        yield Fault(
            *positions["search.selection"],
            f"`search.selection: flat` chooses by dev scores, and {beside} has no dev speakers: "
            "write `score: chosen`, or leave `selection` out, so that the search is nested.",
        )
    if rule != "averaged":
        return
    for key, place in positions.items():
        if key.rpartition(".")[2] == "patience":
            yield Fault(
                *place,
                f"`patience` must not stand beside {beside}, which trains all epochs: leave it "
                "out, or write `score: chosen`.",
            )
    for key in _single_epochs(settings, rows, search):
        yield Fault(
            *positions[key],
            f"`epochs` must be 2 or more beside {beside}, the mean over the second half of them, "
            "but is `1` instead: train longer, or write `score: last`.",
        )


def _single_epochs(
    settings: Mapping[str, Any], rows: Sequence[Row], search: Search | None
) -> Iterator[str]:
    """Yield the keys by which some training would have one epoch, as in `Study.positions`."""
    common = settings.get("training", {}).get("epochs")
    axes = {axis.key: axis.kind for axis in search.axes} if search else {}
    match axes.get("epochs"):
        case Range(low=low) if low < 2:
            yield "search.axes.epochs"
        case Choice(values=values) if 1 in values.values():
            yield "search.axes.epochs"
        case None if search is not None and common == 1:
            yield "training.epochs"
    for index, row in enumerate(rows):
        own = row.settings.get("training", {}).get("epochs")
        if own == 1:
            yield f"rows.{index}.set.training.epochs"
        elif own is None and common == 1 and "profile" not in row.settings:
            yield "training.epochs"
