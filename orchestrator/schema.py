"""The JSON Schema of a study file, for editors: the same keys and values that ``study`` reads."""

from collections.abc import Mapping
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
    in_rows = {k: {**s.schema, "description": s.doc} for k, s in SETTINGS.items() if s.in_rows}
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
    published: dict[str, Any] = {
        "type": "object", "additionalProperties": False, "required": ["name", "paper"],
        "properties": {key: row["properties"][key] for key in ("name", "paper")},
    }  # fmt: skip
    axes = {
        k: {"type": "array", "items": s, "minItems": 1, "description": s["description"]}
        for k, s in in_rows.items()
        if k != "training"
    }
    than = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    whole_schema: dict[str, Any] = {
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
    _describe(whole_schema["properties"], _STUDY)
    for part, words in (("protocol", _PROTOCOL), ("claim", _CLAIM)):
        _describe(whole_schema["properties"][part]["properties"], words)
    _describe(row["properties"], _ROW)
    _describe(row["properties"]["paper"]["properties"], _PAPER)
    _describe(published["properties"], {key: _ROW[key] for key in published["properties"]})
    return whole_schema


def _describe(properties: dict[str, Any], words: Mapping[str, str]) -> None:
    """What an editor shows of a key; settings bring their own words."""
    for key, said in words.items():
        properties[key] = {**properties[key], "description": said}


_STUDY = {
    "study": "Name of the study: what report, status and watch call it.",
    "question": "What is asked; the title of its table.",
    "table": "Which table of the paper it fills; studies of one table are printed together.",
    "figure": "Which figure of the paper it fills, instead of a table.",
    "corpus": "A registered corpus, `demo`, or `auto`: iemocap where it is registered, else demo.",
    "protocol": "Who is held out, and how often each training is drawn anew.",
    "baseline": "The settings that all rows share; a row changes some with `set`.",
    "rows": "The variants: one row of the table each.",
    "published": "Systems that are printed above the rows as published, and not trained.",
    "axes": "Instead of rows: values of settings, and every combination of them is a row.",
    "reference": "The row that the others are compared with.",
    "claim": "What the paper says of the rows; judged on its own corpus and profile only.",
}
_PROTOCOL = {
    "folds": "How many groups of speakers are held out, one after the other; or `published`.",
    "seeds": "How many trainings each fold and row has, each from other random numbers.",
}
_CLAIM = {
    "better": "The row that the paper calls better.",
    "than": "The rows that it is better than; `rest` for all others.",
    "on": "The metric that is meant.",
}
_ROW = {
    "name": "What the row is called in the table.",
    "set": "Settings in which this row differs from the baseline.",
    "paper": "What the paper prints for the row; any may be missing.",
    "block": "The heading, or headings, under which the row stands.",
}
_PAPER = {
    "wa": "Weighted accuracy in percent, as published.",
    "ua": "Unweighted accuracy in percent, as published.",
    "params": "How many parameters the system has, as published.",
}
