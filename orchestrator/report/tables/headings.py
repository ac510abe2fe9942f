"""What stands over every form of a study's table."""

from orchestrator.store.snapshot import Snapshot

DASH = "–"


def label(snapshot: Snapshot) -> str:
    """``Table 1``, ``Figure 2``, or the study's own name where it is neither of a paper."""
    if snapshot.table is not None:
        return f"Table {snapshot.table}"
    return f"Figure {snapshot.figure}" if snapshot.figure is not None else snapshot.study


def protocol_line(snapshot: Snapshot) -> str:
    """Corpus, profile and reading: they stand in the title of every form."""
    part = "" if snapshot.corpus_part == "all" else f" ({snapshot.corpus_part} only)"
    design = "" if snapshot.replicates == "fixed" else f", replicates {snapshot.replicates}"
    corpus = f"corpus {snapshot.corpus}{part}"
    return f"{corpus}, profile {snapshot.profile}, reading {snapshot.reading}{design}"


def banner(snapshot: Snapshot) -> str:
    """What no form of a table may leave out; empty where there is nothing."""
    if snapshot.corpus == "demo":
        return "Synthesised demo speech: these numbers say nothing about people."
    return ""
