"""Makes the JSON Schema of a study file, for editors, from the declarations by which it is read."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from orchestrator.study.search_key.search_keys import SEARCH_AXES, keys_with_search


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a study file, as one mapping without ``$ref``."""
    made = keys_with_search(SEARCH_AXES).model_json_schema()
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **_inline(made, made["$defs"]),
        "title": "ablate study",
    }


def _inline(part: Any, parts: dict[str, Any]) -> Any:
    """A part of a schema with each ``$ref`` replaced by its target, without generated titles.

    Args:
        part: the part.
        parts: name -> target of references.
    """
    if isinstance(part, list):
        return [_inline(item, parts) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        part = {**parts[part["$ref"].rpartition("/")[2]], **part}
    return {
        key: _inline(value, parts)
        for key, value in part.items()
        if key not in ("$ref", "$defs")
        and not (key == "title" and isinstance(value, str))
        and not (key == "default" and (value is None or value == {} or value == []))
    }
