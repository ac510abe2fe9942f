r"""Tables as a LaTeX file with booktabs, which compiles alone or inside a document by ``\input``.

The preamble needs booktabs alone: ``\multicolumn`` sets the heads, a minipage the footnotes, and
letters are written so that OT1, the oldest encoding, prints them. A word in another script would be
an error in pdfLaTeX, which prints a number instead; the first lines of the file list such words.
XeLaTeX and LuaLaTeX print the word.
"""

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby, pairwise

from rich.cells import cell_len

from orchestrator.printable import clean
from orchestrator.report.tables.table import Column, Table, is_loud

WIDEST = 26
"""Width of the first column in ens (half an em each); a name that is wider breaks into lines."""
UNBROKEN = 20
"""A word of more characters than this may break at the end of a line, without a hyphen.

A character of double width, such as a Chinese one, counts twice."""
MOST_ROWS = 30
"""Most rows of one ``table`` environment; a longer table goes on in further ones."""

_SPECIAL = {
    "\1": r"\allowbreak{}",  # in a word that no line holds
    "\0": "{}",  # between two signs that would become one; text is cleaned of it before
    **{char: "\\" + char for char in "%&#_${}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{char: f"${char}$" for char in "<>|"},  # other signs in OT1
    **{char: f"{{{char}}}" for char in "[]*"},  # a row's end would take them for its own
    '"': r"{\char34}",  # a command where babel speaks German
    **{"–": "--", "—": "---", "…": r"\dots{}", "\u00a0": "~", "\u2009": r"\,"},
    **{"‘": "`", "’": "'", "“": "``", "”": "''", "°": r"$^\circ$", "µ": r"$\mu$"},
    **{"±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "−": "$-$", "≈": r"$\approx$"},
    **{"≤": r"$\le$", "≥": r"$\ge$", "≠": r"$\ne$", "∞": r"$\infty$", "√": r"$\surd$"},
    **{"→": r"$\to$", "←": r"$\gets$", "↔": r"$\leftrightarrow$", "∈": r"$\in$"},
    **{char: f"$^{n}$" for n, char in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{char: f"$_{n}$" for n, char in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}
"""Character -> the LaTeX that prints it, for all characters that LaTeX does not print as they are.

Greek letters are added below."""
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lamda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega"
)
_CAPITAL = "Gamma Delta Theta Lamda Xi Pi Sigma Upsilon Phi Psi Omega"
"""Greek capitals that do not look like a Latin letter, for which LaTeX has a command."""
for _letter in _GREEK.split():
    _command = _letter.replace("lamda", "lambda")
    _SPECIAL[unicodedata.lookup(f"GREEK SMALL LETTER {_letter}")] = f"$\\{_command}$"
    if _letter.title() in _CAPITAL.split():
        _big = unicodedata.lookup(f"GREEK CAPITAL LETTER {_letter}")
        _SPECIAL[_big] = f"$\\{_command.title()}$"

_LETTERS = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿĀāĂăĆćĈĉĊċČčĎďĒēĔĕĖėĚěĜĝĞğĠġĢģĤĥĨĩĪī"
    "ĬĭİıĴĵĶķĹĺĻļĽľŁłŃńŅņŇňŌōŎŏŐőŒœŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŨũŪūŬŭŮůŰűŴŵŶŷŸŹźŻżŽž"
)
"""The letters that LaTeX's encoding OT1 can print, found by compiling each one up to U+017F."""

ALONE = r"""\ifdefined\table\else % compiled by itself, this file is a document
  \documentclass{article}
  \usepackage{booktabs}
  \begin{document}
  \def\ablateends{\end{document}}
\fi
"""
"""The LaTeX that makes the file a document of its own if no document includes it."""
ENDS = "\\csname ablateends\\endcsname\n"
"""The LaTeX at the end of the file, which ends that document if there is one."""
OTHER = r"\providecommand\otherscript[2]{\ifdefined\Umathcode#1\else#2\fi}" + "\n"
"""The LaTeX command that prints a word in another script, or its number in pdfLaTeX."""


def latex(tables: Sequence[Table]) -> str:
    r"""The text of a LaTeX file: a ``table`` environment for each table, or several for a long one.

    Each has a caption and a ``\label`` such as ``tab:table-1``; footnotes follow the last part.
    """
    words = _Words()
    bodies = [
        _environment(part, words, number, continued=page > 0)
        for number, table in enumerate(tables)
        for page, part in enumerate(_parts(table))
    ]
    lines = [
        "% In your preamble: \\usepackage{booktabs}. Then \\input{...} this file, or paste it.",
        "% Over both columns of a page: table* instead of table. Alone: pdflatex FILE.",
    ]
    if words.others:
        lines += [
            "% Words that pdfLaTeX cannot print; XeLaTeX and LuaLaTeX do, with a font that has",
            "% them (\\usepackage{fontspec}\\setmainfont{...}; babel for a right-to-left script):",
            *(f"%   <{number}> {word}" for word, number in words.others.items()),
        ]
    head = "\n".join(lines) + "\n" + ALONE + (OTHER if words.others else "")
    return head + "\n" + "\n".join(bodies) + ENDS


class _Words:
    """Escapes text for LaTeX and numbers the words that pdfLaTeX cannot print.

    Such words are in another script, such as Chinese; pdfLaTeX prints their number instead.
    """

    def __init__(self) -> None:
        self.others: dict[str, int] = {}
        """Words that pdfLaTeX cannot print -> their number, from 1."""

    def plain(self, text: str) -> str:
        """Escape a text for LaTeX, whatever characters it has."""
        words = unicodedata.normalize("NFC", clean(text)).split(" ")
        runs = ((known, " ".join(run)) for known, run in groupby(words, key=_is_known))
        return " ".join(_escaped(run) if known else self._other(run) for known, run in runs)

    def prose(self, text: str) -> str:
        """Escape a sentence for LaTeX; text in backticks is put into single quotes."""
        parts = text.split("`")
        if len(parts) % 2 == 0:
            return self.plain(text)
        quoted = (f"`{self.plain(p)}'" if i % 2 else self.plain(p) for i, p in enumerate(parts))
        return re.sub(r"\b([dg])\\_z\b", r"$\1_z$", "".join(quoted)).replace(r" \%", r"~\%")

    def number(self, text: str) -> str:
        """Escape a cell with numbers; their signs are set in math mode, where both are as wide."""
        return re.sub(r"(?<![\w.)])([+-])(?=\d)", r"$\1$", self.plain(text))

    def _other(self, run: str) -> str:
        number = self.others.setdefault(run, len(self.others) + 1)
        return rf"\otherscript{{{_escaped(run)}}}{{$\langle${number}$\rangle$}}"


def _is_known(word: str) -> bool:
    """Whether pdfLaTeX can print every character of a word."""
    return all(char.isascii() or char in _SPECIAL or char in _LETTERS for char in word)


def _escaped(run: str) -> str:
    parted = re.sub(r"([-`',])(?=\1)|([?!])(?=`)", "\\g<0>\0", run)  # else another sign
    parted = " ".join(map(_breakable, parted.split(" ")))
    return "".join(_SPECIAL.get(char, char) for char in parted)


def _breakable(word: str) -> str:
    r"""The word; if it is wider than ``UNBROKEN``, with ``\1`` wherever a line may break in it."""
    if cell_len(word) <= UNBROKEN:
        return word
    return re.sub(f"(.{{{UNBROKEN // 4}}})(?=.)", "\\g<1>\1", word)


def _parts(table: Table) -> list[Table]:
    """The table in parts of about ``MOST_ROWS`` rows each; only the last one has the footnotes."""
    pages = max(1, -(-len(table.cells) // MOST_ROWS))
    starts = [len(table.cells) * page // pages for page in range(pages)]
    starts = [_beginning(table, start) for start in starts]
    return [
        replace(
            table,
            cells=table.cells[start:stop],
            headings=_headings(table, start, stop),
            footnotes=table.footnotes if stop == len(table.cells) else (),
        )
        for start, stop in pairwise([*starts, len(table.cells)])
    ]


def _beginning(table: Table, index: int) -> int:
    """The index of the first row of a group: this row if it has a name, else the one above.

    A row without a name in its first cell belongs to the named row above it.
    """
    while index and not table.cells[index][0]:
        index -= 1
    return index


def _headings(table: Table, start: int, stop: int) -> dict[int, str]:
    """The headings of the rows from ``start`` to before ``stop``, with indices from ``start``.

    If the part begins inside a block, the block's heading is repeated at its top.
    """
    above = [index for index in table.headings if index <= start]
    first = {0: table.headings[max(above)]} if above else {}
    rest = {index - start: name for index, name in table.headings.items() if start < index < stop}
    return {**first, **rest}


def _environment(table: Table, words: _Words, number: int, *, continued: bool) -> str:
    lines = [] if continued else [f"% {clean(table.label)}"]
    label = f"{table.label} {number + 1 if number else ''}".strip().lower().replace(" ", "-")
    caption = words.prose(" ".join(map(_sentence, filter(None, (table.title, table.subtitle)))))
    if table.banner:
        caption += rf" \textbf{{{words.prose(table.banner)}}}"
    lines += [r"\begin{table}[tbp]", r"\centering\small"]
    lines.append(r"\setlength{\tabcolsep}{3.5pt}\setlength{\belowcaptionskip}{6pt}")
    if continued:
        lines += [r"\addtocounter{table}{-1}", rf"\caption{{{caption} (continued)}}"]
    else:
        lines += [rf"\caption{{{caption}}}", rf"\label{{tab:{label}}}"]
    lines += _tabular(table, words)
    if table.footnotes:
        lines += [r"\par\medskip", r"\begin{minipage}{\linewidth}\footnotesize\raggedright"]
        lines.append(r"\everypar{\hangindent1em}\parskip2pt")
        for note in table.footnotes:
            line = words.prose(note)
            loud = is_loud(note)
            lines.append((rf"\textbf{{{line}}}" if loud else line) + r"\par")
        lines.append(r"\end{minipage}")
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def _tabular(table: Table, words: _Words) -> list[str]:
    """The lines of the ``tabular`` environment: column heads, headings of blocks, rows."""
    pairs = [_is_pair(table, index) for index in range(len(table.columns))]
    wide = max((cell_len(row[0]) for row in table.cells), default=0) > WIDEST
    kinds = [
        _kind(column, pair, wide and not index)
        for index, (column, pair) in enumerate(zip(table.columns, pairs, strict=True))
    ]
    rows = list[list[str] | str]()
    for index, row in enumerate(table.cells):
        first = rf"\raggedright {words.plain(row[0])}" if wide else words.plain(row[0])
        rest = [
            _cell(cell, column, pair, words)
            for cell, column, pair in zip(row[1:], table.columns[1:], pairs[1:], strict=True)
        ]
        if index in table.headings:
            if index:
                rows.append(r"\addlinespace")
            heading = rf"\emph{{{words.plain(table.headings[index])}}}"
            rows.append(rf"\multicolumn{{{len(kinds) + sum(pairs)}}}{{@{{}}l}}{{{heading}}} \\")
        rows.append([first, *rest])
    heads = [_head(column, pair, words) for column, pair in zip(table.columns, pairs, strict=True)]
    body = _aligned(rows)
    return [
        rf"\begin{{tabular}}{{@{{}}{''.join(kinds)}@{{}}}}",
        r"\toprule",
        " &\n".join(heads) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]


def _is_pair(table: Table, index: int) -> bool:
    """Whether a column has cells such as ``54.2 ± 9.1``, which LaTeX sets as two columns."""
    return "±" in table.columns[index].head and any(" ± " in row[index] for row in table.cells)


def _kind(column: Column, pair: bool, wide: bool) -> str:
    if wide:
        return f"p{{{WIDEST / 2:g}em}}"
    return r"r@{\,$\pm$\,}r" if pair else "r" if column.numeric else "l"


def _head(column: Column, pair: bool, words: _Words) -> str:
    """The LaTeX of a column's head, wrapped into lines and aligned at the last line.

    Args:
        column: the column.
        pair: whether the column is set as two, mean and half of the interval.
        words: escapes the text.
    """
    whole = column.head.replace("± 95 %", "±\u00a095\u00a0%")
    width = 6 if pair else 10  # a head wider than its pair would tear it apart
    parts = textwrap.wrap(whole, width, break_long_words=False, break_on_hyphens=False)
    lines = [words.prose(part) for part in parts]
    side = "c" if pair else "r" if column.numeric else "l"
    stack = r" \\ ".join(lines)
    if len(lines) > 1:
        stack = rf"\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}{stack}\end{{tabular}}"
    return rf"\multicolumn{{2}}{{c}}{{{stack}}}" if pair else stack


def _cell(cell: str, column: Column, pair: bool, words: _Words) -> str:
    if not pair:
        return words.number(cell) if column.numeric else words.plain(cell)
    mean, plus_minus, half = cell.partition(" ± ")
    if plus_minus:
        return f"{words.number(mean)} & {words.number(half)}"
    return rf"\multicolumn{{2}}{{c}}{{{words.plain(cell)}}}"


def _aligned(rows: Sequence[list[str] | str]) -> list[str]:
    """The rows as lines of LaTeX, cells padded with spaces so that the file reads as a table.

    Args:
        rows: lists of cells, and lines between them that are kept as they are.
    """
    cells = [row for row in rows if isinstance(row, list)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        row
        if isinstance(row, str)
        else " & ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + r" \\"
        for row in rows
    ]
