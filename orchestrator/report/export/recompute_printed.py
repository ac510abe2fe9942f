"""The texts that a computed number may be printed as in `table.md`: rounded, in percent or points.

`recompute.py` compares them with the cells, and its docstring explains the files and the words. A
number halfway between two roundings may be printed as either, so all functions give sets of texts.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

from recompute_rows import Bundle
from recompute_statistics import Number

TOLERANCE = 1e-9
"""A printed and a computed number agree if they differ by no more than this."""


def rounded(value: Number, digits: int = 1, sign: str = "", scale: float = 100) -> set[str]:
    """The texts that a number may be printed as; two if it lies halfway between two roundings.

    ``digits`` stand after the point; ``sign`` is ``+`` if a positive number has its sign; the
    number is multiplied by ``scale``, so that a fraction is printed in percent. None is a dash.
    """
    if value is None:
        return {"–"}
    return {f"{scale * (value + nudge):{sign}.{digits}f}" for nudge in (-TOLERANCE, 0, TOLERANCE)}


def joined(first: set[str], between: str, second: set[str]) -> set[str]:
    """The texts of a cell with two parts: each text of the first with each of the second."""
    return {f"{one}{between}{other}" for one, other in product(first, second)}


def plus_minus(middle: Number, low: Number, high: Number, sign: str = "") -> set[str]:
    """The texts of a mean and half of its interval, from fractions: ``54.2 ± 9.1`` (percent).

    If the interval was cut at 0 or 1, half of it is that to the other end.
    """
    if middle is None:
        return {"–"}
    half = None if low is None or high is None else max(middle - low, high - middle)
    return joined(rounded(middle, sign=sign), " ± ", rounded(half))


def probability(p: Number) -> set[str]:
    """The texts of a p value: three digits after the point, ``<0.001`` for a smaller one."""
    return {"<0.001"} if p is not None and p < 0.001 else rounded(p, 3, scale=1)


def tested(column: str, difference: Mapping[str, Any]) -> set[str]:
    """The texts of a cell of the tests behind a difference; empty for another column."""
    cells = {
        "p": probability(difference["p"]),
        "p Holm": probability(difference["p_holm"]),
        "p sign-flip": probability(difference["p_sign_flip"]),
        "g_z": rounded(difference["effect"], 2, "+", scale=1),
        "would show": rounded(difference["detectable"]),
    }
    return cells.get(column, set())


def as_printed(column: str, row: Mapping[str, Any], name: str, bundle: Bundle) -> set[str]:
    """The texts that a cell may have, by its column's head and the computed numbers of its row.

    Empty if the cell is not computed from predictions.
    """
    difference, seeds, sequential = row["difference"], row["new_seeds"], row["sequential"]
    known = sequential["seeds"] is not None
    reference = name == bundle.reference
    column = column.removesuffix(", these networks")
    pairs = {"segment WA/UA": "segment", "averaged": "averaged", "chosen": "chosen"}
    pairs |= {"last epoch": "last_epoch", "best on test": "best_on_test", "dev WA/UA": "dev"}
    if column in pairs:
        pair = row.get(pairs[column]) or {"wa": None, "ua": None}
        wa, ua = (pair[metric] for metric in ("wa", "ua"))
        return {"–"} if ua is None else joined(rounded(wa), "/", rounded(ua))
    n, wanted = row["n"], bundle.counts[name]["asked"]
    ends = ("mean", "low", "high")
    cells = {
        "n": {f"{n}/{wanted}" if n < wanted else str(n)},
        "UA ± 95 %": plus_minus(*(row["ua"][key] for key in ends)),
        "WA ± 95 %": plus_minus(*(row["wa"][key] for key in ends)),
        "WA": rounded(row["wa"]["mean"]),
        "ΔUA ± 95 %": {"reference"}
        if reference
        else plus_minus(difference["ua"], difference["low"], difference["high"], "+"),
        "differs": {row["verdict"] or ""},
        "new seeds ΔUA ± 95 %": plus_minus(seeds["ua"], seeds["low"], seeds["high"], "+"),
        "new deals ΔUA ± 95 %": plus_minus(seeds["ua"], seeds["low"], seeds["high"], "+"),
        "seeds": {str(sequential["seeds"]) if known else "–"},
        "looks": {str(sequential["looks"]) if known else "–"},
        "new seeds p Holm": probability(sequential["p_holm"]),
        "new seeds differs": {sequential["verdict"] or ""},
    }
    return cells.get(column) or tested(column, difference)


def effect_as_printed(column: str, computed: Mapping[str, Any], *, is_first: bool) -> set[str]:
    """The texts of a cell of a grid's tables; empty if nothing is computed for it."""
    column = column.removesuffix(", these networks")
    difference, seeds = computed["difference"], computed.get("new_seeds")
    if is_first:
        ua = computed["ua_against"]
        return plus_minus(ua["mean"], ua["low"], ua["high"]) if column == "UA ± 95 %" else set()
    delta = plus_minus(difference["ua"], difference["low"], difference["high"], "+")
    if column == "UA ± 95 %":
        return plus_minus(*(computed["ua"][key] for key in ("mean", "low", "high")))
    if column == "depends on":
        return {", ".join(key.replace("_", " ") for key in computed["depends_on"])}
    cells = {"ΔUA ± 95 %": delta, "ΔΔUA ± 95 %": delta, "differs": {computed["verdict"] or ""}}
    if seeds is not None:
        new = plus_minus(seeds["ua"], seeds["low"], seeds["high"], "+")
        cells |= {"new seeds ΔUA ± 95 %": new, "new deals ΔUA ± 95 %": new}
    return cells.get(column) or tested(column, difference)
