"""Mappings of keys, declared with pydantic, and their faults in the words of a study file.

A mapping is a model of this module's `Keys`; pydantic judges what a file says against it. Here each
error of pydantic's becomes a sentence with the line and column that it is about.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from types import UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    Protocol,
    Self,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from annotated_types import Ge, GroupedMetadata, Le
from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    PrivateAttr,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError

from orchestrator.errors import Fault, nearest
from orchestrator.study.yaml_lines import Node

KeyPath = tuple[int | str, ...]
"""Keys and list indices that lead from the top of a file to a value."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What an error says of a wrong value: metadata of a type, beside pydantic's own.

    ``{name}`` stands for the key, ``{value}`` for what the file has there.
    """

    text: str
    suggested: tuple[str, ...] = ()
    """Words of which the nearest is suggested where the value is a word."""
    at_key: bool = False
    """Whether it is shown at the key, not at the value."""


def must_be(what: str, suggested: tuple[str, ...] = ()) -> Sentence:
    """The usual sentence: the key, what its value must be, and what it is."""
    return Sentence(f"`{{name}}` must be {what}, but is {{value}} instead.", suggested)


def refusal(sentence: str, *, at_key: bool = False) -> PydanticCustomError:
    """An error for a validator to raise: a whole sentence, at the value or at its key."""
    return PydanticCustomError("at_key" if at_key else "at_value", "{text}", {"text": sentence})


class Stated:
    """Metadata of ``T | None``: the key may be left out, but ``null`` is no value for it."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler(get_args(source)[0])


class Documented(Protocol):
    """What a key is for, made where it is asked for: reading a study needs no such text."""

    @property
    def doc(self) -> str:
        """One paragraph."""


class Keys(BaseModel):
    """A mapping that has these keys and no others."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    no_mapping: ClassVar[str] = "`{name}` must be a mapping, but is {value} instead."
    lack_at_key: ClassVar[bool] = False
    """Whether a missing key is shown at the mapping's own key, not at where its value begins."""
    settings: ClassVar[Mapping[str, "Documented"]] = {}
    """Keys of this mapping that are declared elsewhere."""

    @classmethod
    def unknown(cls, key: str) -> str:
        """What an error says of a key that this mapping does not have."""
        return f"is not a key. {nearest(key, cls.model_fields)}"

    @classmethod
    def lacks(cls, key: str) -> str:
        """What an error says where the mapping lacks a key."""
        return f"`{{name}}` must have `{key}`."

    @classmethod
    def docs(cls) -> Mapping[str, str]:
        """What each key is for: a setting's own words, else the text below a key's declaration."""
        settings = {key: setting.doc for key, setting in cls.settings.items()}
        return {**attribute_docs(cls), **settings}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        found = handler.resolve_ref_schema(handler(core))
        for key, doc in cls.docs().items():
            if key in found["properties"]:
                found["properties"][key]["description"] = doc
        return found

    _order: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="wrap")
    @classmethod
    def _remember_order(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        keys = handler(value)
        keys._order = tuple(value)
        return keys

    @property
    def given(self) -> dict[str, Any]:
        """The keys that the file has, in its order, with their values."""
        return {key: getattr(self, key) for key in self._order}


def attribute_docs(cls: type) -> Mapping[str, str]:
    """The docstrings below the attributes of a class and of its bases, each as one paragraph."""
    ours = [part for part in reversed(cls.__mro__) if part not in (object, BaseModel)]
    return {
        name: doc
        for part in ours
        for name, doc in _docs_in(part.__module__).get(part.__name__, {}).items()
    }


@cache
def _docs_in(module: str) -> Mapping[str, Mapping[str, str]]:
    """Class -> attribute -> docstring, of a module's text."""
    classes: dict[str, dict[str, str]] = {}
    for part in ast.parse(inspect.getsource(sys.modules[module])).body:
        for node, below in pairwise(part.body if isinstance(part, ast.ClassDef) else ()):
            match part, node, below:
                case (
                    ast.ClassDef(name=cls),
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(doc))),
                ):
                    text = " ".join(doc.replace("``", "`").split())
                    classes.setdefault(cls, {})[name] = text
    return classes


# --- reading ----------------------------------------------------------------------------------

K = TypeVar("K", bound=Keys)


@dataclass(frozen=True, slots=True)
class Found(Generic[K]):
    """What a mapping of a file says."""

    keys: K | None
    """What is left of it without the faults; None where no sense is left."""
    faults: list[Fault]
    dropped: frozenset[KeyPath]
    """Where values were left out because of a fault: of a list the whole item."""


def read_keys(model: type[K], node: Node, name: str = "") -> Found[K]:
    """Read a mapping, with all of its faults; then again without what was at fault.

    So checks between keys still see what is right beside what is wrong.

    Args:
        model: which keys it has.
        node: the mapping in the file.
        name: what it is called; empty for the whole file.
    """
    document, faults, dropped = node.plain(), list[Fault](), set[KeyPath]()
    for round in range(100):
        try:
            return Found(model.model_validate(document), faults, frozenset(dropped))
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
        places = [_Place.of(model, node, name, error) for error in errors]
        faults += [
            place.fault(error) for place, error in zip(places, errors, strict=True) if not round
        ]
        paths = {place.dropped(error) for place, error in zip(places, errors, strict=True)}
        if () in paths:
            break
        dropped |= paths if not round else set()
        for path in sorted(paths, key=_order, reverse=True):
            _drop(document, path)
    return Found(None, faults, frozenset(dropped))


def _order(path: KeyPath) -> list[tuple[int, str]]:
    return [(step, "") if isinstance(step, int) else (0, step) for step in path]


def _drop(document: Any, path: KeyPath) -> None:
    """Take a value out of its mapping or list, if an outer one was not taken out before."""
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
    """Where an error is: the value's node and declared type, and the mapping around it."""

    path: KeyPath
    """Without pydantic's own names of alternatives, and no deeper than the file goes."""
    name: str
    node: Node
    around: Node
    owner: type[Keys]
    kind: Any
    metadata: tuple[Any, ...]

    @classmethod
    def of(cls, model: type[Keys], root: Node, name: str, error: ErrorDetails) -> "_Place":
        """Follow an error's ``loc`` through the file and through the declarations at once."""
        node = around = root
        path: KeyPath = ()
        owner, kind, metadata = model, model, ()
        loc = error["loc"]
        for step in loc[:-1] if error["type"] in ("extra_forbidden", "missing") else loc:
            below = (
                node.mapping.get(step)
                if isinstance(step, str)
                else (node.sequence[step] if step < len(node.sequence) else None)
            )
            is_tag = get_origin(kind) in (Union, UnionType)
            if isinstance(kind, type) and issubclass(kind, Keys):
                owner, around = kind, node
            kind, metadata = _below(kind, step)
            if below is not None and not is_tag:
                node, path = below, (*path, step)
        if (
            isinstance(kind, type)
            and issubclass(kind, Keys)
            and error["type"] in ("extra_forbidden", "missing")
        ):
            owner, around = kind, node
        return cls(path, _name(name, path), node, around, owner, kind, metadata)

    def fault(self, error: ErrorDetails) -> Fault:
        """The error as a sentence."""
        key = error["loc"][-1] if error["loc"] else ""
        match error["type"]:
            case "extra_forbidden":
                name = f"{self.name}.{key}" if self.name else key
                return self.node.mapping[str(key)].key_fault(
                    f"`{name}` {self.owner.unknown(str(key))}"
                )
            case "missing":
                at = self.node.key_fault if self.owner.lack_at_key else self.node.fault
                return at(self._said(self.owner.lacks(str(key))))
            case "at_key":
                return self.node.key_fault(self._said(error["ctx"]["text"]))
            case "at_value":
                return self.node.fault(self._said(error["ctx"]["text"]))
        sentence = _sentence(self.kind, self.metadata)
        value = self.node.value
        hint = (
            nearest(value, sentence.suggested)
            if sentence.suggested and isinstance(value, str)
            else ""
        )
        at = self.node.key_fault if sentence.at_key else self.node.fault
        return at(f"{self._said(sentence.text)} {hint}".rstrip())

    def dropped(self, error: ErrorDetails) -> KeyPath:
        """What is to be left out: a list's item as a whole, and a mapping that lacks a key."""
        path = self.path
        if error["type"] == "extra_forbidden":
            path = (*path, error["loc"][-1])
        items = [n for n, step in enumerate(path) if isinstance(step, int)]
        return path[: items[0] + 1] if items else path

    def _said(self, text: str) -> str:
        return text.replace("{name}", self.name).replace("{value}", self.node.shown())


def _name(name: str, path: KeyPath) -> str:
    """What an error calls a value; a setting is called by its key alone, wherever it stands."""
    steps = [step for step in path if isinstance(step, str) and step != "choices"]
    full = ".".join([name, *steps] if name else steps)
    return re.sub(r"^(rows\.set|rows|published|baseline|axes)\.", "", full)


def _below(kind: Any, step: int | str) -> tuple[Any, tuple[Any, ...]]:
    """The type of a key's value, of a list's item, or of the alternative that a tag names."""
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
    """A type without `Annotated` and `None`, and all of its metadata."""
    while True:
        arguments = get_args(kind)
        if get_origin(kind) is Annotated:
            kind, metadata = arguments[0], (*arguments[1:], *metadata)
        elif type(None) in arguments:
            kind = arguments[0]
        else:
            return kind, metadata


def _sentence(kind: Any, metadata: tuple[Any, ...]) -> Sentence:
    """What an error says of a wrong value of a type."""
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
    """What the value of a key must be, in the words of its error."""
    kind, metadata = _below(model, key)
    if kind is Any and not metadata:
        return "a value of the setting"
    if get_origin(kind) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(kind))
    text = _sentence(kind, metadata).text
    words = re.search(r"must (?:be |have )?(.+?)(, but is \{value\}( instead)?)?\.$", text)
    return words[1] if words else text


def _flat(metadata: tuple[Any, ...]) -> Iterator[Any]:
    """Metadata one by one; an interval is its two ends."""
    for item in metadata:
        yield from _flat(tuple(item)) if isinstance(item, GroupedMetadata) else (item,)
