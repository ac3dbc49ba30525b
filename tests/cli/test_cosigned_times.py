"""When a cosignature counts is for the clock of who verifies, and the bounds that the line states.

Method: a bundle cosigned at one time, verified by commands whose clock the test sets.
"""

import json
from pathlib import Path

import pytest

from ledger.cli.exits import Exit
from ledger.cli.session import Session
from tests.cli.conftest import Run
from tests.support.chained import log_key, small_chained, witness_key
from tests.support.clocks import ManualClock
from tests.verifier.writing import write_bundle

COSIGNED = 1_767_225_600  # 2026-01-01
LOG, WITNESS = log_key(1), witness_key(1)


@pytest.fixture
def line(tmp_path: Path) -> tuple[str, ...]:
    """A command that verifies a cosigned bundle."""
    bundle, policy = tmp_path / "bundle", tmp_path / "policy"
    write_bundle(bundle, small_chained(), signers=[LOG, WITNESS])
    policy.write_text(f"log {LOG.vkey}\nwitness w {WITNESS.vkey}\nquorum w\n")
    return "verify", str(bundle), "--witness-policy", str(policy)


@pytest.mark.parametrize(
    ("ahead", "flags", "why"),
    [
        (300, (), ""),
        (301, (), "w at 2026-01-01T00:00:00Z, more than 5m after 2025-12-31T23:54:59Z"),
        (301, ("--max-future", "6m"), ""),
        (1, ("--max-future", "0s"), "more than 0s after"),
        (-(10**9), (), ""),
        (-86_401, ("--max-age", "1d"), "more than 1d before 2026-01-02T00:00:01Z"),
        (-86_401, ("--max-age=2d",), ""),
    ],
)
def test_a_cosignature_counts_by_the_clock_and_bounds_of_the_line(
    run: Run,
    line: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    ahead: int,
    flags: tuple[str, ...],
    why: str,
) -> None:
    monkeypatch.setattr(Session, "clock", ManualClock((COSIGNED - ahead) * 1_000_000))
    for placed in ((*line, *flags), (*flags, *line)):
        ran = run(*placed)
        assert ran.code == (Exit.INTEGRITY if why else 0), ran.err
        assert why in ran.err
        assert ("by w at 2026-01-01T00:00:00Z" in ran.out) == (not why)
    if not why:
        shown = json.loads(run(*line, *flags, "--json").out)
        assert shown["witnesses"] == ["w"]
        assert shown["cosigned_at"] == ["2026-01-01T00:00:00.000000Z"]


@pytest.mark.parametrize("flag", ["--max-age", "--max-future"])
@pytest.mark.parametrize("text", ["x", "", "-1s", "1.5h", "5"])
def test_a_bound_that_is_no_span_of_time_is_misuse(
    run: Run, line: tuple[str, ...], flag: str, text: str
) -> None:
    ran = run(*line, flag, text)
    assert ran.code == Exit.MISUSE
    assert flag in ran.err
