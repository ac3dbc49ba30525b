"""Questions that this release has no events for: each answer says which ones it waits for."""

from typing import Final

from ledger.compliance.facts import Source
from ledger.compliance.questions import Answer, Inquiry, answers

WAITING: Final[dict[int, str]] = {
    14: "gates (`job.gate_reported`, `job.gate_judged`)",
    15: "gates, which would state the holdout and its uses",
    16: "gates and approvals of jobs",
    17: "approvals (who, quorum, digest of the evidence shown)",
    20: "outcomes of jobs (`job.closed` with the realised gain beside the forecast)",
    22: "simulations attached to policy approvals",
    23: "sensitivity analyses; `policy show` has every weight and threshold meanwhile",
    25: "outcomes of jobs and of investigations",
    28: "change envelope in the policy, and no jobs judged against it",
    30: "marks on observations for estimated values and for corrected labels",
    35: "control catalogue in the ledger",
}


def _waits(number: int, events: str) -> None:
    def _answer(source: Source, inquiry: Inquiry) -> Answer:  # noqa: ARG001 - nothing to read
        return Answer(missing=f"This release records no {events}.", is_answered=False)

    answers(number)(_answer)


for _number, _events in WAITING.items():
    _waits(_number, _events)
