"""Budgets, with what is free and when that runs out."""

from typing import Final

from ledger.api.convert.basics import inverse, numbers, timestamp
from ledger.events.budgets import Envelope
from ledger.jobs.budget_forecast import forecast
from ledger.jobs.budgets import Budget, refilled
from ledger.jobs.envelopes import Reservation
from ledger.v1 import budget_pb2 as pb

_NUMBERS: Final = numbers(pb.BudgetEnvelope, Envelope)
ENVELOPES: Final[dict[int, Envelope]] = {
    pb.BUDGET_ENVELOPE_UNSPECIFIED: "jobs",
    **inverse(_NUMBERS),
}


def budget(found: Budget, at: int) -> pb.Budget:
    """Return a budget as of a time, to which refills are counted; bare where it is erased."""
    told = pb.Budget(name=f"budgets/{found.name}", is_erased=found.is_gone)
    if found.is_gone:
        return told
    now = refilled(found, at)
    held = sorted(now.reservations.values(), key=lambda one: one.position)
    told.MergeFrom(
        pb.Budget(
            unit=now.unit,
            scope=pb.BudgetScope(labels=now.scope["labels"], team=now.scope["team"]),
            period_seconds=now.period_seconds,
            reserve_micros=now.reserve_micros,
            jobs=_envelope(now, "jobs"),
            tests=_envelope(now, "tests"),
            reservations=[_reservation(one) for one in held],
            set_position=now.set_at,
            reason=now.reason,
        )
    )
    return told


def _envelope(now: Budget, name: str) -> pb.EnvelopeStatus:
    one, told = now.envelopes[name], forecast(now, name, now.at)
    return pb.EnvelopeStatus(
        refill_micros=one.refill_micros,
        cap_micros=one.cap_micros,
        free_micros=one.free_micros,
        reserved_micros=now.reserved_micros(name),
        spent_micros=one.spent_micros,
        granted_micros=one.granted_micros,
        lapsed_micros=one.lapsed_micros,
        rate_micros=told.rate_micros,
        runs_out_at=None if told.runs_out_at is None else timestamp(told.runs_out_at),
    )


def _reservation(held: Reservation) -> pb.BudgetReservation:
    return pb.BudgetReservation(
        job=held.job,
        model=held.model,
        envelope=_NUMBERS[held.envelope],
        amount_micros=held.micros,
        approved_micros=held.approved_micros,
        position=held.position,
    )
