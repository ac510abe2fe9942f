"""The JSON Schema of a study file, for editors: the same keys and values that ``study`` reads."""

from typing import Any

from features.catalogue import NAME
from orchestrator.settings import SETTINGS
from orchestrator.study import METRICS, MOST_PARAMETERS
from orchestrator.values import whole


def schema() -> dict[str, Any]:
    """The JSON Schema of a study file, for editors."""
    settings = {
        home: {k: {**s.schema, "description": s.doc} for k, s in SETTINGS.items()
               if s.home == home}
        for home in ("study", "baseline")
    }  # fmt: skip
    in_rows = {k: dict(s.schema) for k, s in SETTINGS.items() if s.in_rows}
    percent = {"type": "number", "minimum": 0, "maximum": 100}
    figures = {**dict.fromkeys(METRICS, percent), "params": whole(1, MOST_PARAMETERS)[1]}
    heading = {"type": "string", "minLength": 1, "maxLength": 60}
    block = {"anyOf": [heading, {"type": "array", "items": heading, "minItems": 1}]}
    row: dict[str, Any] = {
        "type": "object", "additionalProperties": False, "required": ["name"],
        "properties": {
            "name": {"type": ["string", "integer"], "maxLength": 60},
            "set": {"type": "object", "additionalProperties": False, "properties": in_rows},
            "paper": {"type": "object", "additionalProperties": False,
                      "properties": figures},
            "block": block,
        },
    }  # fmt: skip
    published = {
        "type": "object", "additionalProperties": False, "required": ["name", "paper"],
        "properties": {key: row["properties"][key] for key in ("name", "paper")},
    }  # fmt: skip
    axes = {k: {"type": "array", "items": s, "minItems": 1} for k, s in in_rows.items()
            if k != "training"}  # fmt: skip
    than = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ablate study",
        "type": "object",
        "additionalProperties": False,
        "required": ["study"],
        "allOf": [
            {"oneOf": [{"required": ["rows"]}, {"required": ["axes"]}]},
            {"not": {"required": ["table", "figure"]}},
        ],
        "properties": {
            "study": {"type": "string", "pattern": f"^{NAME}$"},
            "question": {"type": "string"},
            "table": {"type": "integer", "minimum": 1, "maximum": 99},
            "figure": {"type": "integer", "minimum": 1, "maximum": 99},
            "corpus": {"type": "string", "pattern": f"^{NAME}$"},
            "protocol": {
                "type": "object", "additionalProperties": False,
                "properties": {
                    "folds": {"anyOf": [whole(2, 100)[1], {"const": "published"}]},
                    "seeds": whole(1, 1000)[1],
                },
            },
            "baseline": {"type": "object", "additionalProperties": False,
                         "properties": settings["baseline"]},
            "rows": {"type": "array", "items": row, "minItems": 1},
            "published": {"type": "array", "items": published, "minItems": 1},
            "axes": {"type": "object", "additionalProperties": False, "properties": axes,
                     "minProperties": 1},
            "reference": {"type": ["string", "integer"]},
            "claim": {
                "type": "object", "additionalProperties": False, "required": ["better", "than"],
                "properties": {"better": {"type": "string"}, "than": than,
                               "on": {"enum": list(METRICS)}},
            },
            **settings["study"],
        },
    }  # fmt: skip
