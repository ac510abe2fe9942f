"""What a row of the page opens: its settings, its confusion, its curves and its trainings."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model.evaluation.metrics import ua, wa
from orchestrator.analysis.statistics import mean
from orchestrator.analysis.summary import RowSummary
from orchestrator.report.html.plots import Chart, learning_curves
from orchestrator.report.row_details import RowDetails, TrainingDetails
from orchestrator.report.tables.cells import percent, setting_text
from orchestrator.store.records import Scores

SHADES = 5
"""Depths of colour of a confusion's cells; page.css has a class for each."""
MOST_MISSING = 12
"""Missing trainings that are named one by one."""


@dataclass(frozen=True, slots=True)
class RowSetting:
    """A setting of the row, and what the reference has instead where the two differ."""

    key: str
    value: str
    instead_of: str = ""


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    """How many utterances of a class were taken for a class."""

    percent: str
    """Of the utterances of the spoken class; empty where it was never spoken."""
    count: int
    shade: int
    """0 to ``SHADES``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingView:
    """One finished training, as a line of the row's trainings."""

    group: int
    """Its held-out group, from 1."""
    seed: int
    ua: str
    wa: str
    speakers: tuple[tuple[str, str], ...]
    """Test speaker and UA."""
    epochs: str
    """Which epoch each half was scored at, of how many."""
    command: str
    """Trains it again and compares."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowView:
    """Everything that a row opens. Without trainings it is only the command that trains them."""

    reference: str
    """The row that ``changed`` compares with; empty where nothing is changed."""
    changed: tuple[RowSetting, ...]
    settings: tuple[RowSetting, ...]
    """Those that the row has in common with the reference."""
    confusion: tuple[tuple[str, tuple[ConfusionCell, ...]], ...]
    """Spoken class and a cell for each class; empty without a score."""
    charts: tuple[Chart, ...]
    damages: tuple[str, ...]
    """Why the curves of some trainings are left out."""
    trainings: tuple[TrainingView, ...]
    environments: str
    """What they were trained on."""
    missing: str
    """The trainings that are not finished; empty where all are."""
    command: str
    """Trains what is missing."""


def row_view(
    row: RowSummary,
    details: RowDetails,
    reference: RowDetails | None,
    classes: Sequence[str],
) -> RowView:
    """Lay out the details of one row; settings beside those of the reference."""
    changed, settings = _settings(details, reference)
    trained_on = Counter(setting_text(training.environment) for training in details.trials)
    return RowView(
        reference=reference.name if reference and changed else "",
        changed=changed,
        settings=settings,
        confusion=_confusion(row, classes),
        charts=learning_curves(details.trials),
        damages=tuple(training.damage for training in details.trials if training.damage),
        trainings=tuple(map(_training, details.trials)),
        environments="; ".join(f"{count} on {name}" for name, count in trained_on.items()),
        missing=_missing(details),
        command=details.fill,
    )


def _settings(
    details: RowDetails, reference: RowDetails | None
) -> tuple[tuple[RowSetting, ...], tuple[RowSetting, ...]]:
    """The settings in which the row differs from the reference, and all others."""
    own = dict(_leaves(details.configuration))
    other = dict(_leaves(reference.configuration)) if reference and reference.trials else own
    changed = [key for key in own if own[key] != other.get(key)]
    return (
        tuple(RowSetting(key, own[key], other.get(key, "nothing")) for key in changed),
        tuple(RowSetting(key, value) for key, value in own.items() if key not in changed),
    )


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every setting of a nested configuration: the names on the way to it, and its value."""
    for key, item in sorted(value.items()):
        if isinstance(item, Mapping):
            yield from _leaves(item, f"{key} ")
        else:
            yield key if key in prefix else f"{prefix}{key}", setting_text(item)


def _confusion(
    row: RowSummary, classes: Sequence[str]
) -> tuple[tuple[str, tuple[ConfusionCell, ...]], ...]:
    """Each spoken class, and how many of its utterances were taken for each class."""
    if row.pooled is None:
        return ()
    return tuple(
        (name, tuple(_confusion_cell(count, sum(counts)) for count in counts))
        for name, counts in zip(classes, row.pooled.confusion, strict=True)
    )


def _confusion_cell(count: int, spoken: int) -> ConfusionCell:
    if not spoken:
        return ConfusionCell("", 0, 0)
    return ConfusionCell(f"{100 * count / spoken:.0f}", count, -(-SHADES * count // spoken))


def _missing(details: RowDetails) -> str:
    names = [f"group {t.fold + 1} seed {t.seed}" for t in details.missing[:MOST_MISSING]]
    more = len(details.missing) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _training(training: TrainingDetails) -> TrainingView:
    scores_of_a_first = sorted(training.scores, key=lambda s: s.speaker in training.fold.b)
    found = {scores.speaker: _wa_and_ua(scores) for scores in scores_of_a_first}
    scored = [pair for pair in found.values() if pair is not None]
    mean_wa, mean_ua = (
        percent(mean([pair[i] for pair in scored]) if scored else None) for i in (0, 1)
    )
    return TrainingView(
        group=training.fold.index + 1,
        seed=training.seed,
        ua=mean_ua,
        wa=mean_wa,
        speakers=tuple((name, percent(pair[1] if pair else None)) for name, pair in found.items()),
        epochs=f"{training.chosen_on_b}, {training.chosen_on_a} of {training.outcome.epochs}",
        command=training.rerun_command,
    )


def _wa_and_ua(scores: Scores) -> tuple[float, float] | None:
    """WA and UA of a speaker; None where the speaker said nothing."""
    try:
        return wa(scores.confusion), ua(scores.confusion)
    except (ValueError, ZeroDivisionError):
        return None
