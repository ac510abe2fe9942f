"""The text of a table's cells: scores, differences, p values, counts and settings.

Scores come in as fractions from 0 to 1 and are printed in percent, without the sign.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.analysis.differences import Difference, SeedDifference
from orchestrator.analysis.row_scores import Accuracies, Interval
from orchestrator.report.tables.headings import DASH


def percent(value: float | None) -> str:
    """A fraction from 0 to 1 as percent, without the sign: 0.7312 -> ``73.1``; None -> a dash."""
    return DASH if value is None else f"{100 * value:.1f}"


def published_percent(value: float | None) -> str:
    """A published score, which is in percent already, with two digits after the point.

    None, where the paper has no such score, becomes a dash.
    """
    return DASH if value is None else f"{value:.2f}"


def plus_minus(interval: Interval | None) -> str:
    """A mean and half of its 95 % interval, in percent: ``54.2 ± 9.1``.

    The interval of a score ends at 0 and 100 all the same, which a footnote says. A dash stands for
    half of an interval that is not known, and for None.
    """
    return DASH if interval is None else f"{100 * interval.mean:.1f} ± {percent(interval.half)}"


def difference_plus_minus(difference: Difference | SeedDifference | None) -> str:
    """A difference in UA and half of its 95 % interval, in percentage points: ``+3.1 ± 2.4``.

    A dash stands for half of an interval that is not known, and for None.
    """
    if difference is None:
        return DASH
    low = difference.low
    half = DASH if low is None else f"{100 * (difference.ua - low):.1f}"
    return f"{100 * difference.ua:+.1f} ± {half}"


def wa_and_ua(pair: Accuracies | None) -> str:
    """WA, then UA, in percent: ``56.0/54.2``; None -> a dash."""
    return DASH if pair is None else f"{100 * pair.wa:.1f}/{100 * pair.ua:.1f}"


def p_value(p: float | None) -> str:
    """A p with three digits after the point: so few held-out groups tell no smaller ones apart.

    >>> p_value(0.0204), p_value(0.0001), p_value(None)
    ('0.020', '<0.001', '–')
    """
    if p is None:
        return DASH
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def short_count(parameters: float) -> str:
    """A number of parameters as papers print it, in millions (M) or thousands (K).

    >>> short_count(980_000), short_count(78_000), short_count(412)
    ('0.98M', '78K', '412')
    """
    if parameters >= 100_000:
        return f"{parameters / 1e6:.2f}M"
    return f"{parameters / 1e3:.0f}K" if parameters >= 1000 else f"{parameters:.0f}"


def first_letters(classes: Sequence[str]) -> list[str]:
    """The names of classes cut to one length, the shortest from three letters on that differ.

    Such as ``ang``, ``hap``, ``neu``, ``sad``; whole names if no length tells them apart.
    """
    for length in range(3, max(map(len, classes), default=3) + 1):
        if len({name[:length] for name in classes}) == len(classes):
            return [name[:length] for name in classes]
    return list(classes)


def setting_text(value: Any) -> str:
    """The value of a setting as text; a mapping of settings as ``name value`` pairs with commas.

    >>> setting_text({"layers": 4, "bigru": True, "edges": []})
    'bigru yes, edges none, layers 4'
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {setting_text(item)}" for key, item in sorted(value.items()))
    if isinstance(value, list):
        return " ".join(map(setting_text, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
