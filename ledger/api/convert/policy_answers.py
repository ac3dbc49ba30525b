"""The persons who answer for a version in force."""

from ledger.api.convert.basics import message_of, timestamp
from ledger.governance.answers import ActivationAnswer, BasedApproval, told
from ledger.governance.lifecycle import ActivationFact
from ledger.v1 import policy_pb2 as pb


def policy_answer(found: ActivationAnswer) -> pb.PolicyAnswer:
    """Return the persons who answer for a version in force, as data and in sentences."""
    ratification, rests_on = found.ratification, found.returned_to or found.activation
    return pb.PolicyAnswer(
        basis=found.basis,
        approvals=[_approval(one) for one in found.approvals],
        returned_to=_act(found.returned_to),
        ended_emergency=_act(found.ended_emergency),
        ratification=None
        if ratification is None
        else pb.PolicyAct(
            position=ratification.position,
            policy=rests_on.policy,
            version=rests_on.version,
            actor=ratification.actor,
            acted_at=timestamp(ratification.recorded_at),
        ),
        sentences=told(found),
    )


def _approval(one: BasedApproval) -> pb.CountedApproval:
    approval = one.approval
    return message_of(
        pb.CountedApproval,
        approval,
        approved_at=timestamp(approval.recorded_at),
        basis=one.basis,
    )


def _act(one: ActivationFact | None) -> pb.PolicyAct | None:
    if one is None:
        return None
    acted_at, because = timestamp(one.recorded_at), one.rationale
    return message_of(pb.PolicyAct, one, acted_at=acted_at, because=because)
