"""Judges the paper's claim about a study: supported, contradicted, or cannot tell. Pure."""

from collections.abc import Mapping

from orchestrator.analysis.differences import Difference, Verdict, difference_between
from orchestrator.analysis.row_scores import BySpeaker
from orchestrator.analysis.statistics import CONFIDENCE, holm
from orchestrator.store.snapshot import Snapshot


def judge_claim(snapshot: Snapshot, scores: Mapping[str, BySpeaker]) -> tuple[Verdict, str]:
    """Judge the paper's claim that one row has a higher UA than some others.

    Each difference is tested by the corrected t over held-out groups, after Holm over the rows of
    the claim, at 5 %.

    Args:
        snapshot: the study. Its claim is judged only where published figures may be compared.
        scores: row -> test speaker -> seed -> UA, 0 to 1.

    Returns:
        ``supports`` where the row is significantly higher than all others, ``contradicts`` where it
        is significantly lower than one, else ``cannot tell``; and the reason as a sentence. Both
        are empty where there is nothing to judge.
    """
    claim = snapshot.claim
    if claim is None or not snapshot.comparable or claim.on != "ua":
        return "", ""
    against: dict[str, Difference] = {}
    for other in claim.than:
        difference = difference_between(
            snapshot, scores[claim.better], scores[other], comparisons=len(claim.than)
        )
        if difference is None or difference.groups < len(snapshot.folds):
            return "cannot tell", f"trainings of it or of `{other}` are missing"
        if difference.p_alone is None:
            return "cannot tell", "there is no spread over held-out groups"
        against[other] = difference
    adjusted = holm({name: d.p_alone for name, d in against.items() if d.p_alone is not None})
    significant = {name for name, p in adjusted.items() if p < 1 - CONFIDENCE}
    for name in sorted(significant, key=lambda name: against[name].ua):
        if against[name].ua < 0:
            return "contradicts", f"`{name}` is higher by {-100 * against[name].ua:.1f} points"
    if len(significant) == len(claim.than):
        least = min(d.ua for d in against.values())
        return "supports", f"higher by {100 * least:.1f} points or more than each other row"
    name = max(adjusted, key=lambda name: adjusted[name])
    smallest = against[name].detectable
    reach = f"; {100 * smallest:.1f} would have shown" if smallest is not None else ""
    return (
        "cannot tell",
        f"{100 * against[name].ua:+.1f} points to `{name}`, p = {adjusted[name]:.2f}{reach}",
    )
