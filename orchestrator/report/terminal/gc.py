"""The output of `ablate gc`: what no study needs in the store, as JSON and in the terminal."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from orchestrator.printable import clean
from orchestrator.report.console import print_columns, print_pairs
from orchestrator.store.gc import GcScan, UnneededItem

MOST = 20
"""Most unneeded items that are printed one by one; of the others only the number is."""


def record(found: GcScan, *, removed: bool) -> dict[str, Any]:
    """The result of a scan of the store as JSON values; sizes are in bytes.

    Args:
        found: the unneeded items, and sentences on what stays although it may be unneeded.
        removed: whether the items were removed after the scan.
    """
    return {
        "removed": removed,
        "bytes": sum(item.size for item in found.unneeded),
        "unneeded": [
            {"kind": item.kind, "name": item.name, "why": item.why, "bytes": item.size}
            for item in found.unneeded
        ],
        "left": list(found.left_alone),
    }


def show(console: Console, found: GcScan) -> None:
    """Print each unneeded item with its size and the reason, sums by kind, and what stays."""
    if found.unneeded:
        cells = [(clean(_short(w)), amount(w.size), w.why) for w in found.unneeded[:MOST]]
        print_columns(console, ["unneeded", "size", "why"], cells, numeric=[False, True, False])
        if len(found.unneeded) > MOST:
            console.print(f"and {len(found.unneeded) - MOST} more (`--json` names all)")
        console.print()
        print_pairs(console, _sums(found.unneeded))
    for sentence in found.left_alone:
        console.print(Text(clean(f"Left alone: {sentence}"), style="dim"))


def _short(item: UnneededItem) -> str:
    """The name of an item with every digest in it cut to its first twelve digits.

    Commands take twelve digits of an id as well.
    """
    parts = [p[:12] if len(p.partition(".")[0]) in (32, 64) else p for p in item.name.split("/")]
    return "/".join(parts)


def _sums(unneeded: Sequence[UnneededItem]) -> list[tuple[str, str]]:
    kinds = dict.fromkeys(w.kind for w in unneeded)
    sums = []
    for kind in kinds:
        own = [w for w in unneeded if w.kind == kind]
        sums.append((kind, f"{len(own)}, {amount(sum(w.size for w in own))}"))
    return [*sums, ("all", f"{len(unneeded)}, {amount(sum(w.size for w in unneeded))}")]


def amount(size: int) -> str:
    """A number of bytes as text, in steps of 1000: ``312 B``, ``4.1 MB``."""
    value, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
