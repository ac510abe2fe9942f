"""Turns values into plain JSON values and back; their one canonical JSON text, and its digest."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from fractions import Fraction
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from features.canonical import canonical, digest

__all__ = ["canonical", "digest", "json_reader", "plain"]


def plain(value: Any) -> Any:
    """A value as JSON values: a fraction as text ("1/3"), tuples as lists, dataclasses as dicts."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Fraction) else value


def json_reader(kind: Any, special: Mapping[Any, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """A function that makes a value of type ``kind`` from its JSON form.

    Of a dataclass, a missing key gets the field's default.

    Args:
        kind: a dataclass, ``tuple[X, ...]``, ``Mapping``, ``X | None``, or a type of JSON itself.
        special: type -> the function that makes its values.
    """
    if kind in special:
        return special[kind]
    if is_dataclass(kind):
        return _dataclass_reader(kind, special)
    if get_origin(kind) is UnionType:
        read = json_reader(get_args(kind)[0], special)
        return lambda value: None if value is None else read(value)
    if get_origin(kind) is tuple:
        read_item = json_reader(get_args(kind)[0], special)
        return lambda items: tuple(map(read_item, items))
    if get_origin(kind) is Mapping:
        return dict  # refuses what is no mapping
    return str if kind is str else _as_it_is


def _dataclass_reader(
    kind: Any, special: Mapping[Any, Callable[[Any], Any]]
) -> Callable[[Mapping[str, Any]], Any]:
    """A function that makes a dataclass from a mapping; a missing key gets the field's default."""
    readers = {key: json_reader(hint, special) for key, hint in get_type_hints(kind).items()}
    readers = {key: read for key, read in readers.items() if read is not _as_it_is}

    def read_fields(record: Mapping[str, Any]) -> Any:
        values = dict(record)
        for key, read in readers.items():
            if key in values:
                values[key] = read(values[key])
        return kind(**values)

    return read_fields


def _as_it_is(value: Any) -> Any:
    return value
