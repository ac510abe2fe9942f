"""The output of `ablate compare`: rows A and B of a study side by side, as tables and as JSON."""

from dataclasses import asdict
from typing import Any

from rich.console import Console

from orchestrator.analysis.comparison import Comparison, PairedScore
from orchestrator.analysis.differences import Difference
from orchestrator.analysis.row_scores import Interval, unit_of
from orchestrator.planning.trial_details import run_command
from orchestrator.report.tables.cells import percent, plus_minus
from orchestrator.report.tables.footnotes import mixtures
from orchestrator.report.tables.headings import DASH, banner, counted, label, protocol_line
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
        "comparisons": _comparisons(found),
        "balance": asdict(found.balance) if found.balance else None,
        "folds": [asdict(one) for one in found.folds],
        "emotions": [asdict(one) for one in found.emotions],
        "decisions": found.decisions,
        "gained": sum(flip.gained for flip in found.flips),
        "lost": sum(flip.lost for flip in found.flips),
        "flips": [asdict(flip) for flip in found.flips[:limit]],
    }


def _difference_json(difference: Difference) -> dict[str, Any]:
    """The difference of A and B as JSON values.

    The key of ``over_seeds`` is ``again``, its first name, so that scripts go on reading it.
    """
    record = asdict(difference)
    return {"again" if key == "over_seeds" else key: value for key, value in record.items()}


def show(console: Console, found: Comparison, limit: int) -> None:
    """Print the scores of A and B by fold and emotion, then the utterances that flip.

    An utterance flips if one row recognises it and the other does not.

    Args:
        console: where to print.
        found: the comparison.
        limit: the most flipped utterances to print; 0 for none.
    """
    print_table(console, scores(found))
    if found.flips and limit:
        console.print()
        print_table(console, flips(found, limit))


def scores(found: Comparison) -> Table:
    """The table of A, B and B - A, in percent: UA on each fold, then recall of each emotion."""
    cells = [_cells(f"held-out group {one.name}", one) for one in found.folds]
    cells += [_cells(one.name, one) for one in found.emotions]
    notes = [
        f"A: {found.a}. B: {found.b}. Paired on {found.shared} of {found.wanted} trainings that "
        "both have finished, in percent, means over speakers.",
    ]
    if found.difference is not None:
        d = found.difference
        p = DASH if d.p_alone is None else f"{d.p_alone:.3f}"
        whole = plus_minus(Interval(mean=d.ua, low=d.low, high=d.high))
        notes.append(
            f"B - A in UA: {whole} for new speakers (corrected t over "
            f"{counted(d.groups, unit_of(found.snapshot))}); "
            + (_without_p(found) if found.open else f"p = {p}, {_among(found)}.")
        )
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


def _without_p(found: Comparison) -> str:
    """Why the difference has no p."""
    return (
        f"no p: B is {found.open}, and p waits for every training of the study; none is given "
        "where one of A or B diverged."
    )


def _among(found: Comparison) -> str:
    """How many comparisons the p of this one is among, for it is adjusted for none of them."""
    possible = _comparisons(found)
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
            f"Gained less lost: {plus_minus(found.balance)} percent of utterances (the difference "
            f"in WA; new speakers, corrected t over {unit_of(found.snapshot)}s).",
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
