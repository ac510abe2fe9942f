"""Values as JSON: in their one canonical text, its digest, and without types of our own."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from fractions import Fraction
from typing import Any

from features.canonical import canonical, digest

__all__ = ["canonical", "digest", "plain"]


def plain(value: Any) -> Any:
    """As JSON values: fractions as text, tuples as lists, configurations as mappings."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Fraction) else value
