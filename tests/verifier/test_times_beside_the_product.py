"""Both verifiers count the same cosignatures by their times, each by a clock that it is given.

Method: one checkpoint, cosigned at a time at or beside each bound, judged by the rule of either.
"""

import argparse
from pathlib import Path

import pytest

from ledger.chain.policy import QuorumError, parse_policy
from ledger.chain.witness_times import MAX_FUTURE_SECONDS, TimeBounds
from ledger.events.notation import parse_duration
from tests.support.chained import Chained, log_key, witness_key
from tests.verifier.writing import load_tool

TOOL = load_tool()
NOW = 1_790_000_000
DAY = 86_400
LOG, WITNESS = log_key(1), witness_key(1)
SPANS = [TOOL.Span(1, TOOL.NO_END, LOG.vkey)]
POLICY = f"log {LOG.vkey}\nwitness w {WITNESS.vkey}\nquorum w\n".encode()
BOUNDS = [(None, MAX_FUTURE_SECONDS), (None, 0), (DAY, MAX_FUTURE_SECONDS), (0, 0)]


@pytest.mark.parametrize(("max_age", "max_future"), BOUNDS)
@pytest.mark.parametrize(
    "ahead", [-(10**8), -DAY - 1, -DAY, -1, 0, 1, 300, 301, 10**9, 251_612_300_799]
)
def test_both_count_a_cosignature_of_the_same_times(
    ledger: Chained, ahead: int, max_age: int | None, max_future: int
) -> None:
    text = ledger.note().removesuffix(b"\n")  # not cosigned yet
    note = text + b"\n" + (LOG.line(text) + WITNESS.line(text, NOW + ahead)).encode()
    window = TOOL.window_of(NOW, max_age, max_future)
    policy = parse_policy(POLICY).within(TimeBounds(NOW, max_future, max_age))
    is_counted = ahead <= max_future and (max_age is None or ahead >= -max_age)
    if is_counted:
        (cosigned,) = policy.check(note).cosigned
        told = TOOL.check_02_checkpoint(note, POLICY, SPANS, window).cosigned
        assert [*told.values()] == [cosigned.seconds]
        assert TOOL.utc(cosigned.seconds) == cosigned.at.replace(".000000Z", "Z")
    else:
        with pytest.raises(TOOL.Fault, match=r"not counting .* \(--max-age, --max-future\)"):
            TOOL.check_02_checkpoint(note, POLICY, SPANS, window)
        with pytest.raises(QuorumError, match="which is now by this clock"):
            policy.check(note)


@pytest.mark.parametrize(
    "text", ["90s", "5m", "1h30m", "7d", "1d1h1m1s", "", "5", "m", "1m1h", "-1s"]
)
def test_both_read_a_span_of_time_alike(text: str) -> None:
    try:
        expected = parse_duration(text)
    except ValueError:
        with pytest.raises(argparse.ArgumentTypeError, match="not a span of time"):
            TOOL.seconds_of(text)
        return
    assert TOOL.seconds_of(text) == expected


def test_the_default_of_both_is_five_minutes_ahead_and_any_age() -> None:
    options = TOOL.arguments_of([str(Path("bundle"))])
    assert (options.max_age, options.max_future) == (None, MAX_FUTURE_SECONDS)
