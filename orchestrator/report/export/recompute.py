"""Computes every printed number of this folder once more, from `predictions.parquet` alone.

    pip install pandas pyarrow scikit-learn scipy
    python recompute.py [--each]

The folder (a bundle) holds the tables of a study in speech emotion recognition and the predictions
that they are made of. `recompute_rows.py`, and for a grid of settings `recompute_effects.py`,
compute the numbers and verdicts, by the formulas of `recompute_statistics.py`; this file compares
them with the printed ones, which `recompute_printed.py` rounds as the tables do. It reads the rows,
folds, seeds and the reference row from `study.json`, the trainings that diverged from
`provenance.json`, the printed numbers from `table.json` (in full) and `table.md` (rounded). Nothing
of the program that made the tables is used.

It prints the numbers that differ by more than 1e-9 (with `--each` all numbers) and how many agree.
The exit code is 0 if all agree, else 1.

Probabilities are kept in single precision. If the two best classes of an utterance are closer than
that, it may get another class here than in the program; the numbers that differ are then printed.

Words: a *row* is a variant of the model, the *reference* the row that all others are compared with.
A *fold* is a group of test speakers (its *held-out group*), in two halves, and its training
speakers. The network that is scored has averaged weights, or is the one at the epoch that was
chosen on one half for the score of the other, as `score` in `study.json` says. A *deal* is one way
to divide the speakers into these groups; most studies have one. A *trial* is the training of one
row on one fold with one seed. WA is weighted accuracy (correct / all), UA is unweighted accuracy
(mean recall over the classes); both are 0 to 1, in `table.md` percent.

Names: `printed` is the content of `table.json`; `bundle` the study with its predictions; `found`
row -> the numbers computed from them; `grid` the main effects and dependences of a grid; `head` and
`lines` the column heads and the lines (lists of cells) of one table in `table.md`.
"""

import hashlib
import json
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.metrics import confusion_matrix

sys.dont_write_bytecode = True  # a bundle stays as it was written

from recompute_effects import Grid, dependences_of, main_effects_of  # noqa: E402
from recompute_printed import (  # noqa: E402
    TOLERANCE,
    as_printed,
    effect_as_printed,
    joined,
    rounded,
)
from recompute_rows import Bundle, family_of, recomputed  # noqa: E402
from recompute_statistics import promise_of  # noqa: E402

HERE = Path(__file__).resolve().parent
"""The folder with the tables and predictions."""


# --- the claim ------------------------------------------------------------------------------


def claim_of(bundle: Bundle) -> tuple[str | None, set[str | None]]:
    """The verdict on the paper's claim that one row has a higher UA than others, and its reason.

    The verdict is None if there is no such claim, or corpus or protocol is not the paper's. The
    reason may be any of the sentences: a number halfway between two roundings may read as either.
    """
    claim = bundle.asked["claim"]
    if not claim or not bundle.asked["comparable"] or claim["on"] != "ua":
        return None, {None}
    if any(map(bundle.missing, bundle.names)):
        n, wanted = (sum(row[key] for row in bundle.counts.values()) for key in ("n", "asked"))
        return "open", {f"{n} of {wanted} trainings are finished"}
    if own := bundle.open_verdict(claim["better"]):
        return "open", {f"`{claim['better']}` is {own}"}
    pairs = {other: bundle.paired(claim["better"], other) for other in claim["than"]}
    unjudged = [other for other in claim["than"] if bundle.open_verdict(other)]
    judged = family_of(bundle, pairs, unjudged)
    against = {name: found for name, found in judged.items() if name not in unjudged}
    if any(found["p"] is None for found in against.values()):
        return "cannot tell", {"there is no spread over held-out groups"}
    adjusted = {name: found["p_holm"] for name, found in against.items()}
    gaps = {name: found["ua"] for name, found in against.items()}
    shown = {name for name, p in adjusted.items() if p < 0.05}
    higher = [name for name in shown if gaps[name] < 0]
    if higher:
        name = min(higher, key=lambda name: gaps[name])
        reasons = {f"`{name}` is higher by {points} points" for points in rounded(-gaps[name])}
        return "contradicts", {*reasons}
    if len(shown) == len(judged):
        least = rounded(min(gaps.values()))
        return "supports", {f"higher by {x} points or more than each other row" for x in least}
    for name in claim["than"]:
        if name not in against:
            return "open", {f"`{name}` is {bundle.open_verdict(name)}"}
    name = max(adjusted, key=lambda name: adjusted[name])
    reach = against[name]["detectable"]
    ends = {f"; {points} would have shown" for points in rounded(reach)} if reach else {""}
    gap, p = rounded(gaps[name], sign="+"), rounded(adjusted[name], 2, scale=1)
    begun = {f"{one} points to `{name}`, p = {other}" for one, other in product(gap, p)}
    return "cannot tell", {*joined(begun, "", ends)}


# --- beside what was printed ----------------------------------------------------------------

Check = tuple[str, str, Any, Any, bool, float]
"""The result of one comparison.

Name of the row, name of the number, printed value, computed value, whether they agree, and their
absolute difference (0 for texts)."""


def checked(row: str, what: str, printed: Any, computed: Any) -> Check:
    """Compare a printed value, named ``what``, with the computed one: numbers to ``TOLERANCE``."""
    if isinstance(printed, int | float) and isinstance(computed, int | float):
        apart = abs(printed - computed)
        return row, what, printed, computed, apart <= TOLERANCE, apart
    return row, what, printed, computed, printed == computed, 0.0


def against_json(
    printed: Mapping[str, Any], bundle: Bundle, found: Mapping[str, Any], grid: Mapping[str, Any]
) -> Iterator[Check]:
    """Compare every number and verdict of `table.json`, where numbers are not rounded."""
    for row in printed["rows"]:
        computed = found[row["name"]]
        for key, value in computed.items():
            if isinstance(value, dict):
                for inner, item in value.items():
                    yield checked(row["name"], f"{key} {inner}", row[key][inner], item)
            elif isinstance(value, list):
                for i, j in product(range(len(value)), repeat=2):
                    what = f"{bundle.classes[i]} taken for {bundle.classes[j]}"
                    yield checked(row["name"], what, row[key][i][j], value[i][j])
            else:
                yield checked(row["name"], key, row[key], value)
    yield from grid_against_json(printed, grid)
    differences = [row["difference"] for row in found.values()]
    yield from promise_against_json(printed["promise"], differences, "the table")
    claim, reasons = claim_of(bundle)
    yield checked("the claim", "verdict", printed["claim"], claim)
    why = printed["reason"]
    yield "the claim", "why", why, " or ".join(map(str, reasons)), why in reasons, 0.0


def grid_against_json(printed: Mapping[str, Any], grid: Mapping[str, Any]) -> Iterator[Check]:
    """Compare the main effects and dependences of a grid; both are empty for other studies."""
    for part in ("main_effects", "dependences"):
        yield checked("all rows", f"number of {part}", len(printed[part]), len(grid[part]))
        for effect, computed in zip(printed[part], grid[part], strict=True):
            name = effect_name(effect)
            for key in computed.keys() & {"axis", "verdict", "depends_on"}:
                yield checked(name, key, effect[key], computed[key])
            for key in computed.keys() & {"ua", "ua_against", "difference", "new_seeds"}:
                for inner, item in computed[key].items():
                    yield checked(name, f"{key} {inner}", effect[key][inner], item)
    differences = [effect["difference"] for effect in grid["main_effects"]]
    yield from promise_against_json(printed["promise_main_effects"], differences, "main effects")


def effect_name(effect: Mapping[str, Any]) -> str:
    """The name of a main effect or a dependence of `table.json`."""
    if "axis" in effect:
        return f"{effect['axis']} {effect['value']}"
    pairs = zip(effect["axes"], effect["values"], strict=True)
    return ", ".join(f"{key} {value}" for key, value in pairs)


def grid_against_markdown(
    head: Sequence[str],
    lines: Sequence[Sequence[str]],
    printed: Mapping[str, Any],
    grid: Mapping[str, Any],
) -> Iterator[Check]:
    """Compare one table of a grid: main effects, the tests behind them, or dependences.

    The table of main effects also has a line for the first value of each axis.
    """
    part = "main_effects" if head[0] == "value" else "dependences"
    effects = list(zip(printed[part], grid[part], strict=True))
    has_firsts = "ΔUA ± 95 %" in head
    for cells in lines:
        is_first = has_firsts and cells[head.index("ΔUA ± 95 %")] == "first"
        effect, computed = effects[0] if is_first else effects.pop(0)
        name = effect_name(effect)
        for column, cell in zip(head[1:], cells[1:], strict=True):
            expected = effect_as_printed(column, computed, is_first=is_first)
            if expected:
                yield read(name, column, cell, expected)


def promise_against_json(
    printed: Mapping[str, Any] | None, differences: Iterable[Mapping[str, Any]], what: str
) -> Iterator[Check]:
    """Compare what the verdicts on ``differences`` promise together."""
    promise = promise_of(differences)
    yield checked(what, "is judged", printed is not None, promise is not None)
    for key, value in (promise or {}).items():
        yield checked(what, f"promise: {key}", printed and printed[key], value)


def against_records(provenance: Mapping[str, Any], bundle: Bundle) -> Iterator[Check]:
    """Compare the record of every trial in `provenance.json` with the predictions.

    Both must have the same trials; every confusion matrix of a record must be the one counted from
    the predictions; every trial id must be the sha256 of the settings that it stands for.
    """
    columns = ["row", "fold", "seed", "trial"]
    trained = set(bundle.predictions[columns].itertuples(index=False, name=None))
    recorded = {(*bundle.slot(trial), trial["trial"]) for trial in provenance["trials"]}
    yield checked("all rows", "trials", sorted(recorded), sorted(trained))
    recounted: dict[tuple[Any, ...], Any] = {}
    for (choice, unit), lines in bundle.lines.items():
        for key, own in lines.groupby(["row", "fold", "seed", "speaker"]):
            counts = confusion_matrix(own.emotion, own.taken, labels=bundle.classes)
            recounted[(*key, choice, unit)] = counts.tolist()
    for trial in provenance["trials"]:
        named = json.dumps(trial["identity"], sort_keys=True, separators=(",", ":"))
        id = hashlib.sha256(named.encode()).hexdigest()
        yield checked(trial["row"], "the id, of what it stands for", trial["trial"], id)
        for s in trial["scores"]:
            key = (*bundle.slot(trial), s["speaker"], s["choice"], s["unit"])
            what = f"counts of {s['speaker']}, {s['choice']}, by {s['unit']}, {trial['trial'][:12]}"
            yield checked(trial["row"], what, s["confusion"], recounted.get(key))


def against_markdown(
    text: str,
    printed: Mapping[str, Any],
    bundle: Bundle,
    found: Mapping[str, Any],
    grid: Mapping[str, Any],
) -> Iterator[Check]:
    """Compare every cell of `table.md` (``text``) that is computed from predictions, rounded."""
    for head, lines in tables_of(text):
        if head[0] in ("value", "values"):
            yield from grid_against_markdown(head, lines, printed, grid)
            continue
        if "spoken" in head:
            yield from against_pooled(head, lines, printed, bundle, found)
            continue
        if head[0] == "axis":  # of a search: rests on trials that no table is made of
            continue
        if head[0] == "group: configuration":
            yield from against_groups(head, lines, bundle)
            continue
        names = rows_in_order(printed, head, len(lines), bundle)
        for name, cells in zip(names, lines, strict=True):
            if name is None:  # published, and not trained here
                continue
            for column, cell in zip(head[1:], cells[1:], strict=True):
                expected = as_printed(column, found[name], name, bundle)
                if expected:
                    yield read(name, column, cell, expected)


def against_groups(
    head: Sequence[str], lines: Sequence[Sequence[str]], bundle: Bundle
) -> Iterator[Check]:
    """Compare the test UA in the table of a search, which has a line for each held-out group.

    A line has the configuration that was chosen for the group on the other speakers. The inner UA,
    by which it was chosen, cannot be computed from these predictions and is not compared.
    """
    (name,) = bundle.names
    by_group = bundle.by_speaker(name, "ua").groupby("fold").mean()
    for cells, ua in zip(lines, by_group, strict=True):
        yield read(cells[0], "UA", cells[head.index("UA")], rounded(float(ua)))


def against_pooled(
    head: Sequence[str],
    lines: Sequence[Sequence[str]],
    printed: Mapping[str, Any],
    bundle: Bundle,
    found: Mapping[str, Any],
) -> Iterator[Check]:
    """Compare the table of pooled scores, which counts all held-out utterances at once.

    A row has one line for each spoken class, with percent of the class that was taken for each
    class; its first line also has WA and UA.
    """
    names = [row["name"] for row in printed["rows"] if row["pooled_confusion"]]
    size = len(bundle.classes)
    for index, cells in enumerate(lines):
        name = names[index // size]
        if index % size == 0:
            for column, cell in zip(("WA", "UA"), cells[1:3], strict=True):
                score = found[name]["pooled"][column.lower()]
                yield read(name, f"pooled {column}", cell, rounded(score))
        counts = found[name]["pooled_confusion"][index % size]
        for column, cell, count in zip(head[4:], cells[4:], counts, strict=True):
            share = rounded(count / sum(counts), 0) if sum(counts) else {"–"}
            yield read(name, f"{cells[3]} taken for {column}", cell, share)


def read(name: str, column: str, cell: str, expected: set[str]) -> Check:
    """Compare a cell of `table.md` with the texts that the computed number may be printed as."""
    plain = cell.replace("\\[", "[").replace("\\]", "]").replace("&lt;", "<")
    return (
        name,
        f"printed under {column}",
        plain,
        " or ".join(sorted(expected)),
        plain in expected,
        0.0,
    )


def tables_of(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """The column heads and the lines of every Markdown table in a text, as lists of cells.

    Lines with nothing but a heading above a block of rows are left out.
    """
    head: list[str] = []
    lines: list[list[str]] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("| "):
            cells = [cell.strip() for cell in line.replace("\\|", "\0").strip("|").split("|")]
            if not head:
                head = cells
            elif not set("".join(cells)) <= set(":-") and not is_heading(cells):
                lines.append(cells)
        elif head:
            yield head, lines
            head, lines = [], []


def is_heading(cells: Sequence[str]) -> bool:
    """Whether a line of a table has nothing but a bold heading in its first cell."""
    return cells[0].startswith("**") and not any(cells[1:])


def rows_in_order(
    printed: Mapping[str, Any], head: Sequence[str], lines: int, bundle: Bundle
) -> list[str | None]:
    """The name of the row on each of a table's ``lines`` lines.

    None stands for a line without a number that can be computed from predictions.
    """
    names = [row["name"] for row in printed["rows"]]
    blocks = list(dict.fromkeys(block for row in printed["rows"] for block in row["blocks"]))
    laid = [row["name"] for b in blocks for row in printed["rows"] if b in row["blocks"]] or names
    if "settled" in head:
        return [None if name == bundle.reference else name for name in names]
    if "best on test" in head:
        return [*names]
    if "p Holm" in head:
        return [name for name in names if name != bundle.reference]
    if "parameters" in head:
        return [None] * lines  # counted on networks, not on predictions
    return [*[None] * len(printed["published"]), *laid]


def main() -> int:
    """Compare all numbers and print the result; returns the exit code, 0 if all agree, else 1."""
    warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
    asked, printed, provenance = (
        json.loads((HERE / name).read_text(encoding="utf-8"))
        for name in ("study.json", "table.json", "provenance.json")
    )
    predictions = pd.read_parquet(HERE / "predictions.parquet")
    bundle = Bundle(asked, predictions, provenance["given_up"])
    found = recomputed(bundle)
    axes = Grid(bundle)
    dependences = dependences_of(axes)
    grid = {"main_effects": main_effects_of(axes, dependences), "dependences": dependences}
    text = (HERE / "table.md").read_text(encoding="utf-8")
    checks = [
        *against_json(printed, bundle, found, grid),
        *against_records(provenance, bundle),
        *against_markdown(text, printed, bundle, found, grid),
    ]
    for row, what, shown, computed, agrees, _ in checks:
        if "--each" in sys.argv[1:] or not agrees:
            print(f"{'agrees ' if agrees else 'DIFFERS'}  {row}: {what}: {shown} / {computed}")
    wrong = sum(not agrees for *_, agrees, _ in checks)
    apart = max((apart for *_, apart in checks), default=0.0)
    print(
        f"{len(checks) - wrong} of {len(checks)} agree, computed from {len(predictions)} "
        f"predictions; the largest difference of a number is {apart:.1e}."
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
