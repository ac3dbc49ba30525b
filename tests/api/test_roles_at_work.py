"""Whatever the built-in roles may do, they do, and an auditor agrees that each had the right to it.

Method: a server as a team runs it, one actor of each role; each makes the calls that are its work
for real, by its own credential. So no call leaves an event that its own action does not cover.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from google.protobuf.message import Message

from ledger.application.exports.jobs import ExportJob
from ledger.application.exports.writing import ExportWriting
from ledger.authority.table import ADMINISTRATOR, ROLES
from ledger.v1 import (
    audit_pb2,
    checkpoint_pb2,
    decision_pb2,
    decision_service_pb2,
    export_pb2,
    export_service_pb2,
    ledger_service_pb2,
    model_service_pb2,
    policy_service_pb2,
    priority_service_pb2,
    review_pb2,
    signal_service_pb2,
)
from tests.support.audits import audited
from tests.support.authorities import ALLOWED, ANA, PATHS, Team, bearing, team, told
from tests.support.explained import explained_text
from tests.support.served import (
    DAY,
    POLICY,
    TIMEOUT,
    deployment,
    model_named,
    observation,
    signal_named,
)
from tests.support.server_process import until

SIGNALS: Final = ("log-loss", "input-stability")
LIMITED: Final[dict[str, dict[str, Any]]] = {
    "monitor": {"models": ["fares"]},
    "executor": {"labels": {"region": "east"}},
}


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Team]:
    """A server with one actor of each role; some have it within a scope."""
    with team(tmp_path) as found:
        for number, role in enumerate(sorted(ROLES.keys() - {ADMINISTRATOR})):
            found.register(f"users/{role}", f"staff-{10 + number}")
            found.grant(f"users/{role}", role, **LIMITED.get(role, {}))
        yield found
    report = audited(tmp_path / "ledger.sqlite")
    assert report.passed, report.text()


def do(found: Team, role: str, method: str, request: Message) -> None:
    """Have the actor of a role make a call, which is let in and carried out."""
    actor = ANA if role == ADMINISTRATOR else f"users/{role}"
    said = told(found.bearers, method, request, bearing(found.jwt(actor)))
    assert said == ALLOWED, f"{role} {method}: {said}"


def exported(found: Team, **stated: Any) -> None:  # noqa: ANN401 - of a request
    """Have the auditor take an export, and wait until it is on record."""
    before = count(found, "export.issued.v1")
    do(found, "auditor", "CreateExport", export_service_pb2.CreateExportRequest(**stated))
    until(lambda: count(found, "export.issued.v1") > before, "the export is issued")


def _checkpoint(found: Team) -> checkpoint_pb2.Checkpoint:
    """Have the auditor ask for a checkpoint over all that there is."""
    call: Any = found.bearers.unary_unary(
        PATHS["GetCheckpoint"],
        response_deserializer=ledger_service_pb2.GetCheckpointResponse.FromString,
    )
    answer = call(b"", timeout=TIMEOUT, metadata=bearing(found.jwt("users/auditor")))
    checkpoint: checkpoint_pb2.Checkpoint = answer.checkpoint
    return checkpoint


def _signed(found: Team, version: int, model: str = "") -> review_pb2.SignOffPolicyRequest:
    """Return the signature under the review of a version in force for a model, or the ledger."""
    asked = review_pb2.GetReviewPackRequest(name=f"policies/default/versions/{version}")
    if model:
        asked.scope.model = model
    call: Any = found.bearers.unary_unary(
        PATHS["GetReviewPack"],
        request_serializer=review_pb2.GetReviewPackRequest.SerializeToString,
        response_deserializer=review_pb2.GetReviewPackResponse.FromString,
    )
    pack = call(asked, timeout=TIMEOUT, metadata=bearing(found.jwt("users/auditor"))).pack
    return review_pb2.SignOffPolicyRequest(
        name=asked.name,
        scope=asked.scope if model else None,
        as_of=pack.as_of,
        digest=pack.digest,
        reason="It does its work.",
    )


def count(found: Team, type_: str) -> int:
    return sum(event.type == type_ for event in found.events())


def test_all_roles_do_their_work_and_the_ledger_holds(found: Team) -> None:
    pb2 = ledger_service_pb2
    for name in SIGNALS:
        request = signal_service_pb2.DefineSignalRequest(signal=signal_named(name))
        do(found, "operator", "DefineSignal", request)
    model = model_service_pb2.RegisterModelRequest(model=model_named("fares"))
    do(found, "operator", "RegisterModel", model)
    do(found, "operator", "RecordDeployment", deployment("fares", "v1"))
    draft = policy_service_pb2.DraftPolicyRequest(
        name="policies/default", document=POLICY, rationale="It is ours."
    )
    do(found, "policy-author", "DraftPolicy", draft)
    activate = policy_service_pb2.ActivatePolicyRequest(
        name="policies/default/versions/1", rationale="It is good."
    )
    do(found, "policy-approver", "ActivatePolicy", activate)
    rows = [observation("fares", name, seconds=DAY) for name in SIGNALS]
    batch = signal_service_pb2.SubmitSignalsRequest(observations=rows)
    do(found, "monitor", "SubmitSignals", batch)
    stream = signal_service_pb2.StreamSignalsRequest(observations=rows)
    do(found, "monitor", "StreamSignals", stream)
    submitted = found.served.head()
    evaluate = decision_service_pb2.EvaluateRequest(models=["fares"])
    do(found, "operator", "Evaluate", evaluate)
    do(found, "model-owner", "Evaluate", evaluate)
    override = decision_service_pb2.OverrideDecisionRequest(
        name="models/fares",
        action=decision_pb2.ACTION_INVESTIGATE,
        reason="A look is due.",
        expires_after_seconds=60,
    )
    do(found, "model-owner", "OverrideDecision", override)
    plan = priority_service_pb2.MakePlanRequest(purse_micros="100000000")
    do(found, "budget-owner", "MakePlan", plan)
    do(found, "operator", "SealStreams", pb2.SealStreamsRequest())
    described = model_service_pb2.UpdateModelRequest(model=model_named("fares"), etag="2")
    described.model.tier = "low"
    do(found, "model-owner", "UpdateModel", described)
    erase = pb2.EraseBodiesRequest(
        positions=[pb2.PositionRange(first=submitted, last=submitted)],
        ground="Art. 17",
        authority="The officer.",
    )
    do(found, "data-protection-officer", "EraseBodies", erase)
    exported(found, kind=export_pb2.EXPORT_KIND_FULL)
    exported(found, kind=export_pb2.EXPORT_KIND_RANGE, first_position=1, last_position=9)
    exported(found, kind=export_pb2.EXPORT_KIND_STREAM, stream="models/fares")
    checkpoint = _checkpoint(found)
    report = audit_pb2.AuditReport(
        program="auditor 1.0",
        source=audit_pb2.AUDIT_SOURCE_SERVER,
        size=checkpoint.size,
        root=checkpoint.root,
        passed=True,
    )
    do(found, "auditor", "RecordAudit", pb2.RecordAuditRequest(report=report))
    do(found, ADMINISTRATOR, "RotateKey", pb2.RotateKeyRequest())
    do(found, "viewer", "ListModels", model_service_pb2.ListModelsRequest())
    retire = model_service_pb2.RetireModelRequest(name="models/fares", reason="It is old.")
    do(found, "model-owner", "RetireModel", retire)


def _report(found: Team) -> None:
    """Have two models registered, and one of them deployed and observed."""
    for name in SIGNALS:
        request = signal_service_pb2.DefineSignalRequest(signal=signal_named(name))
        do(found, "operator", "DefineSignal", request)
    for model in ("fares", "maps"):
        registered = model_service_pb2.RegisterModelRequest(model=model_named(model))
        do(found, "operator", "RegisterModel", registered)
    do(found, "operator", "RecordDeployment", deployment("fares", "v1"))
    seen = [observation("fares", SIGNALS[0], seconds=DAY)]
    do(
        found,
        "monitor",
        "SubmitSignals",
        signal_service_pb2.SubmitSignalsRequest(observations=seen),
    )


def test_a_role_for_one_model_approves_reviews_rejects_and_withdraws_for_that_model_alone(
    found: Team,
) -> None:
    _report(found)
    found.register("users/of-fares", "staff-40")
    found.grant("users/of-fares", "policy-approver", models=["fares"])
    asking = "governance: {approvals: [{role: policy-approver}], review_every: 1d}\n"
    text = explained_text(POLICY) + asking
    name = "policies/default/versions/"
    for number in (1, 2):
        draft = policy_service_pb2.DraftPolicyRequest(
            name="policies/default", document=f"{text}# {number}\n", rationale="It is ours."
        )
        do(found, "policy-author", "DraftPolicy", draft)
    first = policy_service_pb2.ActivatePolicyRequest(name=f"{name}1", rationale="It is good.")
    do(found, "policy-approver", "ActivatePolicy", first)
    by = policy_service_pb2.ApprovePolicyRequest(name=f"{name}2")
    drafted = [one.data for one in found.events() if one.type.startswith("policy.drafted.")]
    by.digest = drafted[-1]["digest"]

    def said(method: str, request: Message) -> str:
        return told(found.bearers, method, request, bearing(found.jwt("users/of-fares")))

    def submit(model: str) -> None:
        request = policy_service_pb2.SubmitPolicyRequest(name=f"{name}2", rationale="Please.")
        request.scope.model = model
        do(found, "policy-author", "SubmitPolicy", request)

    refused = "ACTOR_NOT_AUTHORISED"
    reject = policy_service_pb2.RejectPolicyRequest(name=f"{name}2", reason="No.")
    withdraw = policy_service_pb2.WithdrawApprovalRequest(name=f"{name}2", reason="Not now.")
    assert said("ApprovePolicy", by) == refused  # it was submitted nowhere
    submit("maps")
    assert said("ApprovePolicy", by) == said("RejectPolicy", reject) == refused
    submit("fares")
    assert said("WithdrawApproval", withdraw) == refused  # of nothing
    assert said("ApprovePolicy", by) == ALLOWED
    assert said("WithdrawApproval", withdraw) == ALLOWED
    assert said("RejectPolicy", reject) == ALLOWED
    submit("fares")
    assert said("ApprovePolicy", by) == ALLOWED
    active = policy_service_pb2.ActivatePolicyRequest(name=f"{name}2", rationale="It is better.")
    active.scope.model = "fares"
    assert said("ActivatePolicy", active) == refused
    do(found, "policy-approver", "ActivatePolicy", active)
    assert said("SignOffPolicy", _signed(found, 1)) == refused  # it is in force for the ledger
    assert count(found, "policy.reviewed.v1") == 0
    assert said("SignOffPolicy", _signed(found, 2, "fares")) == ALLOWED
    assert count(found, "policy.reviewed.v1") == 1


def test_an_export_is_not_issued_to_one_who_lost_the_right_while_it_was_written(
    found: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = ExportWriting.written

    def late(*args: Any) -> ExportJob:  # noqa: ANN401 - as it is called
        held = found.served.service.ledger().authority.state.held("users/auditor", 0)
        found.withdraw(held[0].position)
        return write(*args)

    monkeypatch.setattr(ExportWriting, "written", late)
    request = export_service_pb2.CreateExportRequest(kind=export_pb2.EXPORT_KIND_FULL)
    do(found, "auditor", "CreateExport", request)
    exports = found.served.service.exports()
    until(lambda: exports.all()[0].state == "failed", "the export has failed")
    assert "lost the right to it" in exports.all()[0].failure
    assert count(found, "export.issued.v1") == 0
