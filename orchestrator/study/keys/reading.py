"""Validates a mapping of a file against its declaration, and turns errors into faults with lines.

pydantic validates, and describes an error by its type and by the keys that lead to it (``loc``).
Here these keys are followed to the node of the YAML file, for line and column, and to the declared
type, for the sentence.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin

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
    faults, dropped = list[Fault](), frozenset[KeyPath]()
    left_out = set[KeyPath]()
    for attempt in range(2 * MAX_DEPTH):  # what lacks a part is at fault in the next one
        try:
            keys = model.model_validate(_without(left_out, node))
            return Found(keys, faults, dropped)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
        places = [_Place.of(model, node, name, error) for error in errors]
        left_out |= {place.dropped for place in places}
        if attempt == 0:
            faults, dropped = [place.fault() for place in places], frozenset(left_out)
        if () in left_out:
            break
    return Found(None, faults, dropped)


def _without(left_out: Collection[KeyPath], node: Node, path: KeyPath = ()) -> Any:
    """A value of a file, as dicts, lists and scalars, without the values at some paths.

    Args:
        left_out: the paths.
        node: the value.
        path: the path of the value itself.
    """
    if isinstance(node.value, dict):
        return {
            key: _without(left_out, value, (*path, key))
            for key, value in node.value.items()
            if (*path, key) not in left_out
        }
    if isinstance(node.value, list):
        return [
            _without(left_out, item, (*path, index))
            for index, item in enumerate(node.value)
            if (*path, index) not in left_out
        ]
    return node.value


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
            if is_tag and step not in _tags(kind):
                break  # pydantic's name of an alternative: the error is that of the whole value
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
                sentence = Sentence(
                    self.kind.lacks.replace("{key}", key), at_key=self.kind.lack_at_key
                )
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
        found = _tags(kind)[step]
    elif get_origin(kind) in (list, tuple, dict):
        found = arguments[-1 if get_origin(kind) is dict else 0]
    return _unwrapped(found, metadata)


def _tags(union: Any) -> dict[int | str, Any]:
    """Tag -> alternative of a union; empty where pydantic tries its alternatives one by one."""
    return {
        mark.tag: alternative
        for alternative in get_args(union)
        for mark in get_args(alternative)
        if isinstance(mark, Tag)
    }


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
    for item in metadata:
        if isinstance(item, Sentence):
            return item
    if get_origin(kind) is Literal:
        words = tuple(map(str, get_args(kind)))
        listed = " or ".join(f"`{word}`" for word in words) if len(words) < 4 else "a known word"
        return must_be(listed, words)
    if kind in (int, float):
        low, high = (_limit(end, metadata) for end in ("ge", "le"))
        whole = f"a whole number from {low} to {high}"
        return must_be(whole if kind is int else f"a number from {low:g} to {high:g}")
    if get_origin(kind) is list:
        return must_be("a list")
    return Sentence(kind.no_mapping) if issubclass(kind, Keys) else must_be("text")


def _limit(end: Literal["ge", "le"], metadata: tuple[Any, ...]) -> float:
    """The smallest (``ge``) or largest (``le``) number that metadata allow."""
    limit: float = next(getattr(item, end) for item in metadata if hasattr(item, end))
    return limit


def accepted(model: type[Keys], key: str) -> str:
    """What the value of a key must be, such as "a whole number from 1 to 8": words of its error."""
    kind, metadata = _below(model, key)
    if isinstance(kind, TypeVar) and not metadata:
        return "a value of the setting"
    if get_origin(kind) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(kind))
    text = _sentence(kind, metadata).text
    words = re.search(r"must (?:be |have )?(.+?)(, but is \{value\}( instead)?)?\.$", text)
    return words[1] if words else text
