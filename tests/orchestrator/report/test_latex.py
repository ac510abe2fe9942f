"""A table as LaTeX compiles by itself and in a document, and prints what the table says."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.analysis.summary import summarise
from orchestrator.report.tables.headline import tables
from orchestrator.report.tables.latex import _LETTERS, _SPECIAL, MOST_ROWS, latex
from orchestrator.report.tables.table import Column, Table
from tests import stores

Compile = Callable[[str, str], str]
"""The name of a document and its text -> the text that it prints."""


@pytest.fixture
def pdflatex(tmp_path: Path) -> Compile:
    """A real pdflatex that stops at the first error; and reads its page back."""
    for tool in ("pdflatex", "kpsewhich", "pdftotext"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (texlive-latex-recommended, poppler-utils)")
    if not subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).stdout:
        pytest.skip("booktabs is not installed (texlive-latex-recommended)")

    def printed(name: str, text: str) -> str:
        (tmp_path / f"{name}.tex").write_text(text, encoding="utf-8")
        done = subprocess.run(
            ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape", name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:]
        log = (tmp_path / f"{name}.log").read_text(errors="replace")
        assert "Missing character" not in log
        assert not re.findall(r"Overfull \\hbox.*", log)
        words = ["pdftotext", "-raw", f"{name}.pdf", "-"]
        return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True).stdout

    return printed


def table(*names: str) -> Table:
    heads = ("row", "n", "UA ± 95 %", "differs")
    return Table(
        title="Table 3. Does it, or `it`, earn 5 % of its_place?",
        subtitle="corpus demo, profile quick, reading as-written",
        banner="Synthesised demo speech: these numbers say nothing about people.",
        columns=tuple(Column(head=h, numeric=h not in ("row", "differs")) for h in heads),
        cells=tuple((name, "5", "-54.2 ± 9.1", "cannot tell") for name in names),
        footnotes=("n: p < 0.05; `cannot tell` is no proof.", "Missing: 2 of `a_b`."),
        headings={0: "own_features"},
    )


def flat(text: str) -> str:
    """Without spaces and `_` (a rule, no letter), and with signs as they are typed."""
    return "".join(text.replace("_", "").split()).translate(str.maketrans("−‘’∆ˆ˜", "-``Δ^~"))


@pytest.mark.latex
def test_real_tables_compile_by_themselves_and_in_a_document(
    tmp_path: Path, pdflatex: Compile
) -> None:
    ledger, snapshot = stores.made(
        tmp_path / "store", {"GIN": {}, "w/o FA": {}, "w/o multi-stage loss": {}}, folds=3, seeds=3
    )
    summary = summarise(snapshot, ledger.outcomes.read_all(t.id for t in snapshot.trials))
    whole = tables(summary, details=True)
    text = latex(whole)
    alone = pdflatex("table", text)
    inside = pdflatex(
        "paper",
        "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\nBefore.\n"
        "\\input{table}\nAfter: Table~\\ref{tab:table-7}.\n\\end{document}\n",
    )
    assert "After" in inside
    for page in map(flat, (alone, inside)):
        for one in whole:
            notes = (note.split("g_z")[0] for note in one.footnotes)  # it is set as an index
            said = [one.title, *notes, *(cell for row in one.cells for cell in row)]
            assert [text for text in said if flat(text) not in page] == []
    assert len(set(re.findall(r"\\label{(.*)}", text))) == len(whole)


@pytest.mark.latex
def test_names_of_any_kind_are_printed_and_run_nothing(pdflatex: Compile) -> None:
    names = [
        r"50%_a & $x$ #1 {b} ~c ^d \e",
        r"\input{/etc/passwd}",
        "% no comment",
        "[2em] no space",
        "* a--b ---c",
        "g?`h <<j>> k|l",
        "^^M ^^5c \\\\ |",
        "Δ ≥ 2 × λ ± ∞ → 3",
    ]
    page = flat(pdflatex("names", latex([table(*names, "GIN 最後から 二番目の層", "שכבה 👩‍👩‍👧")])))
    assert [name for name in (*names, "GIN⟨1⟩5", "⟨2⟩5") if flat(name) not in page] == []
    wide = "a name of sixty letters that nobody would want to read again"
    unbroken = "averyveryverylongwordwithoutanyspaceoranyhyphenatallinitsothatitmustbebroken"
    page = pdflatex("wide", latex([table(wide, unbroken)]))  # and neither leaves its column
    assert set(wide.split()) <= set(page.split()) and unbroken[:20] in flat(page)


@pytest.mark.latex
def test_every_sign_that_is_said_to_be_printable_is(pdflatex: Compile) -> None:
    signs = sorted({*_LETTERS, *_SPECIAL} - {"\0"})
    text = latex([table(*("".join(signs[i : i + 20]) for i in range(0, len(signs), 20)))])
    assert "otherscript" not in text
    assert "cannot tell" in pdflatex("signs", text)  # it stops at a sign that it does not know


def test_a_word_of_another_script_is_kept_for_engines_that_know_it() -> None:
    text = latex([table("GIN 最後の_層", "最後の_層", "plain")])
    assert text.count(r"\providecommand\otherscript") == 1
    assert text.count(r"\otherscript{最後の\_層}{$\langle$1$\rangle$}") == 2
    assert "%   <1> 最後の_層" in text


def test_only_a_word_that_no_line_holds_may_break() -> None:
    note = "Missing: `ablate run studies/aggregator_weights.yaml` trains them."
    text = latex([replace(table("GIN"), footnotes=(note,))])
    assert "`ablate run studi\\allowbreak{}es/ag\\allowbreak{}" in text
    assert text.count(r"\allowbreak") == 6


def test_a_long_table_goes_on_with_its_headings_and_ends_with_its_footnotes() -> None:
    names = [f"row-{n}" for n in range(2 * MOST_ROWS + 5)]
    text = latex([replace(table(*names), headings={0: "first", 10: "second"})])
    parts = text.split(r"\begin{table}")[1:]
    assert len(parts) == 3 and [part.count("row-") for part in parts] == [21, 22, 22]
    assert [part.count(r"\emph{second}") for part in parts] == [1, 1, 1]
    assert [r"\footnotesize" in part for part in parts] == [False, False, True]
    assert [part.count("(continued)") for part in parts] == [0, 1, 1]
    assert re.findall(r"row-\d+", text) == names


def test_rows_that_belong_together_stay_on_one_page() -> None:
    classes = ["angry", "happy", "neutral", "sad"]
    cells = [(f"r{n}" if c == "angry" else "", "5", "–", c) for n in range(9) for c in classes]
    text = latex([replace(table(), cells=tuple(cells), headings={})])
    parts = text.split(r"\midrule")[1:]
    assert all(part.strip().startswith("r") for part in parts) and len(parts) == 2
