"""A mapping of keys as pydantic declares it, with what its errors and its documentation say."""

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
