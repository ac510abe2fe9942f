"""What a click on a row of the HTML page opens: settings, confusion, learning curves, trainings."""

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
from orchestrator.store.snapshot import SnapshotTrial

SHADES = 5
"""Number of colours, besides none, for the cells of a confusion matrix; page.css has them."""
MOST_MISSING = 12
"""Most missing trainings that are named one by one; of the others only the number is given."""


@dataclass(frozen=True, slots=True)
class RowSetting:
    """A setting of the row, and the reference's value if it differs."""

    key: str
    """Its name, such as ``training lr``."""
    value: str
    """The row's value as text."""
    instead_of: str = ""
    """The reference's value as text; empty if the two agree."""


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    """A cell of a confusion matrix: utterances of one class that were predicted as one class."""

    percent: str
    """Percent of the spoken class, without the sign, such as ``57``; empty if never spoken."""
    count: int
    """Number of utterances, all folds and seeds together."""
    shade: int
    """Colour of the cell, from 0 (none) to ``SHADES`` (all utterances of the class)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingView:
    """One finished training, as a line of the table of a row's trainings."""

    group: str
    """Its held-out group, such as ``group 2``, or ``group 2 of deal 3``."""
    seed: int
    """The seed, from 0."""
    ua: str
    """Mean UA over its test speakers in percent, such as ``54.2``, or a dash."""
    wa: str
    """Mean WA over its test speakers in percent, or a dash."""
    speakers: tuple[tuple[str, str], ...]
    """Name and UA in percent of every test speaker, those of half A first; of a published split,
    then its dev speakers, whose names begin with ``dev``."""
    epochs: str
    """The epochs at which halves A and B were scored, and how many it had: ``12, 9 of 30``."""
    command: str
    """The shell command that trains it again and compares it with its record."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowView:
    """Everything that a row opens; for a row without trainings, only the command to train them."""

    reference: str
    """The name of the reference row; empty if ``changed`` is empty."""
    changed: tuple[RowSetting, ...]
    """The settings in which the row differs from the reference."""
    settings: tuple[RowSetting, ...]
    """The settings that the row has in common with the reference."""
    confusion: tuple[tuple[str, tuple[ConfusionCell, ...]], ...]
    """The lines of the confusion matrix: a spoken class, and a cell for each predicted class.

    Empty while no training is finished."""
    charts: tuple[Chart, ...]
    """The learning curves; empty if none was read."""
    damages: tuple[str, ...]
    """A sentence for each training whose learning curve is damaged and left out."""
    trainings: tuple[TrainingView, ...]
    """The finished trainings, by group and seed."""
    environments: str
    """How many trainings ran in each determinism class: ``15 on device cpu x86_64, ...``."""
    missing: str
    """The trainings that are not finished: ``group 2 seed 0, ...``; empty if all are."""
    diverged: str
    """The trainings that diverged and are given up, in the same form; empty if none is."""
    command: str
    """The shell command that trains what is missing."""


def row_view(
    row: RowSummary,
    details: RowDetails,
    reference: RowDetails | None,
    classes: Sequence[str],
) -> RowView:
    """Lay out everything that a row of the page opens.

    Args:
        row: the row's numbers.
        details: the row's trainings.
        reference: the trainings of the reference row, for its settings; None without a reference.
        classes: the names of the classes, in the order of the confusion matrix.
    """
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
        missing=_named(details.missing),
        diverged=_named(details.given_up),
        command=details.fill,
    )


def _settings(
    details: RowDetails, reference: RowDetails | None
) -> tuple[tuple[RowSetting, ...], tuple[RowSetting, ...]]:
    """The settings in which the row differs from the reference, and the others, in two tuples."""
    own = dict(_leaves(details.configuration))
    other = dict(_leaves(reference.configuration)) if reference and reference.trials else own
    changed = [key for key in own if own[key] != other.get(key)]
    return (
        tuple(RowSetting(key, own[key], other.get(key, "nothing")) for key in changed),
        tuple(RowSetting(key, value) for key, value in own.items() if key not in changed),
    )


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The name and value of every setting in a nested mapping: ``training lr`` and ``0.001``.

    Args:
        value: the nested mapping.
        prefix: the name of the part that is read now, with a space at its end.
    """
    for key, item in sorted(value.items()):
        if isinstance(item, Mapping):
            yield from _leaves(item, f"{key} ")
        else:
            yield key if key in prefix else f"{prefix}{key}", setting_text(item)


def _confusion(
    row: RowSummary, classes: Sequence[str]
) -> tuple[tuple[str, tuple[ConfusionCell, ...]], ...]:
    """The lines of the confusion matrix: a spoken class, and a cell for each predicted class."""
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


def _named(trials: Sequence[SnapshotTrial]) -> str:
    names = [f"{_group(t.fold_name)} seed {t.seed}" for t in trials[:MOST_MISSING]]
    more = len(trials) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _group(fold: str) -> str:
    """What a fold holds out: ``group 2 of deal 3`` of ``fold 2 of deal 3``."""
    return fold.replace("fold", "group")


def _training(training: TrainingDetails) -> TrainingView:
    scores_of_a_first = sorted(training.scores, key=lambda s: s.speaker in training.fold.b)
    found = {scores.speaker: _wa_and_ua(scores) for scores in scores_of_a_first}
    dev = {f"dev {scores.speaker}": _wa_and_ua(scores) for scores in training.dev_scores}
    scored = [pair for pair in found.values() if pair is not None]
    mean_wa, mean_ua = (
        percent(mean([pair[i] for pair in scored]) if scored else None) for i in (0, 1)
    )
    return TrainingView(
        group=_group(training.fold.name),
        seed=training.seed,
        ua=mean_ua,
        wa=mean_wa,
        speakers=tuple(
            (name, percent(pair[1] if pair else None)) for name, pair in (found | dev).items()
        ),
        epochs=training.scored_epochs,
        command=training.rerun_command,
    )


def _wa_and_ua(scores: Scores) -> tuple[float, float] | None:
    """WA and UA of a test speaker, 0 to 1; None if the speaker has no utterance."""
    try:
        return wa(scores.confusion), ua(scores.confusion)
    except (ValueError, ZeroDivisionError):
        return None
