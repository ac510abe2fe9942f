"""What stands over every form of a study's table."""

from orchestrator.store.snapshot import Asked

DASH = "–"


def label(asked: Asked) -> str:
    """``Table 1``, ``Figure 2``, or the study's own name where it is neither of a paper."""
    if asked.table is not None:
        return f"Table {asked.table}"
    return f"Figure {asked.figure}" if asked.figure is not None else asked.study


def protocol_line(asked: Asked) -> str:
    """Corpus, profile and reading: they stand in the title of every form."""
    part = "" if asked.corpus_part == "all" else f" ({asked.corpus_part} only)"
    design = "" if asked.replicates == "fixed" else f", replicates {asked.replicates}"
    return f"corpus {asked.corpus}{part}, profile {asked.profile}, reading {asked.reading}{design}"


def banner(asked: Asked) -> str:
    """What no form of a table may leave out; empty where there is nothing."""
    if asked.corpus == "demo":
        return "Synthesised demo speech: these numbers say nothing about people."
    return ""
