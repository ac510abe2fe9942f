"""The output of `ablate compare`: rows A and B of a study side by side, as tables and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from orchestrator.analysis.comparison import Comparison, PairedScore
from orchestrator.analysis.differences import Difference
from orchestrator.analysis.family import promise_of
from orchestrator.planning.trial_details import run_command
from orchestrator.report.tables.cells import difference_plus_minus, p_value, percent, plus_minus
from orchestrator.report.tables.footnotes import mixtures
from orchestrator.report.tables.headings import (
    banner,
    difference_interval_words,
    label,
    promise_notes,
    protocol_line,
)
from orchestrator.report.tables.table import Column, Table
from orchestrator.report.tables.text import print_table


def record(found: Comparison, limit: int) -> dict[str, Any]:
    """A comparison of rows A and B as JSON values; scores are fractions from 0 to 1.

    Args:
        found: the comparison.
        limit: the most utterances to list among those that only one of the rows recognises.
    """
    snapshot = found.snapshot
    return {
        "study": snapshot.study,
        "title": {
            "corpus": snapshot.corpus,
            "profile": snapshot.profile,
            "reading": snapshot.reading,
        },
        "a": found.a,
        "b": found.b,
        "shared": found.shared,
        "wanted": found.wanted,
        "difference": _difference_json(found.difference) if found.difference else None,
        "open": found.open or None,
        "asked": found.asked,
        "comparisons": _comparisons(found),
        "balance": asdict(found.balance) if found.balance else None,
        "folds": [asdict(one) for one in found.folds],
        "emotions": [asdict(one) for one in found.emotions],
        "decisions": found.decisions,
        "gained": sum(flip.gained for flip in found.flips),
        "lost": sum(flip.lost for flip in found.flips),
        "flips": [asdict(flip) for flip in found.flips[:limit]],
    }


def records(found: Sequence[Comparison], limit: int) -> dict[str, Any]:
    """The comparisons of several rows with A as JSON values, each as `record` has one."""
    each = [record(one, limit) for one in found]
    common = {key: each[0][key] for key in ("study", "title", "a", "asked", "comparisons")}
    return {
        **common,
        "compared": [
            {key: value for key, value in one.items() if key not in common} for one in each
        ],
    }


def _difference_json(difference: Difference) -> dict[str, Any]:
    """The difference of A and B as JSON values.

    The key of ``over_seeds`` is ``again``, its first name, so that scripts go on reading it.
    """
    record = asdict(difference)
    return {"again" if key == "over_seeds" else key: value for key, value in record.items()}


def show(console: Console, found: Sequence[Comparison], limit: int) -> None:
    """Print the scores of A and B by fold and emotion, then the utterances that flip.

    An utterance flips if one row recognises it and the other does not.

    Args:
        console: where to print.
        found: the comparisons of one or more rows with A. If there are several, a table of their
            differences comes first.
        limit: the most flipped utterances to print of each; 0 for none.
    """
    tables = [overview(found)] if len(found) > 1 else []
    for one in found:
        tables += [scores(one), *([flips(one, limit)] if one.flips and limit else [])]
    for index, table in enumerate(tables):
        if index:
            console.print()
        print_table(console, table)


def overview(found: Sequence[Comparison]) -> Table:
    """The table of differences of several rows from A, in percentage points, with p after Holm."""
    first, cells = found[0], []
    for one in found:
        d = one.difference
        p_values = [p_value(d.p_alone if d else None), p_value(d.p if d else None)]
        cells.append((one.b, f"{one.shared}/{one.wanted}", difference_plus_minus(d), *p_values))
    heads = ("shared", "ΔUA ± 95 %", "p", "p Holm")
    left = [one.b for one in found if one.open]
    judged = [d for one in found if (d := one.difference) is not None and d.p is not None]
    waits = f" None is given of {', '.join(left)}: {_WAITS}." if left else ""
    if first.open.startswith("none"):
        waits = f" None is given: {first.open.removeprefix('none: ')}."
    return Table(
        label=label(first.snapshot),
        title=f"{len(found)} rows beside {first.a}",
        subtitle=protocol_line(first.snapshot),
        banner=banner(first.snapshot),
        columns=(Column(head="row", numeric=False), *map(_head, heads)),
        cells=tuple(cells),
        footnotes=(
            f"ΔUA: the row minus `{first.a}`, paired on the shared trainings, for new speakers. p "
            f"alone, and after Holm over these {len(found)} of {_comparisons(first)} comparisons "
            f"that the {len(first.snapshot.rows)} rows allow; adjusted for no other.{waits}",
            *promise_notes(promise_of(d.luck for d in judged)),
        ),
    )


def scores(found: Comparison) -> Table:
    """The table of A, B and B - A, in percent: UA on each fold, then recall of each emotion."""
    is_published = found.snapshot.is_published_split
    cells = [
        _cells("test side" if is_published else f"held-out group {one.name}", one)
        for one in found.folds
    ]
    cells += [_cells(one.name, one) for one in found.emotions]
    notes = [
        f"A: {found.a}. B: {found.b}. Paired on {found.shared} of {found.wanted} trainings that "
        "both have finished, in percent, means over speakers.",
    ]
    if found.difference is not None:
        d = found.difference
        is_shared = d.df is not None and d.df != d.groups - 1
        p = p_value(d.p_alone)
        p = f"p = {p}" if p[0] != "<" else f"p < {p[1:]}"
        notes.append(
            f"B - A in UA: {difference_plus_minus(d)}, "
            f"{difference_interval_words(found.snapshot, d.groups, is_shared=is_shared)}; "
            + (_without_p(found) if found.open else f"{p}, {_among(found)}.")
        )
        if d.p is not None and not is_shared:
            notes += promise_notes(promise_of([d.luck]))
    if found.unscored:
        notes.append(
            f"No score: {found.unscored} trainings of A and B stopped before their last epoch, so "
            "that they have no averaged weights."
        )
    elif found.shared < found.wanted:
        fill = run_command(found.snapshot.study)
        notes.append(f"Missing: the other trainings; `{fill}` trains them.")
    notes += mixtures(found.snapshot)
    headings = {0: "UA"} if found.folds else {}
    if found.emotions:
        headings[len(found.folds)] = "recall"
    return Table(
        label=label(found.snapshot),
        title=f"{found.b} beside {found.a}",
        subtitle=protocol_line(found.snapshot),
        banner=banner(found.snapshot),
        columns=(Column(head="", numeric=False), *map(_head, ("speakers", "A", "B", "B - A"))),
        cells=tuple(cells),
        footnotes=tuple(notes),
        headings=headings,
    )


_WAITS = "p waits for every training of the study; none is given where one of A or B diverged"
"""Why a difference has no p."""


def _without_p(found: Comparison) -> str:
    """Why this difference has no p."""
    if found.open.startswith("none"):
        return f"no p: {found.open.removeprefix('none: ')}."
    return f"no p: B is {found.open}, and {_WAITS}."


def _among(found: Comparison) -> str:
    """How many comparisons the p of this one is among, for it is adjusted for none of them."""
    possible = _comparisons(found)
    if found.asked > 1:
        adjusted = p_value(found.difference.p if found.difference else None)
        return f"{adjusted} after Holm over the {found.asked} that were asked for, of {possible}"
    if possible == 1:
        return "of the one comparison that these two rows allow"
    return (
        f"of this one comparison of {possible} that the {len(found.snapshot.rows)} rows allow, "
        "adjusted for none of the others (`ablate report` adjusts for those with the reference)"
    )


def _comparisons(found: Comparison) -> int:
    """How many pairs the rows of the study make."""
    rows = len(found.snapshot.rows)
    return rows * (rows - 1) // 2


def flips(found: Comparison, limit: int) -> Table:
    """The table of flips: utterances that one row recognises and the other does not.

    Args:
        found: the comparison.
        limit: the most utterances in the table; a footnote says how many more there are.
    """
    gained, lost = sum(f.gained for f in found.flips), sum(f.lost for f in found.flips)
    shown = found.flips[:limit]
    return Table(
        title=f"{len(found.flips)} utterances flip: {gained} gained by B, {lost} lost",
        subtitle=f"of {found.decisions} decisions; counts are "
        + ("seeds" if found.snapshot.deals == 1 else "trainings"),
        banner="",
        columns=(
            Column(head="utterance", numeric=False),
            Column(head="speaker", numeric=False),
            Column(head="emotion", numeric=False),
            *map(_head, ("gained", "lost")),
        ),
        cells=tuple((f.utterance, f.speaker, f.emotion, str(f.gained), str(f.lost)) for f in shown),
        footnotes=(
            f"Gained less lost, the difference in WA: {plus_minus(found.balance)} percent of "
            f"utterances, {difference_interval_words(found.snapshot)}.",
            *(
                (f"{len(found.flips) - limit} more: `--limit {len(found.flips)}` lists all.",)
                if len(found.flips) > limit
                else ()
            ),
        ),
    )


def _head(text: str) -> Column:
    return Column(head=text)


def _cells(name: str, one: PairedScore) -> tuple[str, ...]:
    change = f"{100 * (one.b - one.a):+.1f}"
    return name, str(one.speakers), percent(one.a), percent(one.b), change
