"""The tables below a study's first one: seeds, tests, pooled scores and numbers of parameters."""

from collections.abc import Mapping, Sequence

from model.config import WMA_GIN
from model.systems.catalogue import SYSTEMS
from orchestrator.analysis.differences import Difference
from orchestrator.analysis.summary import Summary
from orchestrator.report.tables.cells import (
    difference_plus_minus,
    first_letters,
    p_value,
    percent,
    short_count,
    wa_and_ua,
)
from orchestrator.report.tables.footnotes import sequential_note
from orchestrator.report.tables.headings import DASH, banner, label, protocol_line
from orchestrator.report.tables.table import Column, Table
from orchestrator.store.snapshot import Snapshot, SnapshotRow


def sequential(summary: Summary) -> Table:
    """The table of an adaptive study's interim analyses, one line for each row.

    It has the seeds that the row got, its difference in UA to the reference for these speakers and
    new seeds in percentage points, and whether the comparison is settled.
    """
    snapshot = summary.snapshot
    heads = ["row", "seeds", "looks", "new seeds ΔUA ± 95 %", "new seeds p Holm"]
    heads += ["new seeds differs", "settled"]
    cells: list[tuple[str, ...]] = []
    for row in summary.rows:
        interim, over_seeds = row.interim, row.difference.over_seeds if row.difference else None
        if interim is not None:
            cells.append(
                (
                    row.name,
                    str(interim.seeds),
                    str(interim.interims),
                    difference_plus_minus(over_seeds),
                    p_value(interim.p_holm),
                    interim.verdict if interim.seeds else "",
                    interim.stop_reason or "open",
                )
            )
        elif row.name == snapshot.reference:
            seeds = max((r.interim.seeds for r in summary.rows if r.interim), default=0)
            cells.append((row.name, str(seeds), "", "reference", "", "", ""))
        else:
            cells.append((row.name, *[DASH] * 4, "", DASH))
    cap = snapshot.seeds
    return Table(
        label=label(snapshot),
        title=f"These speakers, new seeds: what is settled of UA beside `{snapshot.reference}`",
        subtitle=protocol_line(snapshot),
        banner=banner(snapshot),
        columns=tuple(
            Column(head=head, numeric=head not in ("row", "new seeds differs", "settled"))
            for head in heads
        ),
        cells=tuple(cells),
        footnotes=(
            f"{sequential_note(summary)} Seeds are those of the row's last look.",
            "It settles whether a row would differ for these speakers, trained again, and says "
            "nothing of new speakers. ± and p: paired t over seeds, corrected for looking (of "
            "0.05, (n / cap)^3 is spent by n seeds); p after Holm over all rows; differs: p < "
            "0.05.",
            f"settled: it differs; unlikely, less than a chance in ten that {cap} seeds would show "
            "it, which is no proof of equality; at the cap; or a training that it needs has "
            "diverged. Open: `ablate run` goes on.",
        ),
    )


def all_scores(summary: Summary) -> Table:
    """The table of all scores that the trainings give: WA and UA of utterances, in percent."""
    snapshot = summary.snapshot
    heads = ["row", "averaged", "chosen", "last epoch", "best on test"]
    return Table(
        label=label(snapshot),
        title="The same trainings by every score, WA/UA",
        subtitle=protocol_line(snapshot),
        banner=banner(snapshot),
        columns=tuple(Column(head=head, numeric=head != "row") for head in heads),
        cells=tuple(
            (
                row.name,
                *map(wa_and_ua, (row.averaged, row.chosen, row.last_epoch, row.best_on_test)),
            )
            for row in summary.rows
        ),
        footnotes=(
            "Nothing is judged by these."
            if snapshot.exploratory
            else f"Nothing is judged by another score than `{snapshot.score}`.",
            "A dash: a training has no such score, such as no averaged weights where it stopped "
            "early.",
            "chosen: the epoch that the other half of the held-out group chose. best on test "
            "looks at the test speakers and is optimistic: never quote it.",
        ),
    )


def differences(summary: Summary) -> Table | None:
    """The table of tests behind each row's difference to the reference, in percentage points.

    It has p values, effect size and detectable difference for new speakers, and the difference for
    new seeds.

    Returns:
        None for a study without a reference, or with a single row.
    """
    snapshot = summary.snapshot
    if snapshot.reference is None or len(summary.rows) < 2:
        return None
    others = [row for row in summary.rows if row.name != snapshot.reference]
    return evidence(
        snapshot,
        f"What the differences in UA to `{snapshot.reference}` rest on",
        "row",
        [(row.name, row.difference) for row in others],
    )


def evidence(
    snapshot: Snapshot,
    title: str,
    what: str,
    family: Sequence[tuple[str, Difference | None]],
    headings: Mapping[int, str] | None = None,
) -> Table:
    """A table of the tests behind the differences of one family of comparisons.

    Args:
        snapshot: the study.
        title: the title of the table.
        what: the head of the first column, what a difference is of.
        family: the text of the first cell, and the difference, of all comparisons.
        headings: index of a line -> a heading above it.
    """
    dealt = snapshot.deals > 1
    heads = [what, "p", "p Holm", "p sign-flip", "g_z", "would show"]
    heads += ["new deals ΔUA ± 95 %" if dealt else "new seeds ΔUA ± 95 %"]
    cells = []
    for name, d in family:
        if d is None:
            cells.append((name, *[DASH] * 6))
            continue
        numbers = [p_value(d.p_alone), p_value(d.p), p_value(d.p_sign_flip)]
        numbers += [DASH if d.effect is None else f"{d.effect:+.2f}", percent(d.detectable)]
        cells.append((name, *numbers, difference_plus_minus(d.over_seeds)))
    comparisons = len(family)
    test = "corrected t" if comparisons == 1 else "moderated t, with shared variances"
    power = (
        "would show: the smallest true difference, in points, shown with 80 % power at 0.05 / "
        f"{comparisons}."
    )
    if snapshot.is_published_split:
        tests = (
            "For new speakers and trainings: p of test speakers crossed with seeds, alone and "
            f"after Holm over {comparisons}; no sign-flip test sees both; g_z: Cohen's d_z over "
            f"test speakers, Hedges-corrected; {power}"
        )
    else:
        tests = (
            f"For new speakers: p of the {test}, alone and after Holm over {comparisons}; p "
            f"of the exact sign-flip test, {_of_sign_flip(snapshot)}; g_z: Cohen's d_z over "
            f"{'speakers' if dealt else 'groups'}, Hedges-corrected; {power}"
        )
    return Table(
        label=label(snapshot),
        title=title,
        subtitle=protocol_line(snapshot),
        banner=banner(snapshot),
        columns=tuple(Column(head=head, numeric=head != what) for head in heads),
        cells=tuple(cells),
        headings=headings or {},
        footnotes=(
            tests,
            _of_new_trainings(snapshot),
        ),
    )


def _of_sign_flip(snapshot: Snapshot) -> str:
    """What the sign-flip test cannot do in a study, as a relative clause."""
    if snapshot.deals > 1:
        return "a dash here, since speakers who share trainings do not flip alone"
    groups = len(snapshot.folds)
    return (
        f"which {groups} groups cannot bring below {2.0 ** (1 - groups):.2g} and which gives no "
        "verdict"
    )


def _of_new_trainings(snapshot: Snapshot) -> str:
    """What the difference for these speakers, trained again, rests on."""
    if snapshot.deals > 1:
        return (
            "new deals: another question, these speakers dealt and trained again; paired t over "
            "deals, each the mean of its seeds, which share its groups; a dash below three."
        )
    looks = ", corrected for looking" if snapshot.replicates == "adaptive" else ""
    return (
        "new seeds: another question, these speakers trained again; paired t over seeds, a dash "
        f"below three{looks}."
    )


def pooled(summary: Summary) -> Table | None:
    """The table of scores over all held-out utterances at once, in percent.

    Each row has WA, UA and its confusion matrix: percent of each spoken class (lines) that was
    taken for each class (columns).

    Returns:
        None while no training is finished.
    """
    snapshot = summary.snapshot
    known = [(row.name, row.pooled) for row in summary.rows if row.pooled is not None]
    if not known:
        return None
    cells = []
    for name, found in known:
        scores = (name, percent(found.wa), percent(found.ua))
        for index, counts in enumerate(found.confusion):
            first = scores if index == 0 else ("", "", "")
            spoken = sum(counts)
            shares = (DASH if not spoken else f"{100 * n / spoken:.0f}" for n in counts)
            cells.append((*first, snapshot.classes[index], *shares))
    heads = ["row", "WA", "UA", "spoken", *(first_letters(snapshot.classes))]
    return Table(
        label=label(snapshot),
        title="All held-out utterances pooled",
        subtitle=protocol_line(snapshot),
        banner=banner(snapshot),
        columns=tuple(Column(head=head, numeric=head not in ("row", "spoken")) for head in heads),
        cells=tuple(cells),
        footnotes=(
            "Another figure than the means over speakers: all utterances of all "
            f"{'seeds' if snapshot.deals == 1 else 'deals and seeds'} in one "
            "matrix, so that a speaker who speaks more counts more; no interval. Right: percent of "
            "a spoken class taken for each.",
        ),
    )


def parameters(summary: Summary) -> Table | None:
    """The table of trained parameters of each row beside the published number.

    Returns:
        None if no row has either number.
    """
    rows = [row for row in summary.rows if row.parameters or "params" in row.paper]
    if not rows:
        return None
    asked = {row.name: row for row in summary.snapshot.rows}
    cells = [
        (
            row.name,
            f"{row.parameters:,}" if row.parameters else DASH,
            short_count(row.paper["params"]) if "params" in row.paper else DASH,
            _size_source(asked[row.name]),
        )
        for row in rows
    ]
    return Table(
        label=label(summary.snapshot),
        title="Parameters",
        subtitle=protocol_line(summary.snapshot),
        banner="",
        columns=(
            Column(head="row", numeric=False),
            Column(head="parameters"),
            Column(head="paper"),
            Column(head="sizes", numeric=False),
        ),
        cells=tuple(cells),
        footnotes=(),
    )


def _size_source(row: SnapshotRow) -> str:
    """Where the layer sizes of a row's system come from, as the text of a cell.

    ``published``; ``ours, near the count`` or ``ours, free`` if the system's paper leaves them
    open; for WMA-GIN the reading of its paper, such as ``reading as-written``.
    """
    system = SYSTEMS.get(row.model)
    if system is None or row.model == WMA_GIN:
        return f"reading {row.reading}"
    if not system.sizes_open:
        return "published"
    return "ours, free" if system.parameters is None else "ours, near the count"
