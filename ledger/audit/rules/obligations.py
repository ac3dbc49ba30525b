"""Rules about what must be there: an absence is found where it was due, and named."""

from collections.abc import Iterator
from typing import Final

from ledger.audit.assessor import NotReplayableError
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.outcome import DerivedOutcome
from ledger.audit.owed_decisions import OwedDecision
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.audit.rules.horizons import horizons_unbroken
from ledger.audit.rules.replay import missed_body
from ledger.audit.service_accounts import EVALUATOR, SERVICE, rising
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.proving import ACCOUNTED, ACCOUNTED_READS
from ledger.governance.cases import asks

_SCORE: Final = ScoreComputed.TYPE


def _undecided(fold: LedgerState) -> Iterator[tuple[int, str]]:
    for owed in fold.obligations.decisions.missing():
        yield owed.position, f"{owed.why}, and there is no decision behind it"


@rule("decisions.due", _SCORE, *DECISION_TYPES, finish=_undecided)
def decisions_due(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A score has its decision right behind it exactly if one was asked for or its outcome is new.

    New is what differs from the decision in force in action, tier, rule, reason, what was held
    back, or the override that it is under; also what asks people for the first time, as the
    policy of the decision in force has no governance.
    """
    if event.type in DECISION_TYPES:
        owed = fold.obligations.decisions.by(event)
        if owed is None or owed.is_due:
            return None
        return f"none was due: {owed.why}"
    data = event.known
    if data["trigger"] == "request":
        _owe(event, fold, "it was asked for", is_due=True)
        return None
    is_before = data["as_of"] < event.position and not data["historical"]
    if not is_before or horizons_unbroken(event, fold) is not None:
        return Unchecked("its horizon cannot be")
    try:
        derived = fold.assessor.outcome(event, data)
    except NotReplayableError as error:
        return Unchecked(missed_body(event, fold, data) or str(error))
    if missed := missed_body(event, fold, data):
        return Unchecked(missed)
    why = "its outcome is new" if derived.is_change else _first_asked(fold, derived)
    _owe(event, fold, why or "its outcome was in force already", is_due=bool(why))
    return None


def _first_asked(fold: LedgerState, derived: DerivedOutcome) -> str:
    """Return why what is in force already is decided again; empty where it is not."""
    prior = derived.prior
    if prior is None or "governance" not in derived.parameters.document:
        return ""
    before = fold.lifecycle.drafts.get((prior.data["policy"], prior.data["policy_version"]))
    was_governed = before is not None and (before.governance is not None or before.is_lost)
    if was_governed or not asks(prior.data["action"], prior.data["tier"]):
        return ""
    return "its policy asks people, and that of the decision in force did not"


def _owe(event: AuditedEvent, fold: LedgerState, why: str, *, is_due: bool) -> None:
    fold.obligations.decisions.owe(OwedDecision(event.position, event.stream, is_due, why))


def _unscored(fold: LedgerState) -> Iterator[tuple[int, str]]:
    kept = fold.obligations
    yield from kept.scores.missed(kept.accounts.last_landed_at)


@rule("scores.due", _SCORE, *ACCOUNTED, finish=_unscored)
def scores_due(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A model that is due is scored before the evaluator goes round twice more or accounts for it.

    Due is a model that was never scored, has news and has rested, or was silent for too long. The
    evaluator's scores of others show that it ran, and how far it had come; a service's account says
    so, and how much it recorded.
    """
    data, kept = event.known, fold.obligations
    if event.type in ACCOUNTED:
        said = (
            f"account {data['number']} of service {data['service']} says that no model was left "
            f"that was due as of position {data['evaluated_through']}"
        )
        landed_at = kept.accounts.landed_at(data)
        kept.scores.pass_over(data["evaluated_through"], event, said, landed_at)
        return _counted(event, fold, "scores", "decisions")
    if event.actor == EVALUATOR and not data["historical"]:
        through = kept.rounds.scored(event.stream, data["as_of"])
        kept.scores.pass_over(through, event, "others were scored again and again")
    return None


@rule("accounts", *ACCOUNTED)
def accounts(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every account of a service goes on from its last one, and none of them is missing."""
    data, kept = event.known, fold.obligations.accounts
    if event.actor != SERVICE:
        return f"{event.actor} cannot account for a service"
    governed_through = data.get("governed_through", 0)
    furthest = max(data["after"], data["evaluated_through"], governed_through)
    if furthest >= event.position:
        return f"it accounts for position {furthest}, which is not before it"
    if bool(governed_through) != (data.get("governed_at") is not None):
        return "it says as of which position it governed, or by which time, without the other"
    before = kept.before(data["service"])
    number = 0 if before is None else int(before["number"])
    if data["number"] != number + 1:
        if kept.blind_at:
            return Unchecked("the account before it is not there")
        return f"it is account {data['number']} of its service, and account {number + 1} is missing"
    if before is None:
        return None
    if before["is_last"] or before["after"] != data["after"]:
        return "it does not go on from the last account of its service"
    fallen = [name for name in rising(event.type) if data[name] < before.get(name, 0)]
    return f"it counts fewer {fallen[0]} than the account before it" if fallen else None


def _counted(event: AuditedEvent, fold: LedgerState, *names: str) -> Verdict:
    """Compare what a service counts with what is there since it began."""
    data, kept = event.known, fold.obligations.accounts
    for name in names:
        there = kept.recorded(name, data["after"])
        if there < data[name]:
            return (
                f"its service recorded {data[name]} {name} after position {data['after']}, and "
                f"{there} are there"
            )
    return None


@rule("seals.due", *ACCOUNTED)
def seals_due(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every seal that a service made on schedule is there, and came in its interval."""
    if (unsealed := fold.obligations.accounts.unsealed(event.known)) > 0:
        return f"position {unsealed} was to be sealed before it, and no seal covers that"
    return _counted(event, fold, "seals")


@rule("refusals.due", *ACCOUNTED)
def refusals_due(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every count of refused requests that a service recorded is there."""
    if blind_at := fold.obligations.accounts.blind_at:
        return Unchecked(fold.absences.reason(blind_at))
    return _counted(event, fold, "refused")


@rule("accesses.due", *ACCOUNTED_READS)
def accesses_due(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every count of reads and every access that a service recorded is there."""
    if blind_at := fold.obligations.accounts.blind_at:
        return Unchecked(fold.absences.reason(blind_at))
    return _counted(event, fold, "reads", "accesses")
