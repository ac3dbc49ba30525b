"""Rows are read strictly: each way to be wrong is refused with the number of its row.

Method: tables of texts with what must be read or said; JSON and CSV of the same rows must be equal.
"""

import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.cli.exits import MisuseError
from ledger.cli.rows import LINE_CHARS_MAX, Row, read
from ledger.client import Observation


def rows_of(text: str | bytes, form: str = "auto") -> list[Row]:
    raw = text.encode() if isinstance(text, str) else text
    return list(read(BytesIO(raw), form, None))


def test_json_and_csv_of_the_same_rows_are_equal() -> None:
    from_json = rows_of(
        '{"model": "m", "signal": "s", "value": 0.50, "observed_at": "2026-03-01T10:00:00Z"}\n'
        "\n"
        '{"model": "m", "signal": "s", "value": "1e-3", "sample_size": 7, "model_version": "v"}\n'
    )
    from_csv = rows_of(
        "\ufeffmodel,signal,value,observed_at,sample_size,model_version\r\n"
        "m,s,0.50,2026-03-01T10:00:00Z,,\r\n"
        'm,"s",1e-3,,7,v\r\n'
    )
    assert [row.observation for row in from_json] == [row.observation for row in from_csv]
    assert from_json[0].observation.value == "0.5"
    assert from_json[1].observation == Observation("m", "s", "0.001", None, "v", 7)
    assert [row.number for row in from_csv] == [1, 2]


def test_times_may_be_microseconds() -> None:
    (row,) = rows_of('{"model": "m", "signal": "s", "value": 1, "observed_at": 17}')
    assert row.observation.observed_at == 17


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"model": "m", "signal": "s", "value": 1, "value": 2}', "'value' is there twice"),
        ('{"model": "m", "signal": "s", "value": NaN}', "NaN is not a finite number"),
        ('{"model": "m", "signal": "s", "value": -Infinity}', "-Infinity is not a finite"),
        ('{"model": "m", "signal": "s", "value": "nan"}', "'nan' is no number"),
        ('{"model": "m", "signal": "s", "value": true}', "'True' is no number"),
        ('{"model": "m", "signal": "s"}', "value is missing"),
        ('{"model": "", "signal": "s", "value": 1}', "model is missing"),
        ('{"model": 3, "signal": "s", "value": 1}', "model is no text"),
        ('{"model": "m", "signal": "s", "value": 1, "when": 2}', "'when' is no field"),
        ('{"model": "m", "signal": "s", "value": 1, "sample_size": 0}', "sample_size '0'"),
        ('{"model": "m", "signal": "s", "value": 1, "sample_size": 1.5}', "sample_size '1.5'"),
        ('{"model": "m", "signal": "s", "value": 1, "observed_at": "soon"}', "is no time"),
        (
            '{"model": "m", "signal": "s", "value": 1, "observed_at": "2026-03-01T10:00:00"}',
            "has no time zone",
        ),
        ("[1]", "is no JSON object"),
        ("{", "row 2"),
    ],
)
def test_a_bad_line_is_named(line: str, said: str) -> None:
    good = '{"model": "m", "signal": "s", "value": 1}\n'
    with pytest.raises(MisuseError, match=r"^row 2") as caught:
        rows_of(good + line, "jsonl")
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model,signal,value,value\n", "a column twice"),
        ("m,s,1\n", "is no heading"),
        ("model,signal,value\nm,s\n", "row 1: it has 2 cells"),
        ("model,signal,value\nm,s,1\nm,s,\n", "row 2: value is missing"),
        ('model,signal,value\nm,"s,1\n', "line"),
        ("model,signal,value,when\nm,s,1,2\n", "row 1: 'when' is no field"),
    ],
)
def test_bad_csv_is_named(text: str, said: str) -> None:
    with pytest.raises(MisuseError) as caught:
        rows_of(text, "csv")
    assert said in caught.value.message


def test_bytes_that_are_no_text_are_named() -> None:
    with pytest.raises(MisuseError, match="Line 2 is not UTF-8"):
        rows_of(b"model,signal,value\nm,s,\xff\n")


def test_a_line_without_end_is_refused_before_it_fills_memory() -> None:
    with pytest.raises(MisuseError, match="Line 1 is longer"):
        rows_of("x" * (LINE_CHARS_MAX + 1))


def test_nothing_is_no_rows() -> None:
    assert rows_of("") == []
    assert rows_of("model,signal,value\n") == []


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "model": st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True),
                "signal": st.just("s"),
                "value": st.integers(-(10**9), 10**9),
            },
            optional={"sample_size": st.integers(1, 10**12), "observed_at": st.integers(0, 10**15)},
        ),
        max_size=8,
    )
)
def test_what_is_written_is_what_is_read(fields: list[dict[str, Any]]) -> None:
    rows = rows_of("".join(json.dumps(row) + "\n" for row in fields), "jsonl")
    assert [(row.observation.model, int(str(row.observation.value))) for row in rows] == [
        (row["model"], row["value"]) for row in fields
    ]
    assert [row.observation.sample_size for row in rows] == [
        row.get("sample_size", 1) for row in fields
    ]
