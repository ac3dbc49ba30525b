"""Why a model was or was not admitted to a plan, in one sentence with its numbers."""

from ledger.events.notation import counted, money, share
from ledger.events.policy_document import Action, PlanStepsPart
from ledger.events.values import PPM
from ledger.kernel.excess import BacklogRow, PlanInputs, PlanResult
from ledger.rules.vocabulary import RULES_1, RULES_2


def reason_of(
    row: BacklogRow, result: PlanResult, inputs: PlanInputs, action: Action, procedure: str
) -> str:
    """Return the sentence for one row of the backlog, as the policy's procedure words it."""
    need = row.cost_micros * (PPM + inputs.policy.probe_ppm) // PPM
    worth = _worth(row, result, procedure)
    sentences = {
        "admitted": f"Admitted: {worth}, and the purse could pay {money(need)}.",
        "resting": f"Resting after a refused candidate, although {worth}.",
        "too_dear": (
            f"Too dear: it needs {money(need)}, more than the purse can ever hold, "
            f"{money(inputs.purse_cap_micros)}."
        ),
        "saving": f"Wanted ({worth}), but the purse is being saved for a better job.",
        "over_purse": f"Wanted ({worth}), but the purse has less than {money(need)} left.",
        "below_price": f"Not worth it yet: {worth}.",
        "no_evidence": _no_evidence(inputs.policy.max_periods, procedure),
        "in_progress": f"A job is already under way; {worth}.",
        "not_decided": (
            f"Worth it ({worth}), but its decision in force is {action}, not SCHEDULE_RETRAINING."
        ),
    }
    return sentences[row.outcome]


def step_reason_of(row: BacklogRow, result: PlanResult, terms: PlanStepsPart) -> str:
    """Return the sentence for a model that a step around the planner left out."""
    sentences = {
        "at_concurrency": (
            f"but at most {counted(terms.concurrency or 0, 'job')} may be under way at once"
        ),
    }
    return f"Wanted ({_worth(row, result, RULES_2)}), {sentences[row.outcome]}."


def _worth(row: BacklogRow, result: PlanResult, procedure: str) -> str:
    """Return the clause that holds the benefit of a job against its cost and the price."""
    return (
        f"an expected benefit of {money(row.benefit_micros)} for {money(row.cost_micros)} "
        f"{_compared(row.rank, result.price, procedure)}"
    )


def _compared(rank: int, price: int, procedure: str) -> str:
    if procedure == RULES_1:
        return f"gives rank {rank}, against the price {price}"
    return f"is {share(rank)} of its cost, against a price of {share(price)}"


def _no_evidence(max_periods: int, procedure: str) -> str:
    if procedure == RULES_1:  # also where there are such observations, but too old to count
        return "No observation of its loss since it was last trained."
    return (
        f"No observation of its loss counts: none lies both in the last {max_periods} periods and "
        "after the period in which it was last trained."
    )
