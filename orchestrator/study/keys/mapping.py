"""The base class of all declared mappings of a study file, ``Keys``, and its errors' sentences."""

import ast
import inspect
import sys
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, ClassVar, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from orchestrator.errors import Fault, nearest
from orchestrator.study.yaml_lines import Node


@dataclass(frozen=True, slots=True)
class Sentence:
    """The sentence of the error for a wrong value: ``Annotated[int, Sentence(...)]``."""

    text: str
    """The sentence, in which ``{name}`` stands for the key and ``{value}`` for the wrong value."""
    suggested: tuple[str, ...] = ()
    """Words of which the most similar is suggested, where the value is a word."""
    at_key: bool = False
    """Whether the caret points to the key and not to the value."""

    def fault(self, name: str, node: Node) -> Fault:
        """The fault of a value in the file.

        Args:
            name: what the sentence calls the value, such as ``protocol.folds``.
            node: the value.
        """
        text = self.text.replace("{name}", name).replace("{value}", node.shown())
        if self.suggested and isinstance(node.value, str):
            text = f"{text} {nearest(node.value, self.suggested)}"
        return node.key_fault(text) if self.at_key else node.fault(text)


def must_be(what: str, suggested: tuple[str, ...] = ()) -> Sentence:
    """The usual sentence of an error: which key, what its value must be, and what it is.

    Args:
        what: what the value must be, such as "a list".
        suggested: words of which the most similar is suggested, where the value is a word.
    """
    return Sentence(f"`{{name}}` must be {what}, but is {{value}} instead.", suggested)


def refusal(sentence: str, *, at_key: bool = False) -> PydanticCustomError:
    """An error for a validator to raise.

    Args:
        sentence: its text, in which ``{name}`` stands for the key and ``{value}`` for the value.
        at_key: whether the caret points to the key and not to the value.
    """
    return PydanticCustomError("refusal", "{text}", {"text": sentence, "at_key": at_key})


class Stated:
    """Mark in ``Annotated[T | None, Stated]``: the key may be left out, but `null` is refused."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler(get_args(source)[0])


class Keys(BaseModel):
    """Base class of the mappings of a study file; the fields of a subclass are the allowed keys.

    The docstring below a field says what the key is for; editors and the reference of keys show it.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    no_mapping: ClassVar[str] = "`{name}` must be a mapping, but is {value} instead."
    """The error where the file has no mapping here."""
    lacks: ClassVar[str] = "`{name}` must have `{key}`."
    """The error where the required key ``{key}`` is missing."""
    lack_at_key: ClassVar[bool] = False
    """Whether that error points to the key in front of the mapping, and not to where the mapping
    begins."""
    noun: ClassVar[str] = "a key"
    """What the error on an unknown key says that it is not."""
    suggested: ClassVar[Collection[str]] = ()
    """Keys of which that error suggests the most similar; empty for all keys of the mapping."""
    elsewhere: ClassVar[Mapping[str, str]] = {}
    """Key that does not belong here -> the end of its error, in place of such a suggestion."""

    @classmethod
    def unknown(cls, key: str) -> str:
        """The end of an error on a key that this mapping may not have: "is not a key. ..."."""
        known = cls.suggested or cls.model_fields
        return cls.elsewhere.get(key) or f"is not {cls.noun}. {nearest(key, known)}"

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        found = handler.resolve_ref_schema(handler(core))
        docs = attribute_docs(cls)
        for key, value in found["properties"].items():
            value.setdefault("description", docs.get(key, ""))
        return found

    _order: tuple[str, ...] = PrivateAttr(default=())
    """The keys that the file has here, in its order."""

    @model_validator(mode="wrap")
    @classmethod
    def _remember_order(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        keys = handler(value)
        keys._order = tuple(value)
        return keys

    @property
    def given(self) -> dict[str, Any]:
        """Key -> value of the keys that the file has here, in the order of the file."""
        return {key: getattr(self, key) for key in self._order}


def attribute_docs(cls: type) -> Mapping[str, str]:
    """Attribute -> the docstring below it as one line, of a class and of its base classes.

    pydantic's `use_attribute_docstrings` does so whenever a class is made, which costs each command
    that reads a study 0.03 s; here only the schema and the reference ask for the docs of keys.
    """
    ours = [part for part in reversed(cls.__mro__) if part is cls or issubclass(part, Keys)]
    return {
        name: doc
        for part in ours
        for name, doc in _docs_in(part.__module__).get(part.__name__, {}).items()
    }


@cache
def _docs_in(module: str) -> Mapping[str, Mapping[str, str]]:
    """Class -> attribute -> docstring below it as one line, from the source text of a module."""
    docs = defaultdict[str, dict[str, str]](dict)
    for part in ast.parse(inspect.getsource(sys.modules[module])).body:
        for field, below in pairwise(part.body if isinstance(part, ast.ClassDef) else ()):
            match part, field, below:
                case (
                    ast.ClassDef(name=cls),
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(doc))),
                ):
                    docs[cls][name] = " ".join(doc.replace("``", "`").split())
    return docs
