"""The footnotes and warnings below a study's table, as sentences."""

from collections.abc import Mapping, Sequence

from features.corpora.catalogue import SYNTHESISED
from model.systems.catalogue import SYSTEMS, System
from orchestrator.analysis.row_scores import unit_of, units_asked
from orchestrator.analysis.sequential import interim_seeds
from orchestrator.analysis.summary import RowSummary, Summary
from orchestrator.planning.trial_details import run_command
from orchestrator.report.tables.headings import (
    DASH,
    counted,
    folds_and_deals,
    promise_notes,
    score_interval_words,
    tested_speakers,
)
from orchestrator.store.snapshot import Snapshot
from orchestrator.study.protocol import FEWEST_SEEDS, FEWEST_TEST_SPEAKERS, ScoreRule

SCORE_NOTES: Mapping[ScoreRule, str] = {
    "averaged": "Score: the mean of a network's weights over the second half of its epochs; no dev "
    "speaker has a say.",
    "chosen": "Score: the network at the epoch that the other half of the held-out group chose.",
    "last": "Score: the network at the last epoch.",
}
"""Score of a study -> what it is, as a sentence."""
CHOSEN_ON_DEV = "Score: the network at the epoch that the dev side chose."
"""What ``chosen`` is on a published split."""


def footnotes(summary: Summary, details: bool) -> list[str]:
    """All sentences below a table: what its numbers mean, whose they are, then the warnings.

    Args:
        summary: the study's numbers.
        details: True for the table of details, False for the first table of the study.
    """
    snapshot = summary.snapshot
    units, speakers = _finished_units(summary)
    is_open = any(row.verdict.startswith("open") for row in summary.rows)
    seeds = counted(snapshot.seeds, "seed")
    if snapshot.replicates == "adaptive":
        seeds = f"as many seeds as a comparison needed, at most {snapshot.seeds}"
    notes = [
        f"n: finished trainings of {folds_and_deals(snapshot)} x {seeds}. Means over {speakers} "
        f"{tested_speakers(snapshot)}, in percent; {snapshot.utterances} utterances, "
        f"{len(snapshot.classes)} classes ({', '.join(snapshot.classes)}).",
        *interval_notes(snapshot, units, compared=snapshot.reference is not None),
    ]
    if not details:
        chosen_on_dev = snapshot.is_published_split and snapshot.score == "chosen"
        notes.insert(0, CHOSEN_ON_DEV if chosen_on_dev else SCORE_NOTES[snapshot.score])
    if snapshot.replicates == "adaptive":
        notes.append(
            f"{sequential_note(summary)} Seeds were added to settle whether a row differs for "
            "these speakers, trained again. ± and differs answer the other question, new "
            "speakers, from the seeds that both have."
        )
    if snapshot.reference is not None and not details:
        judged = (
            "; differs: p < 0.05 after Holm over all rows. `cannot tell` is no proof of equality."
        )
        notes.append(
            f"ΔUA: paired with `{snapshot.reference}`{_shared(summary)}"
            + ("." if snapshot.exploratory else judged)
            + (" `open`: not judged, with the row's trainings." if is_open else "")
        )
        notes += promise_notes(summary.promise)
    if details:
        notes += _dev_side(snapshot)
    elif summary.claim and snapshot.claim is not None:
        notes.append(
            f"The claim that `{snapshot.claim.better}` is better: {summary.claim} "
            f"({summary.reason})."
        )
    if snapshot.published:
        notes.append(
            "Published figures were measured by their authors, each under a protocol of their own; "
            "nothing is inferred from them."
        )
    return notes + _system_notes(snapshot) + warnings(summary)


def _shared(summary: Summary) -> str:
    """What is said of the test of differences, if several share their variances."""
    if len(summary.rows) < 3 or summary.snapshot.is_published_split:
        return ""
    return ", moderated t: the rows share their variances (Smyth 2004)"


def _averaged(snapshot: Snapshot) -> str:
    """What is said of the speakers as units, where there are deals."""
    return " over all deals" if snapshot.deals > 1 else ""


def interval_notes(snapshot: Snapshot, units: str = "", *, compared: bool) -> list[str]:
    """What the intervals of scores and of differences answer.

    Args:
        snapshot: the study.
        units: the independent units that are finished, such as ``5 held-out groups``.
        compared: whether the table has differences.
    """
    if not snapshot.is_published_split:
        return [
            f"±: 95 % for new speakers, corrected t over {units}{_averaged(snapshot)} "
            "(Nadeau and Bengio 2003); of a score it ends at 0 and 100."
        ]
    notes = [
        f"± of a score: {score_interval_words(snapshot)}; it ends at 0 and 100, and does not "
        "answer for other trainings."
    ]
    if compared:
        notes.append(
            "± of a difference: 95 % for new speakers and new trainings, test speakers crossed "
            f"with seeds (Banerjee 1960); from {FEWEST_TEST_SPEAKERS} test speakers and "
            f"{FEWEST_SEEDS} seeds on. What it cannot see: that this one training side suits a "
            "row by luck."
        )
    return notes


def _dev_side(snapshot: Snapshot) -> list[str]:
    """What the column ``dev`` of the details is; empty where the folds are dealt."""
    if not snapshot.is_published_split:
        return []
    its = "dev: the dev side, apart from the result"
    if snapshot.score == "chosen":
        return [f"{its}, at the epoch that the *test* side chose: never quote it."]
    return [f"{its}, by the same networks."]


def _finished_units(summary: Summary) -> tuple[str, str]:
    """How many independent units are finished, such as ``5 held-out groups``, and speakers: ``10``.

    While some are missing it is such as ``2 to 3 of 5``.
    """
    snapshot = summary.snapshot
    scored = [row for row in summary.rows if not row.unscored]
    units = _of([row.groups for row in scored], units_asked(snapshot))
    speakers = _of([row.speakers for row in scored], len(snapshot.test_speakers))
    return counted(units, unit_of(snapshot)), speakers


def _of(found: Sequence[int], asked: int) -> str:
    """The least and the greatest of some counts, beside what they will be in the end.

    >>> _of([10, 10], 10), _of([4, 6], 10), _of([4, 4], 10)
    ('10', '4 to 6 of 10', '4 of 10')
    """
    least, most = min(found, default=asked), max(found, default=asked)
    if least == asked:
        return str(asked)
    return f"{least} of {asked}" if least == most else f"{least} to {most} of {asked}"


def _system_notes(snapshot: Snapshot) -> list[str]:
    """Notes on the systems of a study other than WMA-GIN (compared systems).

    They say who fixed the sizes of their layers, and who measured their published scores.
    """
    used = dict.fromkeys(row.model for row in snapshot.rows)
    systems = [SYSTEMS[name] for name in used if name in SYSTEMS]
    notes = size_notes(systems)
    measured: dict[str, list[str]] = {}
    for system in systems:
        if system.figures:
            measured.setdefault(system.figures, []).append(system.title)
    if measured:
        sources = "; ".join(f"{', '.join(titles)} {how}" for how, titles in measured.items())
        notes.append(f"Published figures: {sources}.")
    return notes


def size_notes(systems: Sequence[System]) -> list[str]:
    """A note on the systems whose papers do not give all layer sizes, so that we chose them.

    Returns:
        A list of one sentence; empty if there is no such system.
    """
    near = [s.title for s in systems if s.sizes_open and s.parameters is not None]
    free = [s.title for s in systems if s.sizes_open and s.parameters is None]
    if not near and not free:
        return []
    parts = [f"{', '.join(near)} near the published count"] if near else []
    parts += [f"{', '.join(free)} freely"] if free else []
    return ["Sizes that a paper leaves open are ours: " + "; ".join(parts) + "."]


def warnings(summary: Summary) -> list[str]:
    """The sentences that stand in every form of a table, JSON and CSV too.

    They say what is special about the corpus, the profiles and readings of rows, intervals that
    mislead, and missing or suspicious trainings.
    """
    snapshot = summary.snapshot
    own = (*snapshot.notes, *_chosen_here(snapshot), *mixtures(snapshot))
    return [*own, *_spreads(summary), *shortcomings(summary)]


def _chosen_here(snapshot: Snapshot) -> list[str]:
    """A note that this study's settings were chosen on its own test speakers (see systems.md)."""
    if snapshot.corpus in SYNTHESISED and snapshot.profile == "quick":
        return ["The settings of profile quick were chosen on this very speech."]
    return []


def mixtures(snapshot: Snapshot) -> list[str]:
    """Notes that name the profile and the reading of each row, if the rows differ in them.

    A profile (`paper` or `quick`) is how much training a trial gets; a reading is a named choice
    where the paper leaves something open. The title then says ``mixed``.
    """
    notes = []
    if snapshot.profile == "mixed":
        profiles = (r.profile or r.settings.get("profile", DASH) for r in snapshot.rows)
        named = (f"{r.name}: {p}" for r, p in zip(snapshot.rows, profiles, strict=True))
        notes.append(f"Profiles: {'; '.join(named)}.")
    if snapshot.reading == "mixed":
        notes.append(
            "Readings: " + "; ".join(f"{r.name}: {r.reading}" for r in snapshot.rows) + "."
        )
    return notes


def shortcomings(summary: Summary) -> list[str]:
    """Warnings about the trainings behind the numbers, one sentence for each kind that occurs.

    Missing; trained by earlier code; without a class in a test speaker's speech; from machines of
    different determinism classes; finished twice with different numbers; equal for all seeds.
    """
    notes, study = [], summary.snapshot.study
    state = summary.completeness
    missing = state.all_rows.missing
    if missing:
        notes.append(
            f"Missing: {missing} trainings of `{study}` are not finished; "
            f"`{run_command(study)}` trains them. Until then every mean "
            "and interval is of what is there, and nothing is judged: no verdict, and no p."
        )
    notes += [*_unscored(summary), *_diverged(summary), *_judged_before(summary)]
    stale = sum(row.stale for row in summary.rows)
    if stale:
        rows = ", ".join(row.name for row in summary.rows if row.stale)
        notes.append(
            f"Stale: {stale} trainings of an earlier version of the code, whose numbers meant "
            f"something else, are not counted ({rows}); "
            f"`{run_command(study)}` trains them again."
        )
    if summary.absent:
        notes.append(
            "Classes without an utterance of a test speaker in this study, left out of that "
            "speaker's UA: " + ", ".join(summary.absent) + "."
        )
    if summary.classes_of_determinism > 1:
        notes.append(
            "WARNING: these outcomes come from different devices, processors or library versions; "
            "equal trials need not have equal bits."
        )
    if summary.alarms:
        notes.append(
            "WARNING: trials were finished twice with different numbers; the first counts. When "
            "you know why, move the other record away: " + ", ".join(summary.alarms)
        )
    if summary.identical_seeds:
        notes.append(
            "WARNING: different seeds gave identical predictions in: "
            + ", ".join(summary.identical_seeds)
            + ". That is a fault of the set-up."
        )
    return notes


def _unscored(summary: Summary) -> list[str]:
    """A note on the rows of which a training does not have the study's score."""
    rows = [f"{row.name}: {row.unscored} of {row.n}" for row in summary.rows if row.unscored]
    if not rows:
        return []
    return [
        "No score: trainings that stopped before their last epoch have no averaged weights "
        f"({'; '.join(rows)}), and a mean of the others would be another figure. "
        "`--details` has the other scores."
    ]


def _diverged(summary: Summary) -> list[str]:
    """A note on the trainings that were given up, and which comparisons stay open for them."""
    rows = [row for row in summary.rows if row.given_up]
    if not rows:
        return []
    named = ", ".join(f"{row.name}: {row.given_up}" for row in rows)
    note = f"Diverged: trainings whose loss was not a number are given up ({named}). "
    if summary.snapshot.reference in {row.name for row in rows}:
        return [f"{note}Every comparison needs them, so all stay open."]
    return [f"{note}Such a row stays open; the others are judged without it."]


def _judged_before(summary: Summary) -> list[str]:
    """A note that the study had verdicts before, with fewer seeds or deals."""
    snapshot = summary.snapshot
    if not snapshot.judged_before:
        return []
    *others, last = map(str, snapshot.judged_before)
    before = f"{', '.join(others)} and {last}" if others else last
    some, instead = counted(before, "seed"), ""
    if snapshot.deals > 1:
        some = f"{counted(before, 'training')} of each row and speaker"
    else:
        instead = " `replicates: adaptive` adds seeds and pays for each look."
    return [
        f"Asked again: this study was judged before, with {some}, and got more since. The 5 % hold "
        f"for one judgement; over several, a false difference is more likely.{instead}"
    ]


def _spreads(summary: Summary) -> list[str]:
    """Warnings about intervals: two folds only, a spread of 0, rows that lack units."""
    snapshot, notes = summary.snapshot, []
    if units_asked(snapshot) == 2:
        notes.append(
            "Two held-out groups leave one degree of freedom: an interval is 12.7 standard errors "
            "to each side, and next to nothing can be shown. More folds make it narrower."
        )
    flat = [
        row.name
        for row in summary.rows
        for spread, groups in (
            (row.ua, row.groups),
            (row.difference, row.difference.groups if row.difference else 0),
        )
        if spread is not None and spread.low is None and groups > 1
    ]
    if snapshot.is_published_split:
        flat = [row.name for row in summary.rows if _has_no_spread(row)]
    if flat:
        notes.append(
            "A spread of exactly 0 is chance or a fault of the set-up, no certainty, and bears "
            "no interval: " + ", ".join(dict.fromkeys(flat)) + "."
        )
    fewer = [
        f"{row.name} on {row.difference.groups}"
        for row in summary.rows
        if row.difference is not None and row.difference.groups < units_asked(snapshot)
    ]
    if fewer:
        notes.append(
            f"Compared on the {unit_of(snapshot)}s that both have, of {units_asked(snapshot)}: "
            + ", ".join(fewer)
            + ". Its ΔUA is not the difference of the means printed."
        )
    return notes


def _has_no_spread(row: RowSummary) -> bool:
    """Whether a finished difference on a published split has no interval for lack of spread."""
    return row.difference is not None and row.difference.low is None and not row.is_open


def design(summary: Summary) -> list[str]:
    """The notes on how verdicts are made, for JSON and CSV, which have no footnotes.

    Returns:
        A sentence on the seeds of an adaptive study, and one on what its verdicts keep.
    """
    adaptive = [sequential_note(summary)] if summary.snapshot.replicates == "adaptive" else []
    return [*adaptive, *promise_notes(summary.promise)]


def sequential_note(summary: Summary) -> str:
    """A sentence on an adaptive study: how many interim analyses it had, and seeds for each row."""
    snapshot = summary.snapshot
    interims = [row.interim for row in summary.rows if row.interim is not None]
    made = max((s.interims for s in interims), default=0)
    few, most = (f((s.seeds for s in interims), default=0) for f in (min, max))
    a_row = f"{most} seeds a row" if few == most else f"{few} to {most} seeds a row"
    when = ", ".join(map(str, interim_seeds(snapshot.seeds)))
    return (
        f"Sequential design: {made} look{'s' * (made != 1)} (of those after {when} seeds), "
        f"{a_row}; intervals of new seeds are corrected for looking."
    )
