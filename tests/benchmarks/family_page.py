"""The page docs/simulation.md: what the moderated t does on tables of known truth.

    .venv/bin/python -m tests.benchmarks.family_page

draws them anew (a minute or two) and writes the page.
"""

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

from tests.benchmarks.family_tables import (
    COMPARISONS,
    LUCKS,
    METHODS,
    Cell,
    Design,
    cells,
    designs,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "simulation.md"

INTRODUCTION = """# The simulation behind the promise

[What the statistics promise](statistics.md#what-the-statistics-promise) rests on drawn tables
whose truth is known. This page has all of them. It is written by

<!-- needs: some minutes -->
```sh
.venv/bin/python -m tests.benchmarks.family_page
```

and `make bench` draws the same tables and checks what is said here.

A row's score in a pair of speakers is a sum of random parts, in points of UA: what the row is to
a speaker (a standard deviation of 3), to the pair (2), to the seed of a training (3), and the
utterances that happen to be counted (8 for a speaker of RAVDESS with 28 of them, 2 for one of
IEMOCAP with about 550). *Luck* is what all trainings of a row share, since folds share their
training speakers; no spread between pairs shows it. Its deviation is 0, 1.5 divided by the root
of the number of speakers, 1.5, or *at the bound*: what a table tolerates, if it knew the true
spread. Rows scatter over pairs as a normal variable does, or with heavy tails (Student's t of 3
degrees of freedom, same deviation), or one row scatters 2.5 times as much. Ratio of test to
training speakers: 1 / (pairs - 1).

Every table prints how much luck it tolerates. A cell is *promised* where at least half of its
tables print as much as was drawn; the others stand in parentheses. A promised cell fails if the
lower end of the 99 % interval of its rate is above 5 %, or if its intervals cover less than 93.5
%. None does.
"""


CHOICE = """Mean half width in points, and in how many of 100 tables a true difference of one row of
4 or 8 points is shown after correction for all rows; 3 seeds, no luck. *Corrected t*: each row has
its own variance, with Holm; *moderated t*: variances shared as limma does it, with Holm; *pooled*:
one variance of rows and groups, with Dunnett's test. All with Nadeau and Bengio's factor. The
tables use the moderated t. Pooled shows as much where rows scatter alike, and far less where one
row scatters more than the others.
"""


def page(drawn: Sequence[Cell]) -> str:
    """The Markdown page on all cells."""
    ours = [cell for cell in drawn if cell.method == "moderated t"]
    parts = [INTRODUCTION, _conclusion(ours)]
    parts += [
        "## False tables\n\nPercent of tables in which nothing differs and a row is shown "
        f"(of {ours[0].tables:,} tables a cell).\n"
    ]
    parts += _grids(ours, lambda cell: f"{100 * cell.rate:.1f}")
    parts += ["## Coverage\n\nPercent of 95 % intervals that hold the truth, over all rows.\n"]
    parts += _grids(ours, lambda cell: f"{100 * cell.coverage:.1f}")
    parts += [_choice(drawn)]
    return "\n".join(parts)


def _conclusion(ours: Sequence[Cell]) -> str:
    promised = [cell for cell in ours if cell.is_promised]
    told = [cell for cell in ours if 20 * cell.told >= cell.tables]
    worst = 100 * max(cell.told_false / cell.told for cell in told)
    most, least = 100 * max(c.rate for c in promised), 100 * min(c.coverage for c in promised)
    some = ours[0].tables // 20
    wide = 100 * min(cell.least_coverage for cell in promised)
    return f"""## In short

- {len(promised)} of {len(ours)} cells are promised. Of their tables at most {most:.1f} % are false,
  and of their intervals at least {least:.1f} % hold the truth.
- Of the tables that print at least as much luck as was drawn, at most {worst:.1f} % are false, in
  every cell that has {some} of them, promised or not.
- Not promised is the coverage of a single row that scatters 2.5 times as much as the others: it
  goes down to {wide:.1f} %.
"""


def _grids(ours: Sequence[Cell], text: Callable[[Cell], str]) -> list[str]:
    """A table for each corpus and shape: a line for pairs and luck, a column for seeds and rows."""
    at = {(c.design, c.comparisons, c.luck): c for c in ours}
    kinds = dict.fromkeys((c.design.corpus, c.design.shape) for c in ours)
    seeds = sorted({c.design.seeds for c in ours})
    columns = list(product(seeds, COMPARISONS))
    parts = []
    for corpus, shape in kinds:
        parts.append(f"{corpus}-like, {shape}; columns: seeds × comparisons\n")
        parts.append("| pairs | luck | " + " | ".join(f"{k} × {m}" for k, m in columns) + " |")
        parts.append("|---|---|" + "---|" * len(columns))
        for pairs, luck in product(sorted({c.design.pairs for c in ours}), LUCKS):
            found = [at[Design(pairs, k, corpus, shape), m, luck] for k, m in columns]
            shown = [text(c) if c.is_promised else f"({text(c)})" for c in found]
            parts.append(f"| {pairs} | {luck} | " + " | ".join(shown) + " |")
        parts.append("")
    return parts


def _choice(drawn: Sequence[Cell]) -> str:
    """The three tests side by side: half width, and power at 4 and 8 points."""
    at = {(c.design, c.comparisons, c.method): c for c in drawn if c.luck == LUCKS[0]}
    lines = []
    for design in dict.fromkeys(c.design for c in drawn if c.design.seeds == 3):
        for m in COMPARISONS[1:]:
            each = [at[design, m, method] for method in METHODS]
            cells_of = (
                f"{c.half:.1f} | {100 * c.power[4]:.0f} / {100 * c.power[8]:.0f}" for c in each
            )
            what = f"{design.pairs} | {design.corpus} | {design.shape} | {m}"
            lines.append(f"| {what} | " + " | ".join(cells_of) + " |")
    heads = " | ".join(f"{method} ± | shown at 4 / 8" for method in METHODS)
    return "\n".join(
        [
            "## The choice of the test\n",
            CHOICE,
            f"| pairs | corpus | rows scatter | comparisons | {heads} |",
            "|---|---|---|---|" + "---|" * 6,
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page([cell for design in designs() for cell in cells(design)]), "utf-8")
