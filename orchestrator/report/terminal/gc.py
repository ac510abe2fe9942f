"""The files of a store that nothing needs, as JSON values and in the terminal."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from orchestrator.printable import clean
from orchestrator.report.console import print_columns, print_pairs
from orchestrator.store.gc import Scan, Waste

MOST = 20
"""Most things that are named one by one."""


def record(found: Scan, *, removed: bool) -> dict[str, Any]:
    """The result of a scan as JSON values."""
    return {
        "removed": removed,
        "bytes": sum(waste.size for waste in found.waste),
        "unneeded": [
            {"kind": waste.kind, "name": waste.name, "why": waste.why, "bytes": waste.size}
            for waste in found.waste
        ],
        "left": list(found.left),
    }


def show(console: Console, found: Scan) -> None:
    """Print each unneeded thing with its size and the reason, the sums, and what stays."""
    if found.waste:
        cells = [(clean(_short(w)), amount(w.size), w.why) for w in found.waste[:MOST]]
        print_columns(console, ["unneeded", "size", "why"], cells, numeric=[False, True, False])
        if len(found.waste) > MOST:
            console.print(f"and {len(found.waste) - MOST} more (`--json` names all)")
        console.print()
        print_pairs(console, _sums(found.waste))
    for sentence in found.left:
        console.print(Text(clean(f"Left alone: {sentence}"), style="dim"))


def _short(waste: Waste) -> str:
    """A name with its digests cut to twelve digits, which are enough on a command line."""
    parts = [p[:12] if len(p.partition(".")[0]) in (32, 64) else p for p in waste.name.split("/")]
    return "/".join(parts)


def _sums(waste: Sequence[Waste]) -> list[tuple[str, str]]:
    kinds = dict.fromkeys(w.kind for w in waste)
    sums = []
    for kind in kinds:
        own = [w for w in waste if w.kind == kind]
        sums.append((kind, f"{len(own)}, {amount(sum(w.size for w in own))}"))
    return [*sums, ("all", f"{len(waste)}, {amount(sum(w.size for w in waste))}")]


def amount(size: int) -> str:
    """A size in bytes as text: ``312 B``, ``4.1 MB``."""
    value, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
