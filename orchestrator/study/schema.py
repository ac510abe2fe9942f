"""The JSON Schema of a study file, for editors: the same keys and values that ``study`` reads."""

from collections.abc import Mapping
from typing import Any

from features.corpora.catalogue import NAME
from orchestrator.study.protocol import FEWEST_SEEDS, REPLICATES
from orchestrator.study.search_key.reader import (
    AXES,
    INNER_FOLDS,
    MAX_HOURS,
    MAX_TRIALS,
    SELECTIONS,
    kind_of,
    number_kind,
)
from orchestrator.study.search_key.space import SAMPLERS, UNITS
from orchestrator.study.settings import SETTINGS, TRAINING_DOCS
from orchestrator.study.study import METRICS, MOST_PARAMETERS
from orchestrator.study.value_readers import choice, flag, number, whole


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
            {"oneOf": [{"required": [key]} for key in ("rows", "axes", "search")]},
            {"not": {"required": ["table", "figure"]}},
            _ADAPTIVE,
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
                    "replicates": choice(*REPLICATES)[1],
                },
            },
            "baseline": {"type": "object", "additionalProperties": False,
                         "properties": settings["baseline"]},
            "rows": {"type": "array", "items": row, "minItems": 1},
            "published": {"type": "array", "items": published, "minItems": 1},
            "axes": {"type": "object", "additionalProperties": False, "properties": axes,
                     "minProperties": 1},
            "search": _search(),
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
    for part, words in (("protocol", _PROTOCOL), ("claim", _CLAIM), ("search", _SEARCH)):
        _describe(whole_schema["properties"][part]["properties"], words)
    _describe(row["properties"], _ROW)
    _describe(row["properties"]["paper"]["properties"], _PAPER)
    _describe(published["properties"], {key: _ROW[key] for key in published["properties"]})
    return whole_schema


def _search() -> dict[str, Any]:
    """The key ``search``, as ``search_key`` reads it."""
    amounts = {"trials": whole(1, MAX_TRIALS)[1], "hours": number(0.01, MAX_HOURS)[1]}
    amounts["gpu_hours"] = amounts["hours"]
    budget: dict[str, Any] = {
        "type": "object", "additionalProperties": False, "minProperties": 1, "maxProperties": 1,
        "properties": {unit: amounts[unit] for unit in UNITS},
    }  # fmt: skip
    _describe(budget["properties"], _BUDGET)
    axes: dict[str, Any] = {
        "type": "object", "additionalProperties": False, "minProperties": 1,
        "properties": {key: _axis(key) for key in AXES},
    }  # fmt: skip
    return {
        "type": "object", "additionalProperties": False, "required": ["axes", "budget"],
        "properties": {
            "axes": axes,
            "budget": budget,
            "sampler": {"enum": list(SAMPLERS)},
            "seed": whole(0, 2**31 - 1)[1],
            "selection": {"enum": list(SELECTIONS)},
            "inner_folds": whole(*INNER_FOLDS)[1],
            "pruning": flag()[1],
        },
    }  # fmt: skip


def _axis(key: str) -> dict[str, Any]:
    """What an axis of a search may be: values, a range where they are numbers, the simplex."""
    value = kind_of(key)[1]
    when = {
        "type": "string",
        "pattern": r"^\s*[a-z_]+\s*(=|>=|<=)\s*\S+\s*$",
        "description": "Only where another axis is so, such as `layers >= 3`.",
    }
    choices = {"type": "array", "items": value, "minItems": 2}
    forms: list[dict[str, Any]] = [
        choices,
        {
            "type": "object", "additionalProperties": False, "required": ["choices"],
            "properties": {"choices": {**choices, "description": "Its values."}, "when": when},
        },
    ]  # fmt: skip
    if number_kind(key):
        ends = {
            "low": {**value, "description": "The smallest value."},
            "high": {**value, "description": "The largest value."},
            "log": {"enum": [True, False, "on", "off"], "description": "Drawn by its logarithm."},
            "when": when,
        }
        if number_kind(key) == "integer":
            ends["step"] = {**whole(1, 4096)[1], "description": "From one value to the next."}
        forms.append({"type": "object", "additionalProperties": False,
                      "required": ["low", "high"], "properties": ends})  # fmt: skip
    if key == "aggregators":
        forms.append({"const": "simplex"})
    doc = SETTINGS[key].doc if key in SETTINGS else TRAINING_DOCS[key]
    return {"anyOf": forms, "description": doc}


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
    "search": "Instead of rows: a space of settings, whose best configuration is looked for.",
    "reference": "The row that the others are compared with.",
    "claim": "What the paper says of the rows; judged on its own corpus and profile only.",
}
_PROTOCOL = {
    "folds": "How many groups of speakers are held out, one after the other; or `published`.",
    "seeds": "How many trainings each fold and row has, each from other random numbers.",
    "replicates": "adaptive: seeds go to comparisons that are open; `seeds` is the most of a row.",
}
_ADAPTIVE: dict[str, Any] = {
    "if": {
        "required": ["protocol"],
        "properties": {
            "protocol": {
                "required": ["replicates"],
                "properties": {"replicates": {"const": "adaptive"}},
            }
        },
    },
    "then": {
        "required": ["reference"],
        "not": {"required": ["search"]},
        "properties": {
            "protocol": {
                "required": ["seeds"],
                "properties": {"seeds": {"minimum": FEWEST_SEEDS}},
            },
            "rows": {"minItems": 2},
        },
    },
}
"""What `replicates: adaptive` needs: comparisons, and a cap."""
_SEARCH = {
    "axes": "What is varied: ranges, lists of values, conditions.",
    "budget": "How much is tried: one of configurations, hours, GPU-hours.",
    "sampler": "How configurations are proposed.",
    "seed": "Another seed proposes other configurations.",
    "selection": "nested: chosen by speakers who score nothing; flat: on the dev speakers.",
    "inner_folds": "Into how many groups the training speakers of a fold are dealt.",
    "pruning": "Whether a configuration that falls behind the best is spared its other folds.",
}
_BUDGET = {
    "trials": "Configurations for each held-out group; for all of them where selection is flat.",
    "hours": "Hours of training, of all trials of the search together.",
    "gpu_hours": "The same, of trials that trained on a GPU.",
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
