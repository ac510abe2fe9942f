"""Turns values into plain JSON values, their one canonical JSON text, and the digest of that."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from fractions import Fraction
from typing import Any

from features.canonical import canonical, digest

__all__ = ["canonical", "digest", "plain"]


def plain(value: Any) -> Any:
    """A value as JSON values: a fraction as text ("1/3"), tuples as lists, dataclasses as dicts."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Fraction) else value
