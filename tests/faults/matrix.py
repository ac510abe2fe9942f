"""The fault matrix as it was measured: one line a fault, printed at the end of the tests."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

HEAD = f"{'fault':<44}{'struck':>7}{'lost':>5}{'again':>6}{'differ':>7}{'epochs':>7}"
FOOT = """\
struck: faults that happened; lost: outcomes gone; again: finished trials started
again; differ: trials with other bits than undisturbed; epochs: trained twice."""


@dataclass
class _Row:
    struck: int = 0
    lost: int = 0
    retrained: int = 0
    differing: int = 0
    epochs: int = 0
    overlaps: int = 0
    said: str = ""

    def line(self, name: str) -> str:
        return (
            f"{name[:43]:<44}{self.struck:>7}{self.lost:>5}{self.retrained:>6}"
            f"{self.differing:>7}{self.epochs:>7}"
        )


class Matrix:
    """Rows by name; what is told of one row several times is added up."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}

    def tell(
        self,
        name: str,
        *,
        struck: int,
        lost: int = 0,
        retrained: int = 0,
        differing: int = 0,
        epochs: int = 0,
        overlaps: int = 0,
        said: str = "",
    ) -> None:
        """Add to a row. A fault that never struck proves nothing.

        Args:
            name: the fault, with its number in the matrix: ``1 killed in an epoch``.
            struck: how many times it happened.
            lost: outcomes that were there and are gone.
            retrained: finished trials that were started again.
            differing: trials whose scored part is not the undisturbed one.
            epochs: epochs trained twice.
            overlaps: two executions of one trial alive at once.
            said: what a person saw; empty where there is nothing to see.
        """
        assert struck > 0, f"the fault never struck: {name}"
        for row in (self._rows.setdefault(name, _Row()), self._rows.setdefault("all", _Row())):
            row.struck += struck
            row.lost += lost
            row.retrained += retrained
            row.differing += differing
            row.epochs += epochs
            row.overlaps += overlaps
        self._rows[name].said = said.strip()

    def lines(self) -> Iterator[str]:
        """80 columns; under each row what a person saw."""
        if not self._rows:
            return
        yield HEAD
        for name in sorted(self._rows, key=lambda name: (_number(name), name)):
            row = self._rows[name]
            yield row.line(name)
            if row.overlaps:
                yield f"     two at once, in the lease window: {row.overlaps}"
            yield from textwrap.wrap(
                row.said, 80, initial_indent="     ", subsequent_indent="     "
            )
        yield FOOT


def _number(name: str) -> int:
    first = name.split()[0].rstrip("abcdef")
    return int(first) if first.isdigit() else 99
