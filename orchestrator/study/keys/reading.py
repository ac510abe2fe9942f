"""Validates a mapping of a file against its declaration, and turns errors into faults with lines.

pydantic validates, and describes an error by its type and by the keys that lead to it (``loc``).
Here these keys are followed to the node of the YAML file, for line and column, and to the declared
type, for the sentence.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, GroupedMetadata, Le
from pydantic import Tag, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.errors import Fault, nearest
from orchestrator.study.keys.mapping import Keys, Sentence, must_be
from orchestrator.study.yaml_lines import MAX_DEPTH, Node

KeyPath = tuple[int | str, ...]
"""Keys and list indices that lead from the top of a file to a value."""

K = TypeVar("K", bound=Keys)


@dataclass(frozen=True, slots=True)
class Found(Generic[K]):
    """A mapping of a file after validation."""

    keys: K | None
    """The mapping without its faulty values; None where it is faulty as a whole."""
    faults: list[Fault]
    """All faults of the mapping."""
    dropped: frozenset[KeyPath]
    """The paths of the values that were left out as faulty; of a list's item the whole item."""


def read_keys(model: type[K], node: Node, name: str = "") -> Found[K]:
    """Validate a mapping of a file, collect its faults, and validate it anew without faulty values.

    In this way rules between keys can be checked on the values that are right.

    Args:
        model: the declaration of its keys.
        node: the mapping in the file.
        name: what errors call it, such as ``search``; empty for the whole file.
    """
    document, faults, dropped = node.plain(), list[Fault](), set[KeyPath]()
    for attempt in range(2 * MAX_DEPTH):  # what lacks a part is at fault in the next one
        try:
            return Found(model.model_validate(document), faults, frozenset(dropped))
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
        places = [_Place.of(model, node, name, error) for error in errors]
        paths = {place.dropped for place in places}
        if attempt == 0:
            faults += [place.fault() for place in places]
            dropped |= paths
        if () in paths:
            break
        for path in sorted(paths, key=_order, reverse=True):
            _drop(document, path)
    return Found(None, faults, frozenset(dropped))


def _order(path: KeyPath) -> list[tuple[int, str]]:
    """Sort key of paths: list items by index, so that the last of a list can be dropped first."""
    return [(step, "") if isinstance(step, int) else (0, step) for step in path]


def _drop(document: Any, path: KeyPath) -> None:
    """Delete a value from its mapping or list; nothing where the mapping around it is gone."""
    *outer, last = path
    for step in outer:
        if isinstance(document, dict) and step not in document:
            return
        document = document[step]
    if isinstance(document, list):
        del document[last]  # type: ignore[arg-type]
    else:
        document.pop(last, None)


@dataclass(frozen=True, slots=True)
class _Place:
    """An error of pydantic's, with its position in the file and the declared type there."""

    error: ErrorDetails
    """The error as pydantic describes it."""
    path: KeyPath
    """The path of the value in the file: ``loc`` without pydantic's names of alternatives."""
    name: str
    """What the sentence calls the value, such as ``protocol.folds``."""
    node: Node
    """The value in the file; where a key is unknown or missing, the mapping around it."""
    kind: Any
    """The declared type; where a key is unknown or missing, that of the mapping around it."""
    metadata: tuple[Any, ...]
    """The further arguments of ``Annotated`` after the type: limits, a ``Sentence``, ..."""

    @classmethod
    def of(cls, model: type[Keys], root: Node, name: str, error: ErrorDetails) -> "_Place":
        """Follow an error's ``loc`` through the file and the declarations.

        Args:
            model: the declaration of the mapping that was validated.
            root: the mapping in the file.
            name: what errors call it.
            error: the error.
        """
        node, kind, metadata = root, model, ()
        path: KeyPath = ()
        about_key = error["type"] in ("extra_forbidden", "missing")
        for step in error["loc"][:-1] if about_key else error["loc"]:
            is_tag = get_origin(kind) in (Union, UnionType)
            kind, metadata = _below(kind, step)
            inner = None if is_tag else node.below(step)
            if inner is not None:
                node, path = inner, (*path, step)
        return cls(error, path, _name(name, path), node, kind, metadata)

    def fault(self) -> Fault:
        """The error as a fault: a sentence with line and column."""
        key = str(self.error["loc"][-1]) if self.error["loc"] else ""
        match self.error["type"]:
            case "extra_forbidden":
                name = f"{self.name}.{key}" if self.name else key
                unknown = self.kind.unknown(key)
                return self.node.mapping[key].key_fault(f"`{name}` {unknown}")
            case "missing":
                sentence = Sentence(self.kind.lacks(key), at_key=self.kind.lack_at_key)
            case "at_key" | "at_value" as at:
                sentence = Sentence(self.error["ctx"]["text"], at_key=at == "at_key")
            case _:
                sentence = _sentence(self.kind, self.metadata)
        text = sentence.text.replace("{name}", self.name).replace("{value}", self.node.shown())
        if sentence.suggested and isinstance(self.node.value, str):
            text = f"{text} {nearest(self.node.value, sentence.suggested)}"
        return self.node.key_fault(text) if sentence.at_key else self.node.fault(text)

    @property
    def dropped(self) -> KeyPath:
        """The path of what is left out: the value or, where it lies in a list, the whole item.

        Where a key is missing, that is the mapping that lacks it.
        """
        unknown = self.error["type"] == "extra_forbidden"
        path = (*self.path, self.error["loc"][-1]) if unknown else self.path
        items = [n for n, step in enumerate(path) if isinstance(step, int)]
        return path[: items[0] + 1] if items else path


def _name(name: str, path: KeyPath) -> str:
    """What an error calls a value: ``protocol.folds``; of a setting the key alone: ``layers``."""
    steps = [step for step in path if isinstance(step, str) and step != "choices"]
    full = ".".join([name, *steps] if name else steps)
    return re.sub(r"^(rows\.set|rows|published|baseline|axes)\.", "", full)


def _below(kind: Any, step: int | str) -> tuple[Any, tuple[Any, ...]]:
    """The type and metadata of a key's value, a list's item, or the alternative that a tag names.

    Args:
        kind: the type of the mapping, the list, or the union of alternatives.
        step: the key, the index, or the tag.
    """
    found, metadata = kind, ()
    arguments = get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Keys):
        if step in kind.model_fields:
            field = kind.model_fields[str(step)]
            found, metadata = field.annotation, tuple(field.metadata)
    elif get_origin(kind) in (Union, UnionType):
        found = next(a for a in arguments if Tag(str(step)) in get_args(a))
    elif get_origin(kind) in (list, tuple, dict):
        found = arguments[-1 if get_origin(kind) is dict else 0]
    return _unwrapped(found, metadata)


def _unwrapped(kind: Any, metadata: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """A type without ``Annotated`` and without ``| None``; and its metadata, from all levels."""
    while True:
        arguments = get_args(kind)
        if get_origin(kind) is Annotated:
            kind, metadata = arguments[0], (*arguments[1:], *metadata)
        elif type(None) in arguments:
            kind = arguments[0]
        else:
            return kind, metadata


def _sentence(kind: Any, metadata: tuple[Any, ...]) -> Sentence:
    """The sentence for a wrong value: that of the metadata, else one made from type and limits."""
    limits: dict[type, Any] = {}
    for item in _flat(metadata):
        if isinstance(item, Sentence):
            return item
        limits[type(item)] = item
    if get_origin(kind) is Literal:
        words = tuple(map(str, get_args(kind)))
        listed = " or ".join(f"`{word}`" for word in words) if len(words) < 4 else "a known word"
        return must_be(listed, words)
    if kind is int:
        return must_be(f"a whole number from {limits[Ge].ge} to {limits[Le].le}")
    if kind is float:
        return must_be(f"a number from {limits[Ge].ge:g} to {limits[Le].le:g}")
    if get_origin(kind) in (list, tuple, dict):
        return must_be("a list")
    return Sentence(kind.no_mapping) if issubclass(kind, Keys) else must_be("text")


def accepted(model: type[Keys], key: str) -> str:
    """What the value of a key must be, such as "a whole number from 1 to 8": words of its error."""
    kind, metadata = _below(model, key)
    if kind is Any and not metadata:
        return "a value of the setting"
    if get_origin(kind) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(kind))
    text = _sentence(kind, metadata).text
    words = re.search(r"must (?:be |have )?(.+?)(, but is \{value\}( instead)?)?\.$", text)
    return words[1] if words else text


def _flat(metadata: tuple[Any, ...]) -> Iterator[Any]:
    """Yield metadata one by one; an ``Interval`` as its two ends, ``Ge`` and ``Le``."""
    for item in metadata:
        yield from _flat(tuple(item)) if isinstance(item, GroupedMetadata) else (item,)
