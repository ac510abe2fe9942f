"""The price of a plan (hours, wall time, money, memory) as lines for the terminal and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.planning.cost.price import Price
from orchestrator.planning.cost.resources import MIB
from orchestrator.report.console import duration

HOUR_S = 3600.0
"""Seconds of an hour."""


def pairs(price: Price, rate: float | None, probe: str) -> list[tuple[str, str]]:
    """The price as pairs of name and value, such as (``wall time``, ``3 h 20 min``).

    Args:
        price: the price of the trials that are still to be trained.
        rate: what this machine costs an hour, in any currency; None if not given.
        probe: the shell command that measures how long an epoch takes, for rows whose trials have
            an unknown length.
    """
    kind = "CPU" if price.machine.device == "cpu" else "GPU"
    if price.trial_s is None or price.wall_s is None:
        some = f"{len(price.unknown)} of {len(price.rows)} rows"
        of = f"of {some}" if _some(price) else "of the rows still to train"
        lines = [("price", f"not known: no trial {of} has finished or was probed. `{probe}`")]
        return [*lines, ("at once", _lanes(price))]
    bound = "at most " if price.is_bound else ""
    lines = [
        (f"{kind} time", f"{bound}{duration(price.trial_s)}, {_source(price)}"),
        ("wall time", f"{bound}{duration(price.wall_s)}; features and start come on top"),
    ]
    if rate is not None:
        cost = f"{_money(bound, price.money(rate) or 0.0)}, at {rate:.2f} an hour of this machine"
        lines.append(("money", cost))
    return [*lines, ("at once", _lanes(price)), ("machine", str(price.machine))]


def _money(bound: str, amount: float) -> str:
    """An amount of money with two digits; below half a hundredth it is ``less than 0.01``.

    Args:
        bound: ``at most `` if the amount is an upper bound, else empty.
        amount: the amount, in the currency of the rate.
    """
    return "less than 0.01" if 0 < amount < 0.005 else f"{bound}{amount:.2f}"


def as_json(price: Price, rate: float | None) -> dict[str, Any]:
    """A price as JSON values: times in hours, lengths of trials in seconds, memory in bytes.

    A value is None if it is not known.

    Args:
        price: the price of the trials that are still to be trained.
        rate: what this machine costs an hour, in any currency; None if not given.
    """
    trial_s, wall_s = price.trial_s, price.wall_s
    return {
        "device": price.machine.device,
        "machine": str(price.machine),
        "trial_hours": None if trial_s is None else trial_s / HOUR_S,
        "wall_hours": None if wall_s is None else wall_s / HOUR_S,
        "money": None if rate is None else price.money(rate),
        "at_most": price.is_bound,
        "at_once": price.lanes,
        "trials_per_gpu": round(1 / price.per_trial.gpus) if price.per_trial.gpus else None,
        "memory": price.per_trial.memory,
        "memory_measured": price.measured,
        "rows": [
            {"row": r.name, "trials": r.trials, "seconds": r.seconds, "from": r.source or None}
            for r in price.rows
        ],
    }


def each(seconds: Mapping[str, float | None], rows: Sequence[str]) -> str:
    """The mean length of a trial over some rows as text, such as ``12 min``; a dash if unknown.

    Args:
        seconds: row -> seconds of one of its trials; None if not known.
        rows: the rows that are averaged.
    """
    known = [found for row in rows if (found := seconds.get(row)) is not None]
    return duration(sum(known) / len(known)) if known else "–"


def _some(price: Price) -> bool:
    return len(price.unknown) < len(price.rows)


def _source(price: Price) -> str:
    found = {row.source for row in price.rows}
    words = {"finished": "finished trials", "probe": "a probe"}
    source = "from " + " and ".join(words[name] for name in sorted(found) if name in words)
    source += "; few trials need all their epochs" if price.at_most else ""
    source += "; pruned configurations need fewer folds" if price.may_prune else ""
    return source + ("; settled comparisons get no more seeds" if price.may_settle else "")


def _lanes(price: Price) -> str:
    how = "measured" if price.measured else "assumed"
    memory = f"{price.per_trial.memory / MIB:.0f} MiB of memory each ({how})"
    if not price.per_trial.gpus:
        return f"{price.lanes}, one core and {memory}"
    share = round(1 / price.per_trial.gpus)
    return f"{price.lanes}, {share} a GPU; {memory}"
