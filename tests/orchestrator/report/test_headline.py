"""What a table of several systems says: blocks, sizes, whose figures."""

import csv
import io
import json
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from rich.cells import cell_len
from rich.console import Console

from orchestrator.analysis.differences import Difference, SeedDifference
from orchestrator.analysis.row_scores import Interval, Pooled
from orchestrator.analysis.summary import RowSummary, Summary
from orchestrator.report.tables.headings import DASH
from orchestrator.report.tables.headline import PUBLISHED, table, tables
from orchestrator.report.tables.plain_values import as_json, flat
from orchestrator.report.tables.supporting import differences, parameters, pooled
from orchestrator.report.tables.table import Table
from orchestrator.report.tables.text import csv_text, json_text, markdown, print_table
from orchestrator.store.snapshot import Snapshot, SnapshotFold, SnapshotRow, SnapshotTrial

ROWS = (
    ("GCN", "gcn", ("own features", "all on lld78"), {"wa": 61.16, "ua": 62.21, "params": 78_000}),
    ("Amir et al.", "compact", ("own features",), {"wa": 63.69, "ua": 59.87, "params": 30_000}),
    ("Amir et al., lld78", "compact", ("all on lld78",), {}),
    ("PATCHY-Diff", "patchy-diff", ("own features", "all on lld78"), {"params": 68_000}),
    ("GA-GRU", "ga-gru", ("own features", "all on lld78"), {"ua": 63.8}),
    ("WMA-GIN", "wma-gin", ("own features", "all on lld78"), {"ua": 67.72, "params": 980_000}),
    ("eGeMAPS + SVM", "svm", ("own features",), {}),
)
PARAMETERS = dict(
    zip(
        (row[0] for row in ROWS), (76_916, 38_660, 44_420, 67_586, 227_076, 579_864, 0), strict=True
    )
)


def summary(*, blocks: bool = True) -> Summary:
    snapshot = Snapshot(
        study="s",
        question="?",
        table=3,
        figure=None,
        corpus="ravdess",
        profile="quick",
        reading="as-written",
        classes=("angry", "sad"),
        utterances=100,
        rows=tuple(
            SnapshotRow(
                name=name,
                reading="as-written",
                paper=paper,
                model=model,
                blocks=own if blocks else (),
            )
            for name, model, own, paper in ROWS
        ),
        folds=tuple(
            SnapshotFold(index=n, a=(f"s{2 * n + 1}",), b=(f"s{2 * n + 2}",), train=8)
            for n in range(2)
        ),
        seeds=1,
        trials=(SnapshotTrial("GCN", 0, 0, "x"),),
        comparable=False,
        reference="WMA-GIN",
        claim=None,
    )
    score = Interval(mean=0.5, low=0.25, high=0.75)
    rows = tuple(
        RowSummary(
            name=row.name,
            n=1,
            missing=0,
            speakers=2,
            wa=score,
            ua=score,
            segment=None,
            last_epoch=None,
            best_on_test=None,
            paper=row.paper,
            difference=None,
            verdict="",
            parameters=PARAMETERS[row.name],
            blocks=row.blocks,
        )
        for row in snapshot.rows
    )
    return Summary(
        snapshot=snapshot,
        rows=rows,
        absent=(),
        classes_of_determinism=1,
        identical_seeds=(),
        alarms=(),
        claim="",
    )


def printed(found: Summary) -> str:
    console = Console(width=80, record=True, file=io.StringIO(), highlight=False)
    print_table(console, table(found))
    return console.export_text()


def test_a_row_stands_under_each_of_its_headings() -> None:
    found = table(summary())
    assert dict(found.headings) == {0: "own features", 6: "all on lld78"}
    assert [cell[0] for cell in found.cells] == [
        "GCN",
        "Amir et al.",
        "PATCHY-Diff",
        "GA-GRU",
        "WMA-GIN",
        "eGeMAPS + SVM",
        "GCN",
        "Amir et al., lld78",
        "PATCHY-Diff",
        "GA-GRU",
        "WMA-GIN",
    ]


def test_headings_stand_in_every_form_within_80_columns() -> None:
    found = summary()
    lines = printed(found).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.strip() for line in lines if line.strip() in found.snapshot.rows[0].blocks] == [
        "own features",
        "all on lld78",
    ]
    marked = markdown(table(found)).splitlines()
    heading = next(line for line in marked if line.startswith("| **own features** |"))
    assert heading.count("|") == marked[marked.index(heading) + 1].count("|")
    assert json.loads(json_text([as_json(found)]))["rows"][0]["blocks"] == [
        "own features",
        "all on lld78",
    ]
    (first, *_) = csv.DictReader(io.StringIO(csv_text(flat(found))))
    assert (first["blocks"], first["parameters"], first["paper_params"]) == (
        "own features; all on lld78",
        "76916",
        "78000",
    )


def test_a_table_without_blocks_has_no_headings() -> None:
    found = table(summary(blocks=False))
    assert not found.headings and [cell[0] for cell in found.cells] == [row[0] for row in ROWS]


def test_counts_stand_beside_the_published_ones() -> None:
    found = parameters(summary())
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


DIFFERENCE = Difference(
    ua=-0.0412,
    low=-0.0824,
    high=0.0,
    p=0.0504,
    groups=4,
    p_alone=0.0084,
    p_sign_flip=0.0625,
    effect=-1.234,
    detectable=0.0567,
    over_seeds=SeedDifference(ua=-0.0398, low=-0.05, high=-0.0296, p=0.0001, seeds=3),
)


def with_differences() -> Summary:
    found = summary(blocks=False)
    whole = Pooled(confusion=((30, 10), (20, 20)), wa=0.625, ua=0.5)
    first = replace(found.rows[0], difference=DIFFERENCE, verdict="cannot tell", pooled=whole)
    return replace(found, rows=(first, *found.rows[1:]))


def test_what_a_difference_rests_on_keeps_the_two_questions_apart() -> None:
    found = differences(with_differences())
    assert found is not None
    assert found.cells[0] == (
        "GCN",
        "0.008",
        "0.050",
        "0.062",
        "-1.23",
        "5.7",
        "-4.0 ± 1.0",
    )
    assert "WMA-GIN" not in [cell[0] for cell in found.cells]  # the reference
    assert "For new speakers" in found.footnotes[0] and "new seeds" in found.footnotes[1]


def test_pooled_confusions_are_percent_of_the_spoken_class() -> None:
    found = pooled(with_differences())
    assert found is not None
    assert [column.head for column in found.columns] == ["row", "WA", "UA", "spoken", "ang", "sad"]
    assert found.cells == (
        ("GCN", "62.5", "50.0", "angry", "75", "25"),
        ("", "", "", "sad", "50", "50"),
    )


def test_rows_on_fewer_groups_and_spreads_of_nothing_are_told() -> None:
    five = tuple(SnapshotFold(index=n, a=(f"a{n}",), b=(f"b{n}",), train=8) for n in range(5))
    found = with_differences()
    fewer = replace(found, snapshot=replace(found.snapshot, folds=five))
    assert any("GCN on 4" in note for note in table(fewer).footnotes)
    still = replace(fewer.rows[1], ua=Interval(mean=0.5, low=None, high=None), groups=2)
    flat = replace(fewer, rows=(still,))
    assert any("exactly 0" in note and "GAT" not in note for note in table(flat).footnotes)
    assert "50.0 ± –" in printed(flat) and "± 0.0" not in printed(flat)
    one = replace(flat, rows=(replace(still, groups=1),))
    assert not any("exactly 0" in note for note in table(one).footnotes)
    two = replace(found, snapshot=replace(found.snapshot, folds=five[:2]))
    assert any("12.7 standard errors" in note for note in table(two).footnotes)
    stale = replace(found, rows=(replace(found.rows[0], stale=2),))
    assert any(note.startswith("Stale: 2 trainings") for note in table(stale).footnotes)


def published() -> Summary:
    found = summary(blocks=False)
    row = SnapshotRow(name="HNSD", reading="", paper={"wa": 70.5, "ua": 72.5}, model="")
    return replace(found, snapshot=replace(found.snapshot, published=(row,)))


def test_a_published_system_stands_apart_without_a_measured_number() -> None:
    found = table(published())
    assert found.headings[0] == PUBLISHED and found.headings[1] == "trained here"
    assert found.cells[0] == ("HNSD", DASH, DASH, DASH, "72.50", DASH, "")
    assert len(found.cells) == 1 + len(ROWS)
    assert json.loads(json_text([as_json(published())]))["published"] == [
        {"name": "HNSD", "paper": {"wa": 0.705, "ua": 0.725, "params": None}}
    ]
    *_, last = csv.DictReader(io.StringIO(csv_text(flat(published()))))
    said = {key: value for key, value in last.items() if value}
    assert said == {
        "study": "s",
        "table": "3",
        "corpus": "ravdess",
        "corpus_part": "all",
        "profile": "quick",
        "reading": "as-written",
        "score": "chosen",
        "name": "HNSD",
        "blocks": PUBLISHED,
        "paper_wa": "0.705",
        "paper_ua": "0.725",
    }


def test_published_systems_stand_above_the_blocks() -> None:
    found = summary()
    row = published().snapshot.published
    whole = table(replace(found, snapshot=replace(found.snapshot, published=row)))
    assert dict(whole.headings) == {0: PUBLISHED, 1: "own features", 7: "all on lld78"}


def test_no_name_means_anything_to_markdown() -> None:
    names = [
        r"a|b \| c\\|d",
        "*a* **b** _c_ __d__ e_f",
        "`x` ``y``",
        "[a](http://x) ![b](c) <b>&amp;",
        "~~a~~ $x_1$ # 1. \\",
        "最後の層 | שכבה",
        "<!-- x --> <script>alert(1)</script>",
    ]
    base = table(with_differences())
    marked = markdown(
        replace(
            base,
            cells=tuple((name, *base.cells[0][1:]) for name in names),
            footnotes=tuple(f"paired with `{name}` here" for name in names),
            headings={0: names[1]},
        )
    )
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(marked)
    inline = [token.children or [] for token in tokens if token.type == "inline"]
    said = ["".join(child.content for child in children) for children in inline]
    assert set(names) <= set(said)
    bare = str.maketrans("", "", '`"')
    notes = [text.translate(bare) for text in said if text.startswith("paired with")]
    assert notes == [f"paired with {name} here".translate(bare) for name in names]
    kinds = {child.type for children in inline for child in children}
    assert kinds <= {"text", "code_inline", "strong_open", "strong_close", "text_special"}
    assert not any(token.type.startswith("html") for token in tokens)


@pytest.mark.parametrize(
    "name",
    [
        "最後から二番目の層を完全隣接にした重み付き多重集約器グラフ同型ネットワーク",
        "שכבה לפני אחרונה",
        "a name of sixty letters that nobody would want to read again",
        "é́ combining and 👩‍👩‍👧 joined",
    ],
)
def test_names_in_any_script_keep_the_columns_aligned(name: str) -> None:
    found = with_differences()
    renamed = replace(
        found.snapshot, rows=(replace(found.snapshot.rows[0], name=name), *found.snapshot.rows[1:])
    )
    rows = (replace(found.rows[0], name=name), *found.rows[1:])
    named = replace(found, snapshot=renamed, rows=rows)
    for one in tables(named, details=True):
        console = Console(width=80, record=True, file=io.StringIO(), highlight=False)
        print_table(console, one)
        lines = console.export_text().splitlines()
        assert max(map(cell_len, lines)) <= 80, one.title
        marked = [line for line in markdown(one).splitlines() if line.startswith("|")]
        assert len({line.replace("\\|", "").count("|") for line in marked}) == 1
    lines = printed(named).splitlines()
    ends = {cell_len(line[: line.index("50.0 ± 25.0")]) for line in lines if "50.0 ± 25.0" in line}
    assert len(ends) == 1


def test_a_question_of_one_s_own_goes_by_its_name_and_not_twice() -> None:
    found = summary()
    own = replace(found.snapshot, table=None, figure=None)
    assert table(replace(found, snapshot=own)).head == "s. ?"
    assert table(replace(found, snapshot=replace(own, question=""))).head == "s"
    assert table(found).head == "Table 3. ?"


def test_rows_of_several_profiles_and_readings_say_which_is_whose_in_every_form() -> None:
    found = summary(blocks=False)
    first, second, *others = found.snapshot.rows
    rows = (
        replace(first, profile="paper"),
        replace(second, profile="quick", reading="size-matched"),
        *others,
    )
    mixed = replace(
        found, snapshot=replace(found.snapshot, rows=rows, profile="mixed", reading="mixed")
    )
    profiles = "Profiles: GCN: paper; Amir et al.: quick; "
    readings = "Readings: GCN: as-written; Amir et al.: size-matched; "
    (line,) = {row["notes"] for row in csv.DictReader(io.StringIO(csv_text(flat(mixed))))}
    forms = (
        printed(mixed),
        markdown(table(mixed)),
        line,
        json.loads(json_text([as_json(mixed)]))["notes"],
    )
    for form in forms:
        said = " ".join(" ".join(form).split() if isinstance(form, list) else form.split())
        assert profiles in said and readings in said
    assert not any(note.startswith(("Profiles", "Readings")) for note in table(found).footnotes)


def test_csv_says_what_the_other_forms_say_under_their_tables() -> None:
    found = summary(blocks=False)
    loud = replace(
        found,
        snapshot=replace(found.snapshot, corpus="demo"),
        identical_seeds=("GCN",),
        rows=(replace(found.rows[0], missing=2), *found.rows[1:]),
    )
    (line,) = {row["notes"] for row in csv.DictReader(io.StringIO(csv_text(flat(loud))))}
    for words in ("Synthesised demo speech", "gave identical predictions", "Missing: 2 trainings"):
        assert words in line


@pytest.mark.parametrize("width", [100, 80, 60, 40, 36])
def test_no_number_is_cut_however_narrow_the_terminal(width: int) -> None:
    dealt = with_differences()
    published = replace(dealt, snapshot=replace(dealt.snapshot, folds=dealt.snapshot.folds[:1]))
    for found in (dealt, published):
        _no_number_is_cut(table(found), width)


def _no_number_is_cut(shown: Table, width: int) -> None:
    console = Console(width=width, file=io.StringIO(), highlight=False, no_color=True)
    print_table(console, shown)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= width
    for row in shown.cells:
        for cell in row[1:]:
            assert any(f" {cell} " in f"{line} " for line in lines), (cell, lines)
    assert all(any(line.startswith(row[0][:10]) for line in lines) for row in shown.cells)
