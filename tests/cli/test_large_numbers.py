"""A number that no field can hold is misuse that names it, and never a defect; likewise 0.

Method: every way in for a number, with one of 12, of 20 and of 31 digits, against a server; and 0
wherever numbers count from 1, since the API reads it there as "not given".
"""

import pytest

from ledger.cli.exits import Exit
from tests.cli.conftest import Run

LINES = [
    "ledger create ledger.example/x --leap {}s",
    "ledger create ledger.example/x --skew {}s",
    "log prove {}",
    "log consistency {}",
    "log tail -n {}",
    "log tail --after {}",
    "log checkpoint --size {}",
    "key rotate --overlap {}",
    "key revoke k --from {} --reason r",
    "policy activate default {} --rationale r",
    "policy show default --version {}",
    "decision show fares/{}",
    "decision explain fares/{}",
    "decision replay fares/{}",
    "decision list --limit {}",
    "plan list --limit {}",
    "priorities --limit {}",
    "priorities --as-of {}",
    "priorities --since {}",
    "priorities --since {}s",
    "evaluate fares --at {}",
    "evaluate fares --at {}s",
    "export create out --from {}",
    "erase --positions {} --ground g --authority a --yes",
    "audit answer authorship --position {}",
    "audit answer incidents --days {}",
    "plan make --budget {}",
    "plan make --budget 1 --budget-cap {}",
    "model update fares --cost {}",
    "model update fares --impact {}%",
    "model register m --owner o --unit-value 1 --cost-micros {}",
    "model list --deadline {}s",
    "signal submit --model fares --signal log-loss --value {} --observed-at 2026-03-01T00:00:00Z",
    "signal submit --model fares --signal log-loss --value 1 --observed-at {}",
    "signal submit --model fares --signal log-loss --value 1 --sample-size {}",
]


@pytest.mark.parametrize("line", LINES)
def test_a_number_too_large_is_refused_in_words(cli: Run, line: str) -> None:
    for digits in (31, 20, 12):  # the last may be taken, and change what is asked
        ran = cli(*line.format("9" * digits).split())
        assert ran.code in {0, Exit.REFUSED, Exit.MISUSE, Exit.UNREACHABLE}, ran.err
        assert "No such" not in ran.err
        assert "should not happen" not in ran.err


FROM_1 = [
    "decision replay --all --first 0",
    "decision replay --all --last 0",
    "export create out --from 0",
    "export create out --from 1 --to 0",
    "log checkpoint --size 0",
    "log consistency 1 0",
    "log prove 1 --size 0",
    "priorities --as-of 0",
    "priorities --since 0",
]


@pytest.mark.parametrize("line", FROM_1)
def test_a_stated_0_is_never_taken_for_a_number_that_was_left_out(cli: Run, line: str) -> None:
    ran = cli(*line.split())
    assert ran.code == Exit.MISUSE, ran.out
    assert (line.split()[-2] if "--" in line else "TO") in ran.err
