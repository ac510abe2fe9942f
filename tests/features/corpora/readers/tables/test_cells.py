from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from features.corpora.readers.table import read
from features.corpora.readers.tables.cells import has_decimal_commas, seconds_of


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("0.5", 0.5),
        (" 1e1 ", 10.0),
        (2, 2.0),
        ("0 days", 0.0),
        ("0 days 00:00:00.500000", 0.5),
        ("0 days 00:01:00.123456789", 60.123456789),
        ("1 days 00:00:01", 86_401.0),
        ("1 day, 0:00:01", 86_401.0),
        ("0:00:01.5", 1.5),
        ("P0DT0H0M0.5S", 0.5),
        (timedelta(seconds=1.25), 1.25),
        *((cell, None) for cell in ("", None, float("nan"), "NaT", "nan", "NA", "None", "-")),
    ],
)
def test_a_time_is_read_however_it_is_written(cell: object, seconds: float | None) -> None:
    faults: list[str] = []
    assert (seconds_of("end", cell, faults), faults) == (seconds, [])
    assert (seconds_of("end", cell, faults, decimal_commas=True), faults) == (seconds, [])


@pytest.mark.parametrize(
    "cell",
    ["x", "-1", "inf", "-1 days +23:59:59", "00:30", "P", "0x1", "1,2,3", "1.2,3", "0:99:00"],
)
def test_what_is_no_time_is_refused(cell: str) -> None:
    faults: list[str] = []
    assert seconds_of("end", cell, faults) is None
    assert faults == [f"`end` must be seconds from 0, but is `{cell}` instead"]


def test_a_comma_is_decimal_where_the_table_leaves_no_doubt() -> None:
    assert has_decimal_commas(["", "1,200", "0,5"])
    assert has_decimal_commas([0.0, "0,500"])
    assert not has_decimal_commas(["1,200", "12,500", "3.5", None])
    faults: list[str] = []
    assert seconds_of("end", "1,200", faults, decimal_commas=True) == 1.2
    assert seconds_of("end", "1.200", faults, decimal_commas=True) is None
    assert seconds_of("end", "1,200", faults) is None
    assert faults == [
        "`end` may be 1.200 or 1200 s, but is `1.200`",
        "`end` may be 1.200 or 1200 s, but is `1,200`",
    ]


def test_csv_and_parquet_give_the_same_times(write_wav: Any, tmp_path: Path) -> None:
    import pandas as pd

    for name in "ab":
        write_wav(tmp_path / f"{name}.wav")
    frame = pd.DataFrame({"file": ["a.wav", "b.wav"], "speaker": ["ann", "bob"], "emotion": "joy"})
    frame["start"] = pd.to_timedelta([0.1, 0.050000001], unit="s")
    frame["end"] = [pd.Timedelta(200, "ms"), pd.NaT]
    frame.to_parquet(tmp_path / "labels.parquet", index=False)
    frame.to_csv(tmp_path / "labels.csv", index=False, na_rep="NaT")
    one, other = (read(tmp_path / f"labels.{end}") for end in ("csv", "parquet"))
    assert one.utterances == other.utterances
    assert [(u.start, u.end) for u in one.utterances] == [(0.1, 0.2), (0.050000001, None)]
    commas = frame.assign(start=["0,1", "0,050000001"], end=["0,2", ""])
    commas.to_csv(tmp_path / "commas.csv", index=False, sep=";")
    assert read(tmp_path / "commas.csv").utterances == one.utterances
