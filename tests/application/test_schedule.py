"""What happens by the clock: goal: an event is covered within a second, and an idle ledger rests.

Method: a service with its threads running on the machine's clock; waits are for what comes about.
"""

import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ledger.application.periodic_task import PeriodicTask
from ledger.application.signing.checkpoints import Checkpoints
from ledger.application.signing.seals import Seals
from ledger.application.workers import THREADS_MAX, Workers
from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.events.proving import StreamsSealed
from ledger.service import Service
from ledger.setting_sections import Settings
from ledger.storage import Store
from tests.support.attested import attest, checked
from tests.support.clocks import ManualClock
from tests.support.server_process import until
from tests.support.stores import ORIGIN, grow
from tools.quiet import quiet


def options(folder: Path, **changes: object) -> Settings:
    return quiet(
        str(folder / "l.sqlite"),
        service__evaluate=False,
        service__project=False,
        **changes,
    )


def test_an_event_is_covered_within_a_second(tmp_path: Path) -> None:
    with Service(options(tmp_path, checkpoints__seconds=1.0)) as service:
        service.create_ledger(ORIGIN, clock="wall", actor="users/ada")
        ledger = service.ledger()
        waited: list[float] = []
        # Each comes right after a signature, which is the worst moment. The quickest counts: a busy
        # machine may be late with most of them, a signer that is too rare would be with all.
        while len(waited) < 5 or min(waited) >= 1.0:
            assert len(waited) < 30
            position = grow(service.store, 3).last_position
            began = time.monotonic()
            until(partial(ledger.attestation.checkpoints.is_covered, position))
            waited.append(time.monotonic() - began)
            found = ledger.attestation.prover.inclusion(position)
            assert found.position == position
            assert found.checkpoint.size >= position
        assert checked(service.store)


def test_an_idle_ledger_is_not_signed_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Method: count the rounds; after some, thirty in a row of each kind change nothing."""
    rounds = {"signed": 0, "sealed": 0}
    sign, seal = Checkpoints.sign, Seals.seal_if_new

    def count_signing(self: Checkpoints) -> object:
        rounds["signed"] += 1
        return sign(self)

    def count_sealing(self: Seals, *arguments: Any) -> bool:  # noqa: ANN401 - as they come
        rounds["sealed"] += 1
        return seal(self, *arguments)

    monkeypatch.setattr(Checkpoints, "sign", count_signing)
    monkeypatch.setattr(Seals, "seal_if_new", count_sealing)
    with Service(options(tmp_path, checkpoints__seconds=0.01, seals__seconds=0.02)) as service:
        service.create_ledger(ORIGIN, clock="data", actor="users/ada")
        last = grow(service.store).last_position
        until(lambda: service.store.events.of_types(ORIGIN, (StreamsSealed.TYPE,), after=last))
        seen: list[tuple[int, list[int]]] = []
        since = dict(rounds)

        def is_at_rest() -> bool:
            nonlocal since
            state = service.store.events.head(ORIGIN).position, checked(service.store)
            if seen[-1:] != [state]:
                seen.append(state)
                since = dict(rounds)
            return all(rounds[kind] - since[kind] >= 30 for kind in rounds)

        until(is_at_rest)
        head, sizes = seen[-1]
        assert sizes[-1] == head
        assert len(seen) < 10  # what it was still busy with, and no more


def test_no_thread_is_left_when_a_service_that_signs_and_seals_has_stopped(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with Service(options(tmp_path, checkpoints__seconds=1.0, seals__seconds=3_600)) as service:
        service.create_ledger(ORIGIN, clock="wall", actor="users/ada")
        assert len(set(threading.enumerate()) - before) > 2
    assert set(threading.enumerate()) == before


def test_a_ledger_more_costs_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    stated = options(
        tmp_path, checkpoints__seconds=1.0, seals__seconds=3_600, refusals__seconds=60.0
    )
    with Service(stated) as service:
        for number in range(20):
            service.create_ledger(f"ledger.example/{number}", clock="wall", actor="users/ada")
        found = set(threading.enumerate()) - before
        assert len([one for one in found if one.name.startswith("worker")]) == THREADS_MAX
        assert len(found) < THREADS_MAX + 5
    assert set(threading.enumerate()) == before


def test_without_a_schedule_a_proof_is_of_a_head_signed_now(
    store: Store, clock: ManualClock
) -> None:
    attestation = attest(store, clock)
    position = grow(store).last_position
    attestation.checkpoints.refuse_uncovered(position)
    assert attestation.prover.inclusion(position).position == position
    assert checked(store) == [position]


def test_waiting_is_over_when_a_checkpoint_covers_or_signing_stops(
    store: Store, clock: ManualClock
) -> None:
    attestation = attest(store, clock)
    checkpoints = attestation.checkpoints
    checkpoints.is_scheduled = True  # by a signer that never comes
    position = grow(store).last_position
    assert not checkpoints.is_settled(position)
    with pytest.raises(LedgerError) as caught:
        checkpoints.refuse_uncovered(position)
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
    checkpoints.sign()
    assert checkpoints.is_settled(position)
    checkpoints.refuse_uncovered(position)
    checkpoints.stop("a test says so")
    assert checkpoints.is_settled(position + 1)
    with pytest.raises(LedgerError) as caught:
        checkpoints.refuse_uncovered(position + 1)
    assert caught.value.reason is Reason.SIGNING_STOPPED


def test_what_fails_by_the_clock_is_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[int] = []

    def fail() -> None:
        done.append(1)
        if len(done) < 4:
            raise ZeroDivisionError("a defect")

    workers = Workers(SystemClock())
    turning = PeriodicTask("a test", fail, 0.001, SystemClock())
    turning.start(workers)
    until(lambda: len(done) >= 6)
    turning.stop()
    workers.stop()
    assert capsys.readouterr().out.count("a defect") == 1
