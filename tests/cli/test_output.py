"""What people and programs see: numbers, times, tables and moments have one form.

Method: tables of values and texts; borders included.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ledger.cli import output
from ledger.cli.exits import Exit, code_of, described
from ledger.cli.values import PositionOrTime, now_of, parse_moment, parse_time
from ledger.client.errors import LedgerRefusedError, UnreachableError, refused
from ledger.client.records import Checkpoint
from ledger.errors import LedgerError, Reason
from ledger.events import notation
from ledger.operations.failures import MisuseError
from ledger.settings import SettingsError

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ppm", "shown"),
    [(None, "-"), (0, "0.0%"), (352_896, "35.2%"), (10**6, "100.0%"), (-1_500, "-0.1%")],
)
def test_parts_per_million_are_shown_as_per_cent(ppm: int | None, shown: str) -> None:
    assert output.percent(ppm) == shown


def test_what_is_counted_agrees_with_its_number() -> None:
    assert [notation.counted(n, "ledger") for n in (0, 1, 2)] == [
        "0 ledgers",
        "1 ledger",
        "2 ledgers",
    ]


def test_json_has_plain_values_only() -> None:
    value = {
        "at": datetime(2026, 3, 1, 10, 0, 0, 5, tzinfo=UTC),
        "sum": Decimal("0.10"),
        "some": (Checkpoint("o", 1, b"\x0f", "n", "k"), None, True),
    }
    assert output.plain(value) == {
        "at": "2026-03-01T10:00:00.000005Z",
        "sum": "0.10",
        "some": [
            {
                "origin": "o",
                "size": 1,
                "root": "0f",
                "note": "n",
                "verifier_key": "k",
                "witnesses": [],
            },
            None,
            True,
        ],
    }


def test_tables_are_aligned_without_trailing_blanks() -> None:
    assert output.table((">#", "NAME", ""), [(1, "fares", ""), (10, "a", None)]) == (
        " #  NAME\n 1  fares\n10  a"
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("17", PositionOrTime(position=17)),
        ("now", PositionOrTime(time=NOW)),
        ("yesterday", PositionOrTime(time=NOW - timedelta(days=1))),
        ("90m", PositionOrTime(time=NOW - timedelta(minutes=90))),
        ("2w", PositionOrTime(time=NOW - timedelta(weeks=2))),
        ("30s", PositionOrTime(time=NOW - timedelta(seconds=30))),
        ("1772712000s", PositionOrTime(time=datetime(2026, 3, 5, 12, tzinfo=UTC))),
        ("1772712000000ms", PositionOrTime(time=datetime(2026, 3, 5, 12, tzinfo=UTC))),
        ("2026-03-01", PositionOrTime(time=datetime(2026, 3, 1, tzinfo=UTC))),
        ("2026-03-01T10:00:00+02:00", PositionOrTime(time=datetime(2026, 3, 1, 8, tzinfo=UTC))),
    ],
)
def test_moments_are_read_as_people_write_them(text: str, moment: PositionOrTime) -> None:
    assert parse_moment(text, "--as-of", lambda: NOW) == moment


@pytest.mark.parametrize("text", ["", "soon", "1y", "-5", "2026-13-01"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(MisuseError, match="--as-of"):
        parse_moment(text, "--as-of", lambda: NOW)


@pytest.mark.parametrize("text", ["yesterday", "7d"])
def test_before_any_data_nothing_lies_some_time_back(text: str) -> None:
    with pytest.raises(MisuseError, match="--since: no data was recorded yet"):
        parse_moment(text, "--since", lambda: datetime(1970, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    [
        "1772712000000000",
        "1772712000s",
        "1772712000000ms",
        "1772712000000000999ns",
        "2026-03-05T12",
    ],
)
def test_a_time_of_a_flag_may_be_an_integer_with_its_unit(text: str) -> None:
    assert parse_time(text, "--at") == datetime(2026, 3, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1772712000", "looks like seconds: microseconds since 1970 are expected, or write it as "),
        ("1772712000000", "looks like milliseconds"),
        ("99999999999999999999s", "is beyond the year 9999"),
    ],
)
def test_an_integer_of_a_flag_that_looks_like_another_unit_is_refused(text: str, said: str) -> None:
    with pytest.raises(MisuseError, match="--at") as caught:
        parse_time(text, "--at")
    assert said in caught.value.message


def test_now_is_the_ledgers_own() -> None:
    assert now_of("DATA", NOW, 0) == NOW
    assert now_of("WALL", NOW, 1_000_000) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (refused(Reason.FIELD_INVALID, "x"), Exit.REFUSED),
        (refused(Reason.CHAIN_BROKEN, "x"), Exit.INTEGRITY),
        (refused(Reason.DEADLINE_EXCEEDED, "x"), Exit.UNREACHABLE),
        (LedgerError(Reason.EVENT_UNREADABLE, "x"), Exit.INTEGRITY),
        (UnreachableError("here", "gone"), Exit.UNREACHABLE),
        (MisuseError("x"), Exit.MISUSE),
        (SettingsError("x"), Exit.MISUSE),
    ],
)
def test_every_failure_has_its_exit_code(error: Exception, code: Exit) -> None:
    assert described(error)[0] is code


def test_every_reason_has_an_exit_code_and_a_fault_of_ours_is_not_hidden() -> None:
    assert {code_of(reason) for reason in Reason} == {
        Exit.REFUSED,
        Exit.UNREACHABLE,
        Exit.INTEGRITY,
    }
    with pytest.raises(ZeroDivisionError):
        described(ZeroDivisionError())
    assert issubclass(LedgerRefusedError, Exception)
