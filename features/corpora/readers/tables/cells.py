"""The cells of a table as text and as times in seconds, however the table writes them.

Light: the standard library only.
"""

import math
import re
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from features.corpora.spellings import looks_missing

_CLOCK = r"(?P<hours>\d{1,4}):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d(?:\.\d+)?)"
_DELTA = re.compile(rf"(?:(?P<days>\d+) days?,?(?: |$))?(?:\+?{_CLOCK})?", re.ASCII)
"""A length of time as pandas, audformat and Python write it: ``0 days 00:00:00.500000``."""
_ISO_DELTA = re.compile(
    r"P(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
"""A length of time by ISO 8601: ``P0DT0H0M0.5S``."""
_WITH_COMMA = re.compile(r"\d+,\d+", re.ASCII)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}([.,])\d{3}", re.ASCII)
"""A number whose point or comma may stand before thousands: ``1,200``."""
_UNITS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def text_of(cell: Any) -> str:
    """Convert a cell to text without outer spaces, as a CSV file has it; None and NaN are empty."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, datetime) and cell.time() == time.min:
        return cell.date().isoformat()
    if isinstance(cell, bytes):  # text in a Parquet file that does not say that it is text
        return cell.decode("utf-8", "backslashreplace").strip()
    return str(cell).strip()


def has_decimal_commas(times: Iterable[Any]) -> bool:
    """Whether the times of a table are written ``0,5``: one of them must leave no doubt.

    Args:
        times: all cells of the columns of times. ``1,200`` alone may be 1.2 or 1200.
    """
    texts = map(text_of, times)
    return any(_WITH_COMMA.fullmatch(t) and not _THOUSANDS.fullmatch(t) for t in texts)


def seconds_of(
    name: str, cell: Any, faults: list[str], *, decimal_commas: bool = False
) -> float | None:
    """Read a time in seconds; None for an empty cell, and for a bad one, noted in ``faults``.

    Args:
        name: the column, ``start`` or ``end``.
        cell: the cell: a number, a length of time, or text of one of them.
        faults: sentences on what is wrong in the row; changed.
        decimal_commas: whether the table writes ``0,5`` for half a second.
    """
    if isinstance(cell, timedelta):
        value = cell.total_seconds()
    else:
        text = text_of(cell)
        if looks_missing(text) or text == "NaT":
            return None
        mark = _THOUSANDS.fullmatch(text)
        if mark and (mark[1] == ",") != decimal_commas:
            whole, rest = text.split(mark[1])
            faults.append(f"`{name}` may be {whole}.{rest} or {whole}{rest} s, but is `{text}`")
            return None
        commas = decimal_commas and _WITH_COMMA.fullmatch(text)
        value = _number(text.replace(",", ".") if commas else text)
    if not (math.isfinite(value) and value >= 0):
        faults.append(f"`{name}` must be seconds from 0, but is `{text_of(cell)}` instead")
        return None
    return value


def _number(text: str) -> float:
    """Read seconds, or a length of time, from text; NaN for anything else."""
    try:
        return float(text)
    except ValueError:
        pass
    found = _DELTA.fullmatch(text) or _ISO_DELTA.fullmatch(text)
    parts = {unit: part for unit, part in found.groupdict().items() if part} if found else {}
    if not parts:
        return math.nan
    return float(sum(Decimal(part) * _UNITS[unit] for unit, part in parts.items()))
