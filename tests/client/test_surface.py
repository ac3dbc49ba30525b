"""The client covers the whole contract, twice, and shows nothing of protobuf.

Method: compare by inspection. Every RPC has a call, every field of a message has one in its
dataclass, every enum the same members. The blocking client is generated from the asyncio one; what
is written by hand in both, batch and stream, has the same methods with the same parameters.
"""

import asyncio
import dataclasses
import inspect
import re
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor

from ledger import client
from ledger.client import (
    AsyncLedgerClient,
    LedgerClient,
    authority,
    budgets,
    cases,
    drills,
    enums,
    grounds,
    jobs,
    notifications,
    outcomes,
    policy_answers,
    policy_status,
    proofs,
    ranking,
    recipes,
    records,
    runs,
    shadows,
    trials,
)
from ledger.client.aio.batch import AsyncSignalBatch
from ledger.client.aio.stream import AsyncSignalStream
from ledger.client.blocking.batch import SignalBatch
from ledger.client.blocking.stream import SignalStream
from ledger.client.decode import UnknownChoiceError, decode
from ledger.client.errors import FAMILY, LedgerRefusedError
from ledger.errors import Reason
from ledger.events.notation import budget_name
from ledger.v1 import (
    append_pb2,
    audit_pb2,
    authority_pb2,
    authority_service_pb2,
    budget_pb2,
    budget_service_pb2,
    case_pb2,
    case_service_pb2,
    checkpoint_pb2,
    decision_pb2,
    decision_service_pb2,
    drill_pb2,
    errors_pb2,
    event_pb2,
    explanation_pb2,
    export_pb2,
    export_service_pb2,
    job_pb2,
    job_service_pb2,
    ledger_pb2,
    ledger_service_pb2,
    model_pb2,
    model_service_pb2,
    notification_pb2,
    notification_service_pb2,
    plan_pb2,
    policy_pb2,
    policy_service_pb2,
    priority_pb2,
    priority_service_pb2,
    projection_pb2,
    recipe_pb2,
    recipe_service_pb2,
    replay_pb2,
    review_pb2,
    run_pb2,
    run_service_pb2,
    shadow_pb2,
    signal_pb2,
    signal_service_pb2,
    trial_pb2,
)

MODULES = [
    append_pb2,
    audit_pb2,
    authority_pb2,
    budget_pb2,
    case_pb2,
    checkpoint_pb2,
    decision_pb2,
    drill_pb2,
    event_pb2,
    explanation_pb2,
    export_pb2,
    job_pb2,
    ledger_pb2,
    model_pb2,
    notification_pb2,
    plan_pb2,
    policy_pb2,
    priority_pb2,
    projection_pb2,
    recipe_pb2,
    replay_pb2,
    review_pb2,
    run_pb2,
    signal_pb2,
    shadow_pb2,
    trial_pb2,
]
SERVICES = [
    authority_service_pb2,
    budget_service_pb2,
    case_service_pb2,
    decision_service_pb2,
    export_service_pb2,
    job_service_pb2,
    ledger_service_pb2,
    model_service_pb2,
    notification_service_pb2,
    policy_service_pb2,
    priority_service_pb2,
    recipe_service_pb2,
    run_service_pb2,
    signal_service_pb2,
]
MESSAGES: dict[str, Descriptor] = {
    name: message
    for module in MODULES
    for name, message in module.DESCRIPTOR.message_types_by_name.items()
}
# Answers that are results themselves, messages whose names mean a part of the service, and a
# request that is written by hand.
RESULTS = {
    "PolicyOverlap": policy_pb2.ScopeOverlap.DESCRIPTOR,
    "PolicyLint": policy_service_pb2.LintPolicyResponse.DESCRIPTOR,
    "PolicyDiff": trial_pb2.DiffPolicyResponse.DESCRIPTOR,
    "PolicyDifference": trial_pb2.PolicyChange.DESCRIPTOR,
    "ShadowComparison": shadow_pb2.CompareShadowResponse.DESCRIPTOR,
    "PolicyTrial": trial_pb2.TryPolicyResponse.DESCRIPTOR,
    "TriedCounts": trial_pb2.TrialSide.DESCRIPTOR,
    "TriedDecision": trial_pb2.TrialStep.DESCRIPTOR,
    "TriedDifference": trial_pb2.TrialDifference.DESCRIPTOR,
    "TriedModel": trial_pb2.ModelEffect.DESCRIPTOR,
    "DraftedPolicy": policy_service_pb2.DraftPolicyResponse.DESCRIPTOR,
    "DraftedRecipe": recipe_service_pb2.DraftRecipeResponse.DESCRIPTOR,
    "RecipeFindings": recipe_service_pb2.LintRecipeResponse.DESCRIPTOR,
    "PolicyView": policy_service_pb2.GetPolicyResponse.DESCRIPTOR,
    "Evaluation": decision_service_pb2.EvaluateResponse.DESCRIPTOR,
    "EvaluatedDecision": decision_service_pb2.EvaluatedDecision.DESCRIPTOR,
    "ExplainedDecision": decision_service_pb2.ExplainDecisionResponse.DESCRIPTOR,
    "ReplayReport": decision_service_pb2.ReplayRangeResponse.DESCRIPTOR,
    "PriorityUpdate": priority_service_pb2.WatchPrioritiesResponse.DESCRIPTOR,
    "ProposedReuse": priority_service_pb2.ProposeReuseResponse.DESCRIPTOR,
    "ToldPlanSchedule": plan_pb2.PlanSchedule.DESCRIPTOR,
    "MadePlan": priority_service_pb2.MakePlanResponse.DESCRIPTOR,
    "SigningKeys": ledger_service_pb2.ListKeysResponse.DESCRIPTOR,
    "ChangedKey": ledger_service_pb2.RotateKeyResponse.DESCRIPTOR,
    "Seal": ledger_service_pb2.SealStreamsResponse.DESCRIPTOR,
    "Erased": ledger_service_pb2.EraseBodiesResponse.DESCRIPTOR,
    "Intake": signal_service_pb2.Intake.DESCRIPTOR,
    "ExportPart": export_service_pb2.ReadExportResponse.DESCRIPTOR,
    "CallerIdentity": authority_pb2.Identity.DESCRIPTOR,
    "ExplainedAuthority": authority_service_pb2.ExplainAuthorityResponse.DESCRIPTOR,
    "LedgerAuthority": authority_pb2.Authority.DESCRIPTOR,
    "ListedToken": authority_pb2.Token.DESCRIPTOR,
    "RecordedGrant": authority_pb2.Grant.DESCRIPTOR,
    "DeadNotification": notification_pb2.DeadLetter.DESCRIPTOR,
    "SubscriberTest": notification_service_pb2.TestSubscriberResponse.DESCRIPTOR,
    "ModelTask": case_pb2.Task.DESCRIPTOR,
    "EnvelopeFigures": budget_pb2.EnvelopeStatus.DESCRIPTOR,
    "PaidModels": budget_pb2.BudgetScope.DESCRIPTOR,
    "ReservedMoney": budget_pb2.BudgetReservation.DESCRIPTOR,
    "RetrainingBudget": budget_pb2.Budget.DESCRIPTOR,
    "ToldBudget": budget_service_pb2.GetBudgetResponse.DESCRIPTOR,
    "Artifact": job_pb2.JobArtifact.DESCRIPTOR,
    "ChangedJob": job_service_pb2.ApproveJobResponse.DESCRIPTOR,
    "CriterionJudgement": job_pb2.JudgedCriterion.DESCRIPTOR,
    "GateJudgement": job_pb2.JudgedGate.DESCRIPTOR,
    "JudgedJob": job_service_pb2.GetJobResponse.DESCRIPTOR,
    "ReportedEvidence": job_pb2.GateEvidence.DESCRIPTOR,
    "ReportedGate": job_service_pb2.ReportGateResponse.DESCRIPTOR,
    "ToldRun": run_service_pb2.GetRunDocumentResponse.DESCRIPTOR,
    "RetrainingJob": job_pb2.Job.DESCRIPTOR,
    "RebuiltProjection": priority_service_pb2.RebuildProjectionResponse.DESCRIPTOR,
}
ASSEMBLED = {
    "ActorChange",
    "ApprovedChange",
    "AskedRollBack",
    "AuthorityChange",
    "Defined",
    "Deployed",
    "Escalations",
    "IssuedToken",
    "ModelTasks",
    "PolicyReplacement",  # sent only, with an id in place of a resource name
    "PolicyScope",
    "PolicySource",  # sent only
    "Priorities",
    "RecordedOverride",
    "RunLineage",
    "SignalStates",
    "Submitted",
    "ToldBudgets",
}
CLASSES = {
    name: cls
    for module in (
        authority,
        budgets,
        cases,
        drills,
        grounds,
        jobs,
        notifications,
        outcomes,
        policy_answers,
        policy_status,
        proofs,
        ranking,
        recipes,
        records,
        runs,
        shadows,
        trials,
    )
    for name, cls in vars(module).items()
    if dataclasses.is_dataclass(cls)
}
TWINS = [(SignalStream, AsyncSignalStream), (SignalBatch, AsyncSignalBatch)]
SURFACES = [LedgerClient, AsyncLedgerClient, *(cls for pair in TWINS for cls in pair)]


def public(cls: type) -> dict[str, Any]:
    return {name: member for name, member in inspect.getmembers(cls) if not name.startswith("_")}


@pytest.mark.parametrize(("sync", "async_"), TWINS)
def test_batches_and_streams_have_the_same_surface_in_both_clients(
    sync: type, async_: type
) -> None:
    here, there = public(sync), public(async_)
    assert set(here) == set(there)
    for name, member in here.items():
        if not callable(member):
            continue
        mine, other = inspect.signature(member), inspect.signature(there[name])
        for parameter, twin in zip(
            mine.parameters.values(), other.parameters.values(), strict=True
        ):
            assert (parameter.name, parameter.kind, parameter.default) == (
                twin.name,
                twin.kind,
                twin.default,
            ), name
        assert member.__doc__ == there[name].__doc__, name


def test_every_rpc_of_the_contract_has_a_call() -> None:
    folder = Path(client.__path__[0])
    source = "".join(path.read_text("utf-8") for path in folder.rglob("*.py"))
    written = set(
        re.findall(
            r"\b(?:pb|signal_service_pb2|review_pb2|shadow_pb2|trial_pb2)\.(\w+)Request\(", source
        )
    )
    rpcs = {
        method.name
        for module in SERVICES
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert written == rpcs


@pytest.mark.parametrize("name", sorted(set(CLASSES) - ASSEMBLED))
def test_no_field_of_the_contract_is_lost(name: str) -> None:
    descriptor = RESULTS.get(name) or MESSAGES[name]
    fields = {field.name for field in dataclasses.fields(CLASSES[name])}
    assert fields == set(map(budget_name, descriptor.fields_by_name))


def test_every_message_that_answers_hold_has_its_class() -> None:
    handled = {"LabelSelector", "Observation", "PolicyScope"}  # requests, and within PolicyScope
    handled |= {"EnvelopeAmounts", "ObservationDetail", "RawReport"}  # sent only
    handled |= {name for name in MESSAGES if name.endswith("Request")}
    handled |= {f"{name}Response" for name in ("ShadowPolicy", "EndShadow", "ListShadows")}
    handled |= {"GetReviewPackResponse", "SignOffPolicyResponse"}
    named = {RESULTS[name].name for name in CLASSES if name in RESULTS}
    assert set(MESSAGES) - handled <= set(CLASSES) | named


@pytest.mark.parametrize(
    "cls", [cls for _, cls in inspect.getmembers(enums, inspect.isclass) if cls is not StrEnum]
)
def test_choices_are_those_of_the_contract(cls: type[StrEnum]) -> None:
    for module in MODULES:
        if cls.__name__ in module.DESCRIPTOR.enum_types_by_name:
            wire = module.DESCRIPTOR.enum_types_by_name[cls.__name__]
            prefix = wire.values_by_number[0].name.removesuffix("UNSPECIFIED")
            assert [prefix + member for member in cls.__members__] == [
                budget_name(value.name) for value in wire.values if value.number
            ]
            return
    raise AssertionError(f"the contract has no enum {cls.__name__}")


def test_every_reason_belongs_to_a_family() -> None:
    assert set(FAMILY) == set(Reason)
    assert LedgerRefusedError not in FAMILY.values()
    names = {f"ERROR_REASON_{reason.value}" for reason in Reason}
    assert names == set(errors_pb2.ErrorReason.keys()) - {"ERROR_REASON_UNSPECIFIED"}


@pytest.mark.parametrize("cls", SURFACES)
def test_signatures_show_nothing_of_protobuf_or_grpc(cls: type) -> None:
    for name, member in public(cls).items():
        if callable(member):
            shown = str(inspect.signature(member))
            assert "pb2" not in shown, name
            assert "grpc" not in shown, name


def test_what_the_package_exports_is_there() -> None:
    assert all(hasattr(client, name) for name in client.__all__)


def test_a_choice_of_a_newer_server_is_refused_by_name() -> None:
    message = ledger_pb2.Ledger(origin="a", clock=99)  # type: ignore[arg-type]
    with pytest.raises(UnknownChoiceError, match="LedgerClock number 99"):
        decode(records.Ledger, message)


def test_the_readme_names_every_reason_with_its_class() -> None:
    readme = (Path(client.__path__[0]) / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([A-Z_, ]+) \|$", readme, re.MULTILINE))
    named = {reason: name for name, reasons in rows.items() for reason in reasons.split(", ")}
    assert named == {reason.value: family.__name__ for reason, family in FAMILY.items()}


@pytest.mark.parametrize(
    "actor", ["Root", "root", "users/", "system/evaluator", "models/fares", "users/a b", "users/é"]
)
@pytest.mark.parametrize("make", [LedgerClient, AsyncLedgerClient])
def test_an_actor_that_cannot_be_is_refused_before_anything_is_sent(
    make: type[LedgerClient] | type[AsyncLedgerClient], actor: str
) -> None:
    with pytest.raises(ValueError, match=r"actor: .*users/NAME or services/NAME"):
        make("127.0.0.1:1", actor=actor)


def test_a_change_of_actor_is_checked_too() -> None:
    with LedgerClient("127.0.0.1:1", actor="services/monitor-7") as client:
        client.using(actor="users/ana")
        with pytest.raises(ValueError, match="system/x"):
            client.using(actor="system/x")


@pytest.mark.parametrize("purpose", ["a\nb", "é", "x" * 201])
def test_a_purpose_that_cannot_be_sent_is_refused_before_anything_is_sent(purpose: str) -> None:
    with (
        LedgerClient("127.0.0.1:1", purpose="audit") as client,
        pytest.raises(ValueError, match=r"purpose: .*200 printable characters"),
    ):
        client.using(purpose=purpose)


def test_a_deadline_of_0_is_refused_and_not_read_as_the_one_before() -> None:
    async def of_asyncio() -> None:
        async with AsyncLedgerClient("127.0.0.1:1") as client:
            with pytest.raises(ValueError, match="deadline_seconds"):
                client.using(deadline_seconds=0)

    asyncio.run(of_asyncio())
    with (
        LedgerClient("127.0.0.1:1") as client,
        pytest.raises(ValueError, match="deadline_seconds"),
    ):
        client.using(deadline_seconds=0)
