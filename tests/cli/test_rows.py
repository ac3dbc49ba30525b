"""Rows are read strictly: each way to be wrong is refused with the number of its row.

Method: tables of texts with what must be read or said; JSON and CSV of the same rows must be equal.
"""

import json
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.client import Observation
from ledger.operations.failures import MisuseError
from ledger.operations.submission.headings import FieldMap, delimiter_of, mapping_of
from ledger.operations.submission.rows import LINE_CHARS_MAX, Row, read


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
    (row,) = rows_of('{"model": "m", "signal": "s", "value": 1, "observed_at": 1772712000000000}')
    assert row.observation.observed_at == 1_772_712_000_000_000


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"model": "m", "signal": "s", "value": 1, "value": 2}', "'value' is there twice"),
        ('{"model": "m", "signal": "s", "value": NaN}', "NaN is not a finite number"),
        ('{"model": "m", "signal": "s", "value": -Infinity}', "-Infinity is not a finite"),
        ('{"model": "m", "signal": "s", "value": "nan"}', "'nan' is not a number"),
        ('{"model": "m", "signal": "s", "value": true}', "'True' is not a number"),
        ('{"model": "m", "signal": "s"}', "value is missing"),
        ('{"model": "", "signal": "s", "value": 1}', "model is missing"),
        ('{"model": 3, "signal": "s", "value": 1}', "model is not text"),
        ('{"model": "m", "signal": "s", "value": 1, "when": 2}', "'when' is not a field"),
        ('{"model": "m", "signal": "s", "value": 1, "sample_size": 0}', "sample_size '0'"),
        ('{"model": "m", "signal": "s", "value": 1, "sample_size": 1.5}', "sample_size '1.5'"),
        ('{"model": "m", "signal": "s", "value": 1, "observed_at": "soon"}', "is not a time"),
        (
            '{"model": "m", "signal": "s", "value": 1, "observed_at": "2026-03-01T10:00:00"}',
            "has no time zone",
        ),
        ("[1]", "is not a JSON object"),
        ('{"model": ["m"], "signal": "s", "value": 1}', "model is not text"),
        ('{"model": "m", "signal": "s", "value": [1]}', "(a list) is not a number"),
        ('{"model": "m", "signal": {}, "value": 1}', "signal is not text"),
        ('{"model": ' + "[" * 30_000 + "]" * 30_000 + "}", "nested too deeply"),
        (
            '{"model": "m", "signal": "s", "value": ' + "9" * 5_000 + "}",
            "row 2: a number in it is too long",
        ),
        (
            '{"model": "m", "signal": "s", "value": 1, "observed_at": 1772712000}',
            "looks like seconds",
        ),
        ('{"model": "m", "signal": "s", "value": 1, "observed_at": []}', "(a list) is not a time"),
        ('{"model": "m", "signal": "s", "value": 1, "sample_size": 1e99}', "sample_size '1E+99'"),
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
        ("model,signal,value,value\n", "value is named by a column twice"),
        ("m,s,1\n", "is not a heading"),
        ("model,signal,value\nm,s\n", "row 1: it has 2 cells"),
        ("model,signal,value\nm,s,1\nm,s,\n", "row 2: value is missing"),
        ('model,signal,value\nm,"s,1\n', "line"),
        ("model,signal,value,when\nm,s,1,2\n", "The heading: 'when' is not a field"),
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
            optional={
                "sample_size": st.integers(1, 10**12),
                "observed_at": st.integers(10**15, 4 * 10**15),
            },
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


HEAD = "model,signal,value,observed_at,sample_size\n"


@pytest.mark.parametrize(
    ("written", "count"), [("800", 800), ("800.0", 800), ("8e2", 800), ("1.0", 1)]
)
def test_a_sample_size_may_be_written_as_a_float_without_a_fraction(
    written: str, count: int
) -> None:
    (row,) = rows_of(f"{HEAD}m,s,1,2026-03-01T10:00:00Z,{written}\n")
    assert row.observation.sample_size == count
    (row,) = rows_of(f'{{"model": "m", "signal": "s", "value": 1, "sample_size": {written}}}')
    assert row.observation.sample_size == count


@pytest.mark.parametrize(
    "written", ["1772712000s", "1772712000000ms", "1772712000000000us", "1772712000000000999ns"]
)
def test_a_time_may_have_its_unit_behind_it(written: str) -> None:
    (row,) = rows_of(f"{HEAD}m,s,1,{written},1\n")
    assert row.observation.observed_at == 1_772_712_000_000_000


def test_an_integer_that_looks_like_seconds_is_refused_in_these_words() -> None:
    with pytest.raises(MisuseError) as caught:
        rows_of(f"{HEAD}m,s,0.51,1772712000,800\n")
    assert caught.value.message == (
        "row 1: observed_at 1772712000 looks like seconds: microseconds since 1970 are expected, "
        "or write it as 2026-03-05T12:00:00Z or 1772712000s."
    )


@pytest.mark.parametrize("value", ["0.47123456789123", "6e-27", "1e-300", "9.999999974e-07"])
def test_every_digit_of_a_value_reaches_the_server(value: str) -> None:
    for text in (f"{HEAD}m,s,{value},,\n", f'{{"model": "m", "signal": "s", "value": {value}}}'):
        (row,) = rows_of(text)
        assert Decimal(str(row.observation.value)) == Decimal(value)


# ---- files as other programs write them ----------------------------------------------------------


def refusal(text: str, delimiter: str = ",") -> MisuseError:
    with pytest.raises(MisuseError) as caught:
        list(read(BytesIO(text.encode()), "auto", None, delimiter=delimiter))
    return caught.value


def test_another_delimiter_is_named_and_taken_where_it_is_stated() -> None:
    text = "model;signal;value;observed_at\nm;s;0,47;2026-03-06T12:00:00Z\n"
    error = refusal(text)
    assert "has ';' between its columns" in error.message
    assert "--delimiter ';'" in error.remedy
    assert "'0,47' is not a number" in refusal(text, delimiter=";").message
    (row,) = read(BytesIO(text.replace("0,47", "0.47").encode()), "auto", None, delimiter=";")
    assert row.observation.value == "0.47"


def test_other_names_are_proposed_for_map_and_the_proposal_reads_the_file() -> None:
    text = "Model,Signal,Value,Timestamp,N\nm,s,0.47,2026-03-06T12:00:00Z,800\n"
    error = refusal(text)
    assert "'Timestamp', 'N' are not fields" in error.message
    proposed = error.remedy.rpartition("--map ")[2]
    assert proposed == "Timestamp=observed_at,N=sample_size"
    (row,) = read(BytesIO(text.encode()), "auto", None, names=FieldMap(mapping_of(proposed)))
    assert (row.observation.value, row.observation.sample_size) == ("0.47", 800)


def test_other_names_of_json_are_mapped_too() -> None:
    line = '{"Model": "m", "metric": "s", "Value": 1}'
    assert "--map metric=signal" in refusal(line).remedy
    (row,) = read(BytesIO(line.encode()), "auto", None, names=FieldMap({"metric": "signal"}))
    assert row.observation == Observation("m", "s", "1")


def test_a_json_array_is_refused_with_the_command_that_takes_it_apart() -> None:
    for text in ('[{"model": "m"}]', '  [\n{"model": "m"}\n]\n'):
        assert "jq -c '.[]'" in refusal(text).remedy


def test_a_first_column_without_a_name_is_named_with_what_to_do() -> None:
    error = refusal(",model,signal,value\n0,m,s,1\n")
    assert "Column 1 has no name, as the index of a DataFrame" in error.message
    assert "index=False" in error.remedy
    assert "cut -d',' --complement -f1" in error.remedy


@pytest.mark.parametrize("text", ["N", "N=", "=value", "N=weight", "a=model,b"])
def test_a_map_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(MisuseError, match="--map"):
        mapping_of(text)


def test_only_four_characters_stand_between_cells() -> None:
    assert [delimiter_of(one) for one in (",", ";", "|", "tab")] == [",", ";", "|", "\t"]
    with pytest.raises(MisuseError, match="--delimiter"):
        delimiter_of("::")
