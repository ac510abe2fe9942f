"""The heading of a study's table: label, protocol and banner, the same in every form."""

from orchestrator.store.snapshot import Snapshot

DASH = "–"


def label(snapshot: Snapshot) -> str:
    """``Table 1`` or ``Figure 2`` of the paper; else the name of the study."""
    if snapshot.table is not None:
        return f"Table {snapshot.table}"
    return f"Figure {snapshot.figure}" if snapshot.figure is not None else snapshot.study


def protocol_line(snapshot: Snapshot) -> str:
    """Corpus, profile and reading in one line, which every form carries."""
    part = "" if snapshot.corpus_part == "all" else f" ({snapshot.corpus_part} only)"
    design = "" if snapshot.replicates == "fixed" else f", replicates {snapshot.replicates}"
    corpus = f"corpus {snapshot.corpus}{part}"
    return f"{corpus}, profile {snapshot.profile}, reading {snapshot.reading}{design}"


def banner(snapshot: Snapshot) -> str:
    """The warning over every form of a table of synthesised speech; else empty."""
    if snapshot.corpus == "demo":
        return "Synthesised demo speech: these numbers say nothing about people."
    return ""
