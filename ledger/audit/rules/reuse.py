"""Rules about planner `excess/2`: what is put back, and the money of a plan that is made again."""

from ledger.audit.assessor import NotReplayableError
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.plan_fleet import reused
from ledger.audit.planning import planning_of
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.audit.rules.replay import differing, missed_body
from ledger.events.cases import GOVERNOR
from ledger.events.plans import PlanMadeV2
from ledger.events.reuse import ReuseProposed

_DUE = ("policy", "policy_digest", "now_period", "in_service", "put_back")


@rule("reuse.replays", ReuseProposed.TYPE)
def reuse_replays(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A version is to be put back where the policy's comparison gives it, with its numbers."""
    data = event.known
    if data["as_of"] >= event.position:
        return Unchecked("its horizon does not lie before it")
    try:
        found = {one["model"]: one for one in reused(fold, data, planning_of(fold, data))}
    except NotReplayableError as error:
        return Unchecked(missed_body(event, fold, data) or str(error))
    derived = found.get(data["model"])
    fault = "no version of the model is to be put back" if derived is None else ""
    fault = fault or differing(data, derived)
    missed = missed_body(event, fold, data) if fault else ""
    return Unchecked(missed) if missed else fault or None


@rule("reuse.due", PlanMadeV2.TYPE)
def reuse_due(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Before a plan it is proposed to put back each version that did better lately."""
    data = event.known
    if data["as_of"] >= event.position:
        return Unchecked("its horizon does not lie before it")
    try:
        due = reused(fold, data, planning_of(fold, data))
    except NotReplayableError as error:
        return Unchecked(missed_body(event, fold, data) or str(error))
    for one in due:
        named = [one[name] for name in _DUE]
        known = fold.planning.proposals.of(one["model"], event.position)
        if not any([before[name] for name in _DUE] == named for _, before in known):
            if missed := missed_body(event, fold, data):
                return Unchecked(missed)
            return (
                f"version {one['put_back']} of {one['model']} did better lately than "
                f"{one['in_service']}, and nothing before the plan proposes to put it back"
            )
    return None


@rule("plans.second", PlanMadeV2.TYPE)
def plans_second(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A plan is made again in its period with the money that the tests of its jobs left."""
    data = event.known
    first, as_of = data["second_to"], data["as_of"]
    if first is None:
        return None
    made = next((one for one in fold.planning.plans if one.position == first), None)
    parameters = fold.parameters(data["policy"], data["policy_version"], data["policy_digest"])
    if made is None or parameters is None or parameters.planner is None:
        if missed := missed_body(event, fold, data):
            return Unchecked(missed)
        return f"no first plan of a period is at position {first}"
    if (made.policy, made.period) != (data["policy"], data["now_period"]):
        return f"the plan at position {first} is of another period or policy"
    series = fold.planning.series(first, as_of)
    probe_ppm = parameters.planner.probe_ppm
    taken, is_tested = fold.planning.tests.taken(series, probe_ppm, as_of)
    if not is_tested and event.actor != GOVERNOR:  # which makes it when it is due
        return f"no job of the plan at position {first} was tested before it"
    money, cap = fold.planning.budgets.get(first, (0, 0))
    left = max(0, money - taken)
    if int(data["purse_micros"]) != left:
        return f"its budget is {data['purse_micros']}, and the tests of its period left {left}"
    if int(data["purse_cap_micros"]) != cap:
        return f"its cap is {data['purse_cap_micros']}, and that of the first plan {cap}"
    return None
