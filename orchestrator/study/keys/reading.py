"""Validates a mapping of a file against its declaration, and turns errors into faults with lines.

pydantic validates, and describes an error by its type and by the keys that lead to it (``loc``).
Here these keys are followed to the node of the YAML file, for line and column, and to the declared
type, for the sentence.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from types import UnionType
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin

from pydantic import Tag, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.errors import Fault
from orchestrator.study.keys.mapping import Keys, Sentence, must_be
from orchestrator.study.yaml_lines import MAX_DEPTH, Node

KeyPath = tuple[int | str, ...]
"""Keys and list indices that lead from the top of a file to a value."""

K = TypeVar("K", bound=Keys)


@dataclass(frozen=True, slots=True)
class Found(Generic[K]):
    """A file after validation."""

    keys: K
    """The file without its faulty values."""
    node: Node
    """The mapping of the whole file, with the values that ``keys`` has; of a list, a faulty item is
    left out as a whole."""
    faults: list[Fault]
    """All faults of the file."""


def read_keys(model: type[K], node: Node) -> Found[K]:
    """Validate a file, collect its faults, and validate it anew without the faulty values.

    In this way rules between keys can be checked on the values that are right.

    Args:
        model: the declaration of its keys, each of which may be left out.
        node: the mapping of the whole file.
    """
    faults, right = list[Fault](), node
    for attempt in range(2 * MAX_DEPTH):  # what lacks a part is at fault in the next one
        try:
            return Found(model.model_validate(right.plain()), right, faults)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
        explained = [_explain(model, right, error) for error in errors]
        if attempt == 0:
            faults = [fault for fault, _ in explained]
        wrong = {path for _, path in explained}
        if () in wrong:
            break
        right = _without(wrong, right)
    return Found(model(), node, faults)


def _without(wrong: Collection[KeyPath], node: Node, path: KeyPath = ()) -> Node:
    """A value of a file without the values at some paths.

    Args:
        wrong: the paths.
        node: the value.
        path: the path of the value itself.
    """
    value = node.value
    if isinstance(value, dict):
        value = {
            key: _without(wrong, inner, (*path, key))
            for key, inner in value.items()
            if (*path, key) not in wrong
        }
    elif isinstance(value, list):
        value = [
            _without(wrong, item, (*path, index))
            for index, item in enumerate(value)
            if (*path, index) not in wrong
        ]
    return replace(node, value=value)


def _explain(model: type[Keys], root: Node, error: ErrorDetails) -> tuple[Fault, KeyPath]:
    """An error of pydantic's as a fault with line and column; and the path of what is left out.

    That is the faulty value or, in a list, the whole item; where a key is missing, the mapping.

    Args:
        model: the declaration of the file.
        root: the mapping of the whole file.
        error: the error.
    """
    about_key = error["type"] in ("extra_forbidden", "missing")
    steps = error["loc"][:-1] if about_key else error["loc"]
    path, node, kind, metadata = _follow(steps, root, model)
    key, name = str(error["loc"][-1]) if about_key else "", _name(path)
    match error["type"]:
        case "extra_forbidden":
            sentence = Sentence(f"`{{name}}` {kind.unknown(key)}", at_key=True)
            name = f"{name}.{key}" if name else key
            path, node = (*path, key), node.mapping[key]
        case "missing":
            sentence = Sentence(kind.lacks.replace("{key}", key), at_key=kind.lack_at_key)
        case "refusal":
            sentence = Sentence(**error["ctx"])
        case _:
            sentence = _sentence(kind, metadata)
    items = [n for n, step in enumerate(path, 1) if isinstance(step, int)]
    return sentence.fault(name, node), path[: items[0]] if items else path


def _follow(steps: KeyPath, node: Node, kind: Any) -> tuple[KeyPath, Node, Any, tuple[Any, ...]]:
    """Follow an error's ``loc`` through the file and the declarations.

    Args:
        steps: keys, list indices, and pydantic's names of alternatives.
        node: the mapping of the whole file.
        kind: its declaration.

    Returns:
        The path without names of alternatives; the value there; its declared type, and the further
        arguments of ``Annotated`` after the type (limits, a ``Sentence``, ...).
    """
    path: KeyPath = ()
    metadata: tuple[Any, ...] = ()
    for step in steps:
        if get_origin(kind) in (Union, UnionType):
            tags = _tags(kind)
            if step not in tags:
                break  # alternatives were tried one by one: the error is that of the whole value
            kind, metadata = _unwrapped(tags[step])
        else:
            kind, metadata = _below(kind, step)
            inner = node.below(step)
            if inner is not None:  # it is None where one value stands for a list of one
                node, path = inner, (*path, step)
    return path, node, kind, metadata


def _name(path: KeyPath) -> str:
    """What an error calls a value: ``protocol.folds``; of a setting the key alone: ``layers``."""
    full = ".".join(step for step in path if isinstance(step, str) and step != "choices")
    return re.sub(r"^(rows\.set|rows|published|baseline|axes)\.", "", full)


def _below(kind: Any, step: int | str) -> tuple[Any, tuple[Any, ...]]:
    """The type and metadata of a value in a mapping or a list.

    Args:
        kind: the type of the mapping or the list.
        step: the key or the index.
    """
    if get_origin(kind) in (list, dict):
        return _unwrapped(get_args(kind)[-1])
    field = kind.model_fields[step]
    return _unwrapped(field.annotation, tuple(field.metadata))


def _tags(union: Any) -> dict[int | str, Any]:
    """Tag -> alternative of a union; empty where pydantic tries its alternatives one by one."""
    return {
        mark.tag: alternative
        for alternative in get_args(union)
        for mark in get_args(alternative)
        if isinstance(mark, Tag)
    }


def _unwrapped(kind: Any, metadata: tuple[Any, ...] = ()) -> tuple[Any, tuple[Any, ...]]:
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
        low, high = _limit("ge", metadata), _limit("le", metadata)
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
