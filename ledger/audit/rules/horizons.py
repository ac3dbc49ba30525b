"""Rules about the moment of what is derived: of which time, from what, and who may have begun it.

They hold what guards an append: so an old score cannot be recorded again as the newest one.
"""

from typing import Final

from ledger.audit.audited_model import AuditedModel
from ledger.audit.event import OBSERVED, AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.moments import LedgerMoment
from ledger.audit.parameters import Parameters
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.audit.service_period import serving_of
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.horizons import FLEET_TYPES, HorizonFacts, trigger_fault
from ledger.events.models import ModelDeployed
from ledger.events.values import SECOND, format_time, parse_time
from ledger.limits import CLOCK_STEP_SECONDS_MIN

_SCORE: Final = ScoreComputed.TYPE
_SELECTED_BY: Final = (*sorted(OBSERVED), ModelDeployed.TYPE)


@rule("horizons", _SCORE, *DECISION_TYPES, *FLEET_TYPES)
def horizons(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Derived events use earlier events only, and nothing from the future."""
    if event.known["as_of"] >= event.position:
        return f"its horizon {event.known['as_of']} does not lie before it"
    if not fold.clock:
        return Unchecked("how this ledger tells time is not on record")
    if _time_of(event) > max(event.recorded_at + fold.skew_micros, fold.newest_observed_at):
        return "it is about a time that lies after its record"
    return None


@rule("horizons.present", _SCORE, *DECISION_TYPES)
def horizons_present(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """On ingest and on request a model is evaluated at the newest of its selected observations.

    An earlier time is stated by who asks, and that evaluation is called historical: it does not
    see the newest of them (where nothing is selected, the ledger's newest). One that sees all is
    about the present and counts, so it cannot be called that.
    """
    data, facts = event.known, fold.models.get(event.stream)
    if data["historical"] and data["trigger"] != "request":
        return "it is called historical, and was not asked for"
    if facts is None or data["trigger"] == "schedule" or data["as_of"] >= event.position:
        return None  # or other rules' business
    parameters = _parameters(event, fold)
    if parameters is None:
        return Unchecked("the policy version that it names was never drafted")
    newest, at = _newest_selected(event, fold, facts, parameters), _time_of(event)
    if data["historical"]:
        if at < (fold.newest_observed_at if newest is None else newest):
            return None
        what = "it is called historical, and no observation that counts is newer"
    elif newest == at or (newest is None and data["trigger"] == "request"):
        return None
    else:
        what = "it was not evaluated at the newest observation"
    missed = fold.absences.missed_of(facts.gone_by_type, _SELECTED_BY, data["as_of"])
    if not missed and newest is None:
        missed = missed_observation(fold, data["as_of"])
    return Unchecked(missed) if missed else what


@rule("times.evaluated", _SCORE, *FLEET_TYPES)
def times_evaluated(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """An evaluation that no observation dates is about the ledger's time as of its horizon.

    By schedule, for a plan, and on request where nothing is selected. Where the data are the clock
    that time is derived. A machine's clock is held to be no earlier than what it read had been
    recorded, by more than it may be off; so times run back by no more than that either.
    """
    data, as_of = event.known, event.known["as_of"]
    if as_of >= event.position or not _is_of_ledgers_time(event, fold):
        return None
    facts = fold.models.get(event.stream) if data.get("trigger") == "request" else None
    gone = {} if facts is None else facts.gone_by_type
    if missed := fold.absences.missed_of(gone, _SELECTED_BY, as_of):
        return Unchecked(missed)  # an observation may have dated it
    moment = fold.moments.at(as_of)
    if moment is None:
        return Unchecked("its horizon lies further back than times are remembered")
    by = _by_data if fold.clock == "data" else _by_clock
    verdict = by(event, fold, moment)
    if isinstance(verdict, str) and event.type == _SCORE and data["trigger"] == "request":
        gone = fold.models[event.stream].gone_by_type
        if missed := fold.absences.missed_of(gone, _SELECTED_BY, as_of):
            return Unchecked(missed)  # it may be of an observation that is gone
    return verdict


def _by_clock(event: AuditedEvent, fold: LedgerState, moment: LedgerMoment) -> Verdict:
    """Compare with what its horizon had been recorded by, by a clock that may be off."""
    bound = max(fold.skew_micros, CLOCK_STEP_SECONDS_MIN * SECOND)
    if not fold.clock or _time_of(event) >= moment.recorded_at - bound:
        return None
    if event.recorded_at == fold.recorded_at:  # it is dated like the event before it
        return Unchecked("the server's clock was behind the newest event")
    known = format_time(moment.recorded_at)
    return f"it is about {format_time(_time_of(event))}, and what it read was recorded by {known}"


def _is_of_ledgers_time(event: AuditedEvent, fold: LedgerState) -> bool:
    if event.type in FLEET_TYPES:
        return True
    data, facts = event.known, fold.models.get(event.stream)
    if data["historical"] or data["trigger"] == "ingest" or facts is None:
        return False
    parameters = _parameters(event, fold)
    return data["trigger"] == "schedule" or (
        parameters is not None and _newest_selected(event, fold, facts, parameters) is None
    )


def _by_data(event: AuditedEvent, fold: LedgerState, moment: LedgerMoment) -> Verdict:
    """Compare with the newest time observed; for a schedule, one that lies alone may not count."""
    at = _time_of(event)
    is_alone = moment.newest - moment.second > fold.leap_micros
    if at == moment.newest or (is_alone and at == moment.second and _is_scheduled(event)):
        return None
    # The ledger's time does not run back when the observation that stated it is erased.
    may_be_newest = moment.newest < at <= moment.recorded_at
    may_be_second = at < moment.newest - fold.leap_micros and _is_scheduled(event)
    if may_be_newest or may_be_second:
        missed = missed_observation(fold, event.known["as_of"])
        if missed:
            return Unchecked(missed)
    known = format_time(moment.newest) if moment.newest else "none"
    return f"it is about {format_time(at)}, and the newest time observed by its horizon was {known}"


def _is_scheduled(event: AuditedEvent) -> bool:
    return event.type == _SCORE and event.known["trigger"] == "schedule"


def _time_of(event: AuditedEvent) -> int:
    """Return the time that something derived is about."""
    return parse_time(event.known["made_at" if event.type in FLEET_TYPES else "evaluated_at"])


def _parameters(event: AuditedEvent, fold: LedgerState) -> Parameters | None:
    data = event.known
    return fold.parameters(data["policy"], data["policy_version"], data["policy_digest"])


def _newest_selected(
    event: AuditedEvent, fold: LedgerState, facts: AuditedModel, parameters: Parameters
) -> int | None:
    """Return the newest time observed of the version deployed last; None where nothing was."""
    as_of = event.known["as_of"]
    serving = serving_of(facts, parameters, as_of, None)
    if serving is None:
        return None
    return fold.observations.newest(event.stream, serving.version, serving.since, as_of)


def missed_observation(fold: LedgerState, as_of: int) -> str:
    """Return why an observation of any model is not there: an erased one dates things, too.

    Empty where all are there.
    """
    gone = (
        facts.gone_by_type.get(type_)
        for facts in fold.models.values()
        for type_ in sorted(OBSERVED)
    )
    first = next((places[0] for places in gone if places and places[0] <= as_of), 0)
    return fold.absences.reason(first) if first else ""


@rule("horizons.unbroken", _SCORE, *DECISION_TYPES, *FLEET_TYPES)
def horizons_unbroken(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Nothing that bears on what is derived was recorded between its horizon and its record.

    Of a score or decision that is every event of its model but observations, and a policy that came
    into force for it; of a plan, another plan or activation, and where candidates are tested a job,
    a verdict, a budget, a deployment; of all of them, an erasure.
    """
    as_of = event.known["as_of"]
    return fold.horizons.broken(HorizonFacts(event.position, event.stream, event.type, as_of))


@rule("triggers", _SCORE, *DECISION_TYPES)
def triggers(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """Only the evaluator scores by schedule or on ingest, and it does nothing on request."""
    return trigger_fault(event.known["trigger"], event.actor)
