"""Judges the paper's claim about a study: supported, contradicted, cannot tell, or open. Pure."""

from collections.abc import Mapping

from orchestrator.analysis.differences import Verdict, compare_pairs
from orchestrator.analysis.progress.completeness import Completeness
from orchestrator.analysis.row_scores import BySpeaker
from orchestrator.analysis.statistics import CONFIDENCE
from orchestrator.store.snapshot import Snapshot


def judge_claim(
    snapshot: Snapshot, scores: Mapping[str, BySpeaker], state: Completeness
) -> tuple[Verdict, str]:
    """Judge the paper's claim that one row has a higher UA than some others.

    Each difference is tested by the corrected t over held-out groups, after Holm over all rows of
    the claim, at 5 %. A row with a training given up is not judged, and counts as p = 1.

    Args:
        snapshot: the study. Its claim is judged only where published figures may be compared.
        scores: row -> test speaker -> seed -> UA, 0 to 1.
        state: which trainings of the study have ended.

    Returns:
        ``open`` while trainings of the study are missing. Then ``supports`` where the row is
        significantly higher than all others, ``contradicts`` where it is significantly lower than
        one, ``open`` where one of them cannot be judged, else ``cannot tell``; and the reason as a
        sentence. Both are empty where there is nothing to judge.
    """
    claim = snapshot.claim
    if claim is None or not snapshot.comparable or claim.on != "ua" or snapshot.exploratory:
        return "", ""
    if state.all_rows.missing:
        return "open", f"{state.all_rows.finished} of {state.all_rows.asked} trainings are finished"
    if own := state.open_verdict(claim.better):
        return "open", f"`{claim.better}` is {own}"
    pairs = {other: (scores[claim.better], scores[other]) for other in claim.than}
    unjudged = {other for other in claim.than if state.open_verdict(other)}
    found = compare_pairs(snapshot, pairs, unjudged)
    against = {name: found[name] for name in claim.than if name in found and name not in unjudged}
    adjusted = {name: d.p for name, d in against.items() if d.p is not None}
    if len(adjusted) < len(against):
        return "cannot tell", "there is no spread over held-out groups"
    significant = {name for name, p in adjusted.items() if p < 1 - CONFIDENCE}
    for name in sorted(significant, key=lambda name: against[name].ua):
        if against[name].ua < 0:
            return "contradicts", f"`{name}` is higher by {-100 * against[name].ua:.1f} points"
    if len(significant) == len(claim.than):
        least = min(d.ua for d in against.values())
        return "supports", f"higher by {100 * least:.1f} points or more than each other row"
    for name in claim.than:
        if name not in against:
            return "open", f"`{name}` is {state.open_verdict(name)}"
    name = max(adjusted, key=lambda name: adjusted[name])
    smallest = against[name].detectable
    reach = f"; {100 * smallest:.1f} would have shown" if smallest is not None else ""
    return (
        "cannot tell",
        f"{100 * against[name].ua:+.1f} points to `{name}`, p = {adjusted[name]:.2f}{reach}",
    )
