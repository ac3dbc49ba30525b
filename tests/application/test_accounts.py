"""A service accounts for what it does by itself: seldom, truly, and at its end.

Method: services over SQLite files with their threads running; waiting is for turns, not time. Each
ledger is audited, since an account that is not true would be a false alarm.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ledger.application.signing.schedule import SEALER
from ledger.client import LedgerClient
from ledger.client.errors import LedgerRefusedError
from ledger.errors import LedgerError
from ledger.events.access import ACCESS_KINDS
from ledger.events.proving import ServiceAccountedV3
from ledger.events.registry import typed
from tests.support.audits import audited
from tests.support.hooks import accounts_in, refusals_in
from tests.support.live_fleet import ORIGIN, Observed, prepare
from tests.support.served import Served, serving
from tests.support.server_process import until
from tests.support.stores import lose_answer


@contextmanager
def session(folder: Path, observed: Observed, count: int = 60, **named: object) -> Iterator[Served]:
    """Serve a fleet, observe it, and wait until nothing is due any more."""
    usual: dict[str, Any] = {
        "service__evaluate": True,
        "accounts__seconds": 3_600.0,
        "refusals__seconds": 3_600.0,
    }
    with serving(folder, **usual | named) as served:
        with LedgerClient(served.server.address, ledger=ORIGIN, actor="users/ana") as client:
            prepare(client)
            for _ in range(3):
                client.submit(observed.rows(count // 3))
            with pytest.raises(LedgerRefusedError):
                client.submit([("ghost", *observed.rows(1)[0][1:])])
        settle(served)
        yield served


def settle(served: Served) -> None:
    """Wait until the follower has gone round with nothing new."""
    follower, log = served.service.follower(ORIGIN), served.service.ledger(ORIGIN).log
    seen = [0, 0]

    def is_at_rest() -> bool:
        head = log.head().position
        if head != seen[0]:
            seen[:] = head, follower.turns
        return follower.position == head and follower.turns > seen[1] + 2

    until(is_at_rest)


def accounts_of(folder: Path) -> list[ServiceAccountedV3]:
    """Return the accounts on record, read by a service that gives none."""
    with serving(folder) as served:
        events = served.service.ledger(ORIGIN).log.events(
            limit=10_000, types=(ServiceAccountedV3.TYPE,)
        )
        return [typed(event, ServiceAccountedV3) for event in events]


def gaps(folder: Path, who: str = "that evaluates") -> list[str]:
    """Audit a ledger, which must hold, and return the gaps of one kind that the report names."""
    report = audited(folder / "ledger.sqlite")
    assert report.passed, report.text()
    return [remark for remark in report.remarks if f"no service {who} accounts for" in remark]


def test_a_service_that_ends_in_order_accounts_for_all_that_it_did(tmp_path: Path) -> None:
    with session(tmp_path, Observed()) as served:
        ledger = served.service.ledger(ORIGIN)
        assert ledger.attestation.seals.seal_if_new(SEALER, ledger.attestation.seals.newest())
        observed = ledger.log.events(limit=10_000, types=("signal.observed.v1",))
        scored = ledger.log.events(limit=10_000, types=("score.computed.v1",))
        decided = ledger.log.events(limit=10_000, types=("decision.made.v2",))
    (account,) = accounts_of(tmp_path)
    assert (account.number, account.is_last, account.seals, account.refused) == (1, True, 1, 1)
    assert (account.scores, account.decisions) == (len(scored), len(decided))
    assert account.scores >= 4
    assert account.evaluated_through >= observed[-1].position
    assert gaps(tmp_path) == []


def test_lives_of_services_that_restart_rest_and_crash_hold_and_their_gaps_are_named(
    tmp_path: Path,
) -> None:
    observed = Observed()
    lives: tuple[dict[str, Any], ...] = (
        {},
        {"service__evaluate": False},
        {},
        {"accounts__seconds": 0.0},  # on record it is as if it had been killed
        {},
    )
    for named in lives:
        with session(tmp_path, observed, **named):
            pass
    accounts = accounts_of(tmp_path)
    assert [(one.number, one.is_last) for one in accounts] == [(1, True)] * 4
    assert [one.evaluated_through == 0 for one in accounts] == [False, True, False, False]
    assert len({one.service for one in accounts}) == 4
    found = gaps(tmp_path)
    assert len(found) == 2
    for gap, after in zip(found, (accounts[0].after, accounts[2].after), strict=True):
        assert int(gap.split("positions ")[1].split()[0]) > after


def test_a_ledger_without_accounts_is_one_gap(tmp_path: Path) -> None:
    with session(tmp_path, Observed(), accounts__seconds=0.0):
        pass
    assert len(gaps(tmp_path)) == 1


@pytest.mark.parametrize("is_sealing", [False, True])
def test_a_span_in_which_no_service_seals_on_schedule_is_a_gap(
    tmp_path: Path, *, is_sealing: bool
) -> None:
    with session(tmp_path, Observed(), seals__seconds=3_600.0 if is_sealing else 0.0):
        pass
    found = gaps(tmp_path, "that seals on schedule")
    assert len(found) == int(not is_sealing)
    assert is_sealing or "positions 3 to " in found[0]


def test_a_span_in_which_no_service_counted_a_refusal_is_a_gap(tmp_path: Path) -> None:
    observed = Observed()
    with session(tmp_path, observed):
        pass
    assert gaps(tmp_path, "that counted a refused request") == []
    with session(tmp_path, observed, refusals__seconds=0.0):
        pass
    (gap,) = gaps(tmp_path, "that counted a refused request")
    assert int(gap.split("positions ")[1].split()[0]) > accounts_of(tmp_path)[0].after


@pytest.mark.parametrize(
    ("seconds", "kinds"), [(3_600.0, ACCESS_KINDS), (0.0, ACCESS_KINDS), (3_600.0, ("exports",))]
)
def test_a_span_in_which_a_kind_of_read_leaves_nothing_on_record_is_a_gap(
    tmp_path: Path, seconds: float, kinds: tuple[str, ...]
) -> None:
    with session(tmp_path, Observed(), access__seconds=seconds, access__recorded=kinds):
        pass
    (account,) = accounts_of(tmp_path)
    assert (account.reads_seconds, account.accesses_recorded) == (seconds, list(kinds))
    found = gaps(tmp_path, "that records every kind of read")
    assert len(found) == int((seconds, kinds) != (3_600.0, ACCESS_KINDS))


def test_an_idle_service_gives_no_account(tmp_path: Path) -> None:
    with session(tmp_path, Observed()):
        pass
    for _ in range(2):
        with serving(tmp_path, service__evaluate=True, accounts__seconds=0.01) as served:
            settle(served)
    assert len(accounts_of(tmp_path)) == 1


def test_accounts_are_given_by_the_clock_and_numbered(tmp_path: Path) -> None:
    with session(tmp_path, Observed(), accounts__seconds=0.01) as served:
        log = served.service.ledger(ORIGIN).log
        until(lambda: log.events(limit=10, types=(ServiceAccountedV3.TYPE,)))
    accounts = accounts_of(tmp_path)
    assert [one.number for one in accounts] == list(range(1, len(accounts) + 1))
    assert gaps(tmp_path) == []


@pytest.mark.parametrize("is_late", [False, True])
def test_an_account_whose_answer_is_lost_is_followed_by_the_next_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_late: bool
) -> None:
    observed = Observed()
    with session(tmp_path, observed) as served:
        lose_answer(served.service.store, monkeypatch, is_late=is_late)
        accounts = accounts_in(served.service)
        with pytest.raises(LedgerError):
            accounts.account(is_last=False)
        with LedgerClient(served.server.address, ledger=ORIGIN, actor="users/ana") as client:
            client.submit(observed.rows(1))
        settle(served)
    assert [(one.number, one.is_last) for one in accounts_of(tmp_path)] == [(1, False), (2, True)]
    assert gaps(tmp_path) == []


def test_an_account_whose_answer_is_lost_is_not_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session(tmp_path, Observed()) as served:
        accounts = accounts_in(served.service)
        refusals_in(served.service).record()
        lose_answer(served.service.store, monkeypatch)
        with pytest.raises(LedgerError):
            accounts.account(is_last=False)
        accounts.account(is_last=False)
    assert [one.number for one in accounts_of(tmp_path)] == [1]
    assert gaps(tmp_path) == []


def test_a_seal_whose_answer_is_lost_is_more_than_was_counted_and_no_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session(tmp_path, Observed()) as served:
        seals = served.service.ledger(ORIGIN).attestation.seals
        lose_answer(served.service.store, monkeypatch)
        with pytest.raises(LedgerError):
            seals.seal_if_new(SEALER, seals.newest())
        assert not seals.seal_if_new(SEALER, seals.newest())
    assert [one.seals for one in accounts_of(tmp_path)] == [0]
    assert gaps(tmp_path) == []
