"""What a row opens: its settings, its trainings, their curves, who is taken for whom."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model.evaluation.metrics import ua, wa
from orchestrator.analysis.statistics import mean
from orchestrator.analysis.summary import RowSummary
from orchestrator.report.html.markup import Child, Markup, joined, prose, tag
from orchestrator.report.html.plots import curves
from orchestrator.report.row_details import RowDetails, TrainingDetails
from orchestrator.report.tables.cells import percent, setting_text
from orchestrator.report.tables.headings import DASH
from orchestrator.store.records import Scores

SHADES = 5
"""Depths of the tint of a matrix's cell."""


def panel(
    row: RowSummary, behind: RowDetails, reference: RowDetails | None, classes: Sequence[str]
) -> Markup:
    """All of one row."""
    if not behind.trials:
        return tag("div", tag("p", "No training is finished. ", _command(behind.fill)))
    return tag(
        "div",
        _settings(behind, reference),
        tag("div", _confusion(row, classes), _curves(behind), class_="pictures"),
        _trainings(behind),
    )


def _settings(behind: RowDetails, reference: RowDetails | None) -> Markup:
    """What moves the row's numbers; what the reference has otherwise stands out."""
    own = dict(_leaves(behind.configuration))
    other = dict(_leaves(reference.configuration)) if reference and reference.trials else own
    changed = [key for key in own if own[key] != other.get(key)]
    lines: list[Child] = []
    if changed:
        assert reference is not None
        lines.append(tag("h4", "Differs from ", tag("bdi", reference.name), " in"))
        lines.append(_pairs((key, own[key], other.get(key, "nothing")) for key in changed))
    rest = [(key, value, "") for key, value in own.items() if key not in changed]
    whole = tag("details", tag("summary", "Configuration"), _pairs(rest), class_="configuration")
    return tag("div", *lines, whole, class_="settings")


def _pairs(lines: Iterator[tuple[str, str, str]] | Sequence[tuple[str, str, str]]) -> Markup:
    return tag(
        "dl",
        (
            tag(
                "div",
                tag("dt", key),
                tag("dd", value, tag("span", f" instead of {other}") if other else None),
            )
            for key, value, other in lines
        ),
    )


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Keys behind the part that they belong to, and their values in words."""
    for key, item in sorted(value.items()):
        if isinstance(item, Mapping):
            yield from _leaves(item, f"{key} ")
        else:
            yield key if key in prefix else f"{prefix}{key}", setting_text(item)


def _curves(behind: RowDetails) -> Child:
    found = curves(behind.trials)
    damaged = [trial for trial in behind.trials if trial.damage]
    notes = [tag("p", trial.damage, class_="loud") for trial in damaged]
    return (found, notes)


def _confusion(row: RowSummary, classes: Sequence[str]) -> Markup | None:
    """Percent of a spoken class taken for each, and how many utterances they were."""
    if row.pooled is None:
        return None
    head = tag("tr", tag("td"), (tag("th", tag("bdi", name), scope="col") for name in classes))
    lines = []
    for name, counts in zip(classes, row.pooled.confusion, strict=True):
        spoken = sum(counts)
        cells = (_share(count, spoken) for count in counts)
        lines.append(tag("tr", tag("th", tag("bdi", name), scope="row"), cells))
    said = "Spoken (rows) and taken for (columns), in percent and utterances, all trainings pooled."
    table = tag("table", tag("thead", head), tag("tbody", lines), class_="confusion")
    return tag("figure", scrolling(table, "confusion matrix"), tag("figcaption", said))


def _share(count: int, spoken: int) -> Markup:
    if not spoken:
        return tag("td", DASH)
    shade = -(-SHADES * count // spoken)
    return tag("td", f"{100 * count / spoken:.0f}", tag("small", str(count)), class_=f"q{shade}")


def _trainings(behind: RowDetails) -> Markup:
    heads = ("held out", "seed", "UA", "WA", "by speaker", "at epoch", "train it again")
    numeric = (False, True, True, True, False, True, False)
    head = tag(
        "tr",
        (
            tag("th", name, scope="col", class_="number" if n else None)
            for name, n in zip(heads, numeric, strict=True)
        ),
    )
    table = tag(
        "table", tag("thead", head), tag("tbody", map(_training, behind.trials)), class_="trainings"
    )
    made = Counter(setting_text(trial.environment) for trial in behind.trials)
    on = "; ".join(f"{count} on {name}" for name, count in made.items())
    missing = None
    if behind.missing:
        places = ", ".join(f"group {t.fold + 1} seed {t.seed}" for t in behind.missing[:12])
        more = f" and {len(behind.missing) - 12} more" if len(behind.missing) > 12 else ""
        missing = tag("p", f"Missing: {places}{more}. ", _command(behind.fill), class_="loud")
    return tag(
        "div",
        tag("h4", "1 training" if len(behind.trials) == 1 else f"{len(behind.trials)} trainings"),
        scrolling(table, "trainings"),
        tag("p", f"Trained: {on}.", class_="faint"),
        missing,
    )


def _training(trial: TrainingDetails) -> Markup:
    first_a = sorted(trial.scores, key=lambda scores: scores.speaker in trial.fold.b)
    found = {scores.speaker: _of(scores) for scores in first_a}
    scored = [pair for pair in found.values() if pair is not None]
    mean_wa, mean_ua = (
        percent(mean([pair[i] for pair in scored]) if scored else None) for i in (0, 1)
    )
    speakers = [
        (tag("bdi", name), f" {percent(pair[1] if pair else None)}") for name, pair in found.items()
    ]
    chosen = f"{trial.chosen_on_b}, {trial.chosen_on_a} of {trial.outcome.epochs}"
    return tag(
        "tr",
        tag("td", f"group {trial.fold.index + 1}"),
        tag("td", str(trial.seed), class_="number"),
        tag("td", mean_ua, class_="number"),
        tag("td", mean_wa, class_="number"),
        tag("td", _between(speakers), class_="faint"),
        tag("td", chosen, class_="number"),
        tag("td", _command(trial.again)),
    )


def _between(parts: Sequence[Child]) -> Markup:
    return joined(*((", " if i else None, part) for i, part in enumerate(parts)))


def _of(scores: Scores) -> tuple[float, float] | None:
    """WA and UA of a speaker; None where nothing was said."""
    try:
        return wa(scores.confusion), ua(scores.confusion)
    except (ValueError, ZeroDivisionError):
        return None


def _command(line: str) -> Markup:
    """A command and a button that copies it."""
    button = tag("button", "copy", type="button", class_="copy", aria_label=f"copy {line}")
    return tag("span", tag("code", line), button, class_="command")


def scrolling(wide: Markup, name: str, kind: str = "scroll") -> Markup:
    """A table or picture that scrolls in itself where it is wider than the page, by keys too."""
    return tag("div", wide, class_=kind, tabindex="0", role="region", aria_label=name)


def note(line: str) -> Markup:
    """A footnote; what must not be overlooked stands out, and not by its colour alone."""
    loud = line.startswith(("WARNING", "Missing", "Stale"))
    return tag(
        "li", tag("strong", prose(line)) if loud else prose(line), class_="loud" if loud else None
    )
