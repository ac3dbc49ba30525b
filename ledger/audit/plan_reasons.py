"""Why a model was or was not admitted to a plan: the audit's own writing of each sentence."""

from ledger.audit.parameters import Parameters
from ledger.audit.plan_steps import terms_of
from ledger.audit.sums import money, per_cent
from ledger.events.values import PPM
from ledger.kernel.excess import BacklogRow, PlanInputs, PlanResult
from ledger.kernel.plan_steps import STEP_OUTCOMES


def reason_of(  # noqa: PLR0911 - one sentence for each outcome
    row: BacklogRow, result: PlanResult, inputs: PlanInputs, parameters: Parameters, action: str
) -> str:
    """Return the sentence that the planner's name and the procedure prescribe for a row."""
    need = money(row.cost_micros * (PPM + inputs.policy.probe_ppm) // PPM)
    if parameters.is_by_record:
        compared = f"gives rank {row.rank}, against the price {result.price}"
    else:
        compared = (
            f"is {per_cent(row.rank)} of its cost, against a price of {per_cent(result.price)}"
        )
    benefit, cost = money(row.benefit_micros), money(row.cost_micros)
    worth = f"an expected benefit of {benefit} for {cost} {compared}"
    match row.outcome:
        case "admitted":
            return f"Admitted: {worth}, and the purse could pay {need}."
        case "resting":
            return f"Resting after a refused candidate, although {worth}."
        case "too_dear":
            cap = money(inputs.purse_cap_micros)
            return f"Too dear: it needs {need}, more than the purse can ever hold, {cap}."
        case "saving":
            return f"Wanted ({worth}), but the purse is being saved for a better job."
        case "over_purse":
            return f"Wanted ({worth}), but the purse has less than {need} left."
        case "below_price":
            return f"Not worth it yet: {worth}."
        case "no_evidence":
            if parameters.is_by_record:
                return "No observation of its loss since it was last trained."
            periods = inputs.policy.max_periods
            return (
                f"No observation of its loss counts: none lies both in the last {periods} periods "
                "and after the period in which it was last trained."
            )
        case "in_progress":
            return f"A job is already under way; {worth}."
    if row.outcome in STEP_OUTCOMES:
        return step_reason(row.outcome, worth, parameters)
    return f"Worth it ({worth}), but its decision in force is {action}, not SCHEDULE_RETRAINING."


def step_reason(outcome: str, worth: str, parameters: Parameters) -> str:
    """Return the sentence for a model that a step left out."""
    terms = terms_of(parameters)
    assert terms is not None, "a step changed it"
    assert outcome == "at_concurrency", "there is no other"
    most = terms["concurrency"]
    jobs = "1 job" if most == 1 else f"{most} jobs"
    return f"Wanted ({worth}), but at most {jobs} may be under way at once."
