"""What a table of several systems says: blocks, sizes, whose figures."""

import csv
import io
import json

import pytest
from rich.console import Console

from orchestrator.report.rows import DASH, sizes, table
from orchestrator.report.text import csv_text, json_text, markdown, print_table
from orchestrator.snapshot import Asked, AskedFold, AskedRow, AskedTrial
from orchestrator.summary import Interval, RowSummary, Summary

ROWS = (
    ("GCN", "gcn", ("own features", "all on lld78"), {"wa": 61.16, "ua": 62.21, "params": 78_000}),
    ("Amir et al.", "compact", ("own features",), {"wa": 63.69, "ua": 59.87, "params": 30_000}),
    ("Amir et al., lld78", "compact", ("all on lld78",), {}),
    ("PATCHY-Diff", "patchy-diff", ("own features", "all on lld78"), {"params": 68_000}),
    ("GA-GRU", "ga-gru", ("own features", "all on lld78"), {"ua": 63.8}),
    ("WMA-GIN", "wma-gin", ("own features", "all on lld78"), {"ua": 67.72, "params": 980_000}),
    ("eGeMAPS + SVM", "svm", ("own features",), {}),
)
PARAMETERS = dict(zip((row[0] for row in ROWS), (76_916, 38_660, 44_420, 67_586, 227_076,
                                                 579_864, 0), strict=True))  # fmt: skip


def summary(*, blocks: bool = True) -> Summary:
    asked = Asked(
        study="s", question="?", table=3, figure=None, corpus="ravdess", profile="quick",
        reading="as-written", classes=("angry", "sad"), utterances=100,
        rows=tuple(
            AskedRow(name=name, reading="as-written", paper=paper, model=model,
                     blocks=own if blocks else ())
            for name, model, own, paper in ROWS
        ),
        folds=(AskedFold(index=0, a=("s1",), b=("s2",), train=8),), seeds=1,
        trials=(AskedTrial("GCN", 0, 0, "x"),), comparable=False, reference="WMA-GIN", claim=None,
    )  # fmt: skip
    score = Interval(mean=0.5, low=0.25, high=0.75)
    rows = tuple(
        RowSummary(
            name=row.name, n=1, missing=0, speakers=2, wa=score, ua=score, segment=None,
            last_epoch=None, best_on_test=None, paper=row.paper, difference=None, verdict="",
            parameters=PARAMETERS[row.name], blocks=row.blocks,
        )
        for row in asked.rows
    )  # fmt: skip
    return Summary(
        asked=asked, rows=rows, absent=(), classes_of_determinism=1, identical_seeds=(),
        alarms=(), claim="",
    )  # fmt: skip


def printed(found: Summary) -> str:
    console = Console(width=80, record=True, file=io.StringIO(), highlight=False)
    print_table(console, table(found))
    return console.export_text()


def test_a_row_stands_under_each_of_its_headings() -> None:
    found = table(summary())
    assert dict(found.headings) == {0: "own features", 6: "all on lld78"}
    assert [cell[0] for cell in found.cells] == [
        "GCN", "Amir et al.", "PATCHY-Diff", "GA-GRU", "WMA-GIN", "eGeMAPS + SVM",
        "GCN", "Amir et al., lld78", "PATCHY-Diff", "GA-GRU", "WMA-GIN",
    ]  # fmt: skip


def test_headings_stand_in_every_form_within_80_columns() -> None:
    found = summary()
    lines = printed(found).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.strip() for line in lines if line.strip() in found.asked.rows[0].blocks] == [
        "own features",
        "all on lld78",
    ]
    marked = markdown(table(found)).splitlines()
    heading = next(line for line in marked if line.startswith("| **own features** |"))
    assert heading.count("|") == marked[marked.index(heading) + 1].count("|")
    assert json.loads(json_text([found]))["rows"][0]["blocks"] == ["own features", "all on lld78"]
    (first, *_) = csv.DictReader(io.StringIO(csv_text([found])))
    assert (first["blocks"], first["parameters"], first["paper_params"]) == (
        "own features; all on lld78",
        "76916",
        "78000",
    )


def test_a_table_without_blocks_has_no_headings() -> None:
    found = table(summary(blocks=False))
    assert not found.headings and [cell[0] for cell in found.cells] == [row[0] for row in ROWS]


def test_counts_stand_beside_the_published_ones() -> None:
    found = sizes(summary())
    assert found is not None
    assert found.cells == (
        ("GCN", "76,916", "78K", "ours, near the count"),
        ("Amir et al.", "38,660", "30K", "published"),
        ("Amir et al., lld78", "44,420", DASH, "published"),
        ("PATCHY-Diff", "67,586", "68K", "ours, near the count"),
        ("GA-GRU", "227,076", DASH, "ours, free"),
        ("WMA-GIN", "579,864", "0.98M", "reading as-written"),
    )


@pytest.mark.parametrize(
    "note",
    [
        "Sizes that a paper leaves open are ours: GCN, PATCHY-Diff near the published count; "
        "GA-GRU freely.",
        "Published figures: GCN reported by LSTM-GIN's paper; PATCHY-Diff reproduced by "
        "WMA-GIN's paper.",
    ],
)
def test_a_footnote_says_whose_sizes_and_figures_they_are(note: str) -> None:
    assert note in table(summary()).footnotes
