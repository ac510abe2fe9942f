"""The base class of all declared mappings of a study file, ``Keys``, and its errors' sentences."""

import ast
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import (
    Any,
    ClassVar,
    Protocol,
    Self,
    get_args,
)

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

from orchestrator.errors import nearest


@dataclass(frozen=True, slots=True)
class Sentence:
    """The sentence of the error for a wrong value: ``Annotated[int, Sentence(...)]``."""

    text: str
    """The sentence, in which ``{name}`` stands for the key and ``{value}`` for the wrong value."""
    suggested: tuple[str, ...] = ()
    """Words of which the most similar is suggested, where the value is a word."""
    at_key: bool = False
    """Whether the caret points to the key and not to the value."""


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
    return PydanticCustomError("at_key" if at_key else "at_value", "{text}", {"text": sentence})


class Stated:
    """Mark in ``Annotated[T | None, Stated]``: the key may be left out, but `null` is refused."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler(get_args(source)[0])


class Documented(Protocol):
    """What can say what a key is for, such as ``settings.Setting``; reading needs no such text."""

    @property
    def doc(self) -> str:
        """What the key is for, in one paragraph."""


class Keys(BaseModel):
    """Base class of the mappings of a study file; the fields of a subclass are the allowed keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    no_mapping: ClassVar[str] = "`{name}` must be a mapping, but is {value} instead."
    """The error where the file has no mapping here."""
    lack_at_key: ClassVar[bool] = False
    """Whether the error for a missing key points to the key in front of the mapping, and not to
    where the mapping begins."""
    settings: ClassVar[Mapping[str, "Documented"]] = {}
    """Key -> setting, of the keys that are settings (`settings.with_settings`)."""

    @classmethod
    def unknown(cls, key: str) -> str:
        """The end of an error on a key that this mapping may not have: "is not a key. ..."."""
        return f"is not a key. {nearest(key, cls.model_fields)}"

    @classmethod
    def lacks(cls, key: str) -> str:
        """The error where the mapping lacks a required key; ``{name}`` stands for the mapping."""
        return f"`{{name}}` must have `{key}`."

    @classmethod
    def docs(cls) -> Mapping[str, str]:
        """Key -> what it is for: of a setting its ``doc``, else the docstring below the field."""
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
    """Attribute -> the docstring below it as one line, of a class and of its base classes."""
    ours = [part for part in reversed(cls.__mro__) if part not in (object, BaseModel)]
    return {
        name: doc
        for part in ours
        for name, doc in _docs_in(part.__module__).get(part.__name__, {}).items()
    }


@cache
def _docs_in(module: str) -> Mapping[str, Mapping[str, str]]:
    """Class -> attribute -> docstring below it as one line, from the source text of a module."""
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
