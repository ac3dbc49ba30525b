"""Reads: what was written comes back whole, pages agree with each other, positions are waited for.

Method: a small history told through the API, then read in every way the contract names.
"""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import grpc
import pytest

from ledger.v1 import (
    decision_pb2,
    decision_service_pb2,
    explanation_pb2,
    ledger_service_pb2,
    model_service_pb2,
    plan_pb2,
    policy_service_pb2,
    priority_pb2,
    priority_service_pb2,
    replay_pb2,
    signal_pb2,
    signal_service_pb2,
)
from tests.support.served import (
    DAY,
    POLICY,
    TIMEOUT,
    Served,
    at,
    model_named,
    observation,
    refused,
    refused_in_time,
)

Value: TypeAlias = Any  # of a field, as generated constructors take it

FLEET = ("fares", "routes", "tolls")


@pytest.fixture
def fleet(empty: Served) -> Served:
    """Three models, four weeks of observations, a decision each and a plan."""
    empty.prepare(FLEET)
    for weight, model in enumerate(FLEET, start=1):
        empty.submit(
            *(
                observation(model, number=0.4 + 0.06 * weight, seconds=day * DAY + 1)
                for day in range(28)
            )
        )
    _evaluate(empty, *FLEET)
    empty.priorities.MakePlan(
        priority_service_pb2.MakePlanRequest(purse_micros="60000000", plan="first"),
        timeout=TIMEOUT,
    )
    return empty


def _evaluate(served: Served, *models: str) -> decision_service_pb2.EvaluateResponse:
    return served.decisions.Evaluate(
        decision_service_pb2.EvaluateRequest(models=models), timeout=TIMEOUT
    )


def _listed(served: Served, **fields: Value) -> priority_service_pb2.ListPrioritiesResponse:
    return served.priorities.ListPriorities(
        priority_service_pb2.ListPrioritiesRequest(**fields), timeout=TIMEOUT
    )


def _pages(
    call: Callable[..., Any], request: Value, field: str, size: int = 1
) -> tuple[list[Any], int]:
    """Return all entries of a list read in pages of a size, and how many pages there were."""
    entries, count = [], 0
    request.page_size = size
    while True:
        response = call(request, timeout=TIMEOUT)
        entries += getattr(response, field)
        count += 1
        if not response.next_page_token:
            return entries, count
        request.page_token = response.next_page_token


def test_every_list_in_pages_of_one_equals_the_whole(fleet: Served) -> None:
    lists: list[tuple[Callable[..., Any], type, str]] = [
        (fleet.signals.ListSignals, signal_service_pb2.ListSignalsRequest, "signals"),
        (fleet.signals.ListSignalStates, signal_service_pb2.ListSignalStatesRequest, "states"),
        (fleet.models.ListModels, model_service_pb2.ListModelsRequest, "models"),
        (fleet.policies.ListPolicies, policy_service_pb2.ListPoliciesRequest, "policies"),
        (fleet.decisions.ListDecisions, decision_service_pb2.ListDecisionsRequest, "decisions"),
        (fleet.priorities.ListPriorities, priority_service_pb2.ListPrioritiesRequest, "priorities"),
        (fleet.priorities.ListPlans, priority_service_pb2.ListPlansRequest, "plans"),
        (
            fleet.priorities.ListProjections,
            priority_service_pb2.ListProjectionsRequest,
            "projections",
        ),
        (fleet.ledgers.ListLedgers, ledger_service_pb2.ListLedgersRequest, "ledgers"),
        (fleet.ledgers.ListEvents, ledger_service_pb2.ListEventsRequest, "events"),
    ]
    fleet.priorities.GetProjection(
        priority_service_pb2.GetProjectionRequest(
            name="projections/priorities", min_position=fleet.head()
        ),
        timeout=TIMEOUT,
    )
    fleet.priorities.GetProjection(
        priority_service_pb2.GetProjectionRequest(
            name="projections/signals", min_position=fleet.head()
        ),
        timeout=TIMEOUT,
    )
    for call, kind, field in lists:
        whole, count = _pages(call, kind(), field, 1_000)
        assert count == 1, field
        assert whole, field
        single, count = _pages(call, kind(), field)
        assert single == whole, field
        assert count == len(whole), field


def test_pages_of_events_end_at_the_head_of_the_first_page(fleet: Served) -> None:
    request = ledger_service_pb2.ListEventsRequest(page_size=10)
    head = fleet.head()
    first = fleet.ledgers.ListEvents(request, timeout=TIMEOUT)
    fleet.submit(observation(seconds=30 * DAY))
    request.page_token = first.next_page_token
    rest, _ = _pages(fleet.ledgers.ListEvents, request, "events", 10)
    assert [*(e.position for e in first.events), *(e.position for e in rest)] == [
        *range(1, head + 1)
    ]


def test_a_token_of_another_query_or_a_damaged_one_is_refused(fleet: Served) -> None:
    token = fleet.ledgers.ListEvents(
        ledger_service_pb2.ListEventsRequest(page_size=1), timeout=TIMEOUT
    ).next_page_token
    middle = "A" if token[20] != "A" else "B"
    for request in (
        ledger_service_pb2.ListEventsRequest(page_token=token, types=["signal.observed.v1"]),
        ledger_service_pb2.ListEventsRequest(page_token=token[:20] + middle + token[21:]),
        ledger_service_pb2.ListEventsRequest(page_token="&%"),
        ledger_service_pb2.ListEventsRequest(page_token=token[:-4]),
    ):
        error = refused(
            lambda request=request: fleet.ledgers.ListEvents(  # type: ignore[misc]
                request, timeout=TIMEOUT
            )
        )
        assert (error.code, error.reason) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "PAGE_TOKEN_INVALID",
        )


def test_events_are_filtered_by_type_and_stream(fleet: Served) -> None:
    def positions(**fields: Value) -> list[int]:
        response = fleet.ledgers.ListEvents(
            ledger_service_pb2.ListEventsRequest(page_size=1_000, **fields), timeout=TIMEOUT
        )
        return [event.position for event in response.events]

    plans = positions(types=["plan.made.v1"])
    assert plans == [fleet.head()]
    assert positions(streams=["plans/first"]) == plans
    assert len(positions(streams=["models/fares"], types=["signal.observed.v1"])) == 28


def test_reads_wait_for_their_position_within_their_deadline(fleet: Served) -> None:
    beyond = ledger_service_pb2.GetLedgerRequest(min_position=fleet.head() + 1)
    error = refused_in_time(lambda timeout: fleet.ledgers.GetLedger(beyond, timeout=timeout))
    assert (error.code, error.reason) == (grpc.StatusCode.OUT_OF_RANGE, "POSITION_BEYOND_HEAD")
    waiting = fleet.ledgers.GetLedger.future(
        ledger_service_pb2.GetLedgerRequest(min_position=fleet.head() + 1), timeout=TIMEOUT
    )
    written = fleet.submit(observation(seconds=30 * DAY))
    assert waiting.result().ledger.head_position == written.appended.position
    listed = _listed(fleet, min_position=written.appended.position)
    assert listed.position >= written.appended.position


def test_a_model_comes_back_as_described_with_its_deployments(fleet: Served) -> None:
    shown = fleet.models.GetModel(
        model_service_pb2.GetModelRequest(name="models/fares"), timeout=TIMEOUT
    ).model
    assert shown.version_in_service == "v1"
    assert shown.deployments[0].in_service_at == at(0)
    stated = model_named("fares")
    for field, value in stated.ListFields():
        assert getattr(shown, field.name) == value
    updated = fleet.models.UpdateModel(
        model_service_pb2.UpdateModelRequest(model=stated, etag=shown.etag), timeout=TIMEOUT
    ).model
    assert updated.etag != shown.etag


def test_a_policy_comes_back_whole_and_its_text_gives_the_same_digest(fleet: Served) -> None:
    response = fleet.policies.GetPolicy(
        policy_service_pb2.GetPolicyRequest(name="policies/default"), timeout=TIMEOUT
    )
    assert response.version.name == "policies/default/versions/1"
    assert response.policy.activations[0].in_force
    linted = fleet.policies.LintPolicy(
        policy_service_pb2.LintPolicyRequest(document=response.version.document), timeout=TIMEOUT
    )
    assert linted.valid
    assert linted.digest == response.version.digest
    assert json.loads(response.version.canonical_json)["format"] == "policy/1"


def test_a_lint_reports_problems_with_their_place_and_is_no_error(fleet: Served) -> None:
    head = fleet.head()
    broken = POLICY.replace('signals["log-loss"].sustained', 'signals["log-lose"].sustained')
    response = fleet.policies.LintPolicy(
        policy_service_pb2.LintPolicyRequest(document=broken), timeout=TIMEOUT
    )
    assert not response.valid
    problem = response.problems[0]
    assert problem.line > 0
    assert problem.column > 0
    assert "log-lose" in problem.message
    assert fleet.head() == head


def test_a_decision_is_read_listed_explained_and_replayed_identically(fleet: Served) -> None:
    evaluated = _evaluate(fleet, "tolls").evaluated[0]
    name = evaluated.decision.name
    got = fleet.decisions.GetDecision(
        decision_service_pb2.GetDecisionRequest(name=name), timeout=TIMEOUT
    )
    assert got.decision == evaluated.decision
    assert got.score == evaluated.score
    listed = fleet.decisions.ListDecisions(
        decision_service_pb2.ListDecisionsRequest(parent="models/tolls"), timeout=TIMEOUT
    ).decisions
    assert listed[0] == evaluated.decision
    assert [one.position for one in listed] == sorted((o.position for o in listed), reverse=True)
    explained = fleet.decisions.ExplainDecision(
        decision_service_pb2.ExplainDecisionRequest(name=name), timeout=TIMEOUT
    )
    assert explained.explanation.headline.startswith(
        decision_pb2.Action.Name(evaluated.decision.action).removeprefix("ACTION_")
    )
    assert explained.explanation.paragraph
    assert [rule.rule for rule in explained.explanation.rules] == ["sustained-loss", "drift-alone"]
    assert explained.explanation.rules[0].outcome in {
        explanation_pb2.RULE_OUTCOME_MATCHED,
        explanation_pb2.RULE_OUTCOME_NOT_MATCHED,
    }
    replayed = fleet.decisions.ReplayDecision(
        decision_service_pb2.ReplayDecisionRequest(name=name), timeout=TIMEOUT
    ).result
    assert replayed.outcome == replay_pb2.REPLAY_OUTCOME_IDENTICAL
    assert len(replayed.evidence_positions) == 28


def test_a_range_replays_everything_and_ends_in_a_summary(fleet: Served) -> None:
    messages = list(
        fleet.decisions.ReplayRange(
            decision_service_pb2.ReplayRangeRequest(verbose=True), timeout=TIMEOUT
        )
    )
    last = messages[-1].progress
    assert last.done
    assert not any(one.progress.done for one in messages[:-1])
    results = [result for one in messages for result in one.results]
    assert (last.identical, last.divergent, last.not_replayable) == (len(results), 0, 0)
    kinds = {result.kind for result in results}
    assert kinds == {
        replay_pb2.REPLAY_KIND_DECISION,
        replay_pb2.REPLAY_KIND_SCORE,
        replay_pb2.REPLAY_KIND_PLAN,
    }
    only = list(
        fleet.decisions.ReplayRange(
            decision_service_pb2.ReplayRangeRequest(kinds=[replay_pb2.REPLAY_KIND_PLAN]),
            timeout=TIMEOUT,
        )
    )
    assert only[-1].progress.identical == 1
    assert not any(one.results for one in only)


def test_a_plan_is_read_by_name_and_listed_without_its_backlog(fleet: Served) -> None:
    got = fleet.priorities.GetPlan(
        priority_service_pb2.GetPlanRequest(name="plans/first"), timeout=TIMEOUT
    ).plan
    assert [row.place for row in got.backlog] == [1, 2, 3]
    assert {row.model for row in got.backlog} == set(FLEET)
    assert all(row.reason and row.outcome for row in got.backlog)
    assert got.admitted == sum(row.outcome == plan_pb2.PLAN_OUTCOME_ADMITTED for row in got.backlog)
    listed = fleet.priorities.ListPlans(
        priority_service_pb2.ListPlansRequest(), timeout=TIMEOUT
    ).plans
    assert [one.name for one in listed] == ["plans/first"]
    assert not listed[0].backlog
    error = refused(
        lambda: fleet.priorities.MakePlan(
            priority_service_pb2.MakePlanRequest(purse_micros="1", plan="first"), timeout=TIMEOUT
        )
    )
    assert error.reason == "ALREADY_EXISTS"


def test_priorities_are_ranked_now_by_the_plan_and_as_they_were(fleet: Served) -> None:
    head = fleet.head()
    now = _listed(fleet, min_position=head)
    ranks = [(row.priority_ppm, row.model) for row in now.priorities]
    assert [row.rank for row in now.priorities] == [1, 2, 3]
    assert ranks == sorted(ranks, key=lambda one: (-one[0], one[1]))
    planned = _listed(fleet, order_by=priority_pb2.PRIORITY_ORDER_LAST_PLAN)
    assert [row.plan_place for row in planned.priorities] == [1, 2, 3]
    fleet.submit(*(observation("fares", number=0.9, seconds=(28 + n) * DAY) for n in range(14)))
    after = _evaluate(fleet, "fares").appended.position
    then = _listed(fleet, as_of_position=head)
    assert list(then.priorities) == list(now.priorities)
    moved = _listed(fleet, min_position=after, since_position=head)
    fares = next(row for row in moved.priorities if row.model == "fares")
    was = next(row for row in now.priorities if row.model == "fares")
    assert fares.change.previous_rank == was.rank
    assert fares.change.previous_priority_ppm == was.priority_ppm
    assert fares.rank < was.rank
    assert "log-loss" in fares.change.why


def test_who_left_the_fleet_is_told_with_the_reason(fleet: Served) -> None:
    head = fleet.head()
    gone = fleet.models.RetireModel(
        model_service_pb2.RetireModelRequest(name="models/tolls", reason="replaced"),
        timeout=TIMEOUT,
    ).appended.position
    listed = _listed(fleet, min_position=gone, since_position=head)
    assert [row.model for row in listed.left] == ["tolls"]
    assert {row.model for row in listed.priorities} == {"fares", "routes"}


def test_priorities_as_of_a_time_are_those_of_the_last_position_before_it(fleet: Served) -> None:
    event = fleet.ledgers.ListEvents(
        ledger_service_pb2.ListEventsRequest(types=["plan.made.v1"]), timeout=TIMEOUT
    ).events[0]
    listed = _listed(fleet, as_of_time=event.recorded_at)
    assert listed.position == fleet.head()


def test_signal_states_follow_observations_and_scores(fleet: Served) -> None:
    states = fleet.signals.ListSignalStates(
        signal_service_pb2.ListSignalStatesRequest(model="tolls", min_position=fleet.head()),
        timeout=TIMEOUT,
    ).states
    loss = next(state for state in states if state.signal == "log-loss")
    assert (loss.latest_value, loss.observations) == ("0.58", 28)
    assert loss.breach == signal_pb2.BREACH_STATE_SUSTAINED
    silent = next(state for state in states if state.signal == "input-stability")
    assert silent.breach == signal_pb2.BREACH_STATE_SILENT


def test_a_page_of_states_is_bounded_by_what_it_costs(
    fleet: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = signal_service_pb2.ListSignalStatesRequest
    list_states = fleet.signals.ListSignalStates
    list_states(kind(min_position=fleet.head()), timeout=TIMEOUT)
    whole, count = _pages(list_states, kind(), "states", 1_000)
    assert count == 1
    monkeypatch.setattr("ledger.api.signals.PAGE_STATES_MAX", 2)
    shown, count = _pages(list_states, kind(), "states", 1_000)
    assert shown == whole
    assert count == -(-len(whole) // 2) > 1


def test_a_rebuild_equals_the_live_projection_and_takes_over(fleet: Served) -> None:
    for name in ("priorities", "signals"):
        before = fleet.priorities.GetProjection(
            priority_service_pb2.GetProjectionRequest(
                name=f"projections/{name}", min_position=fleet.head()
            ),
            timeout=TIMEOUT,
        ).projection
        response = fleet.priorities.RebuildProjection(
            priority_service_pb2.RebuildProjectionRequest(name=f"projections/{name}"),
            timeout=TIMEOUT,
        )
        assert response.rebuild.live_digest == response.rebuild.rebuilt_digest
        assert response.projection.state_digest == before.state_digest
        assert response.projection.generation > before.generation


def test_a_checkpoint_covers_the_head_and_names_the_origin(fleet: Served) -> None:
    signed = fleet.ledgers.GetCheckpoint(
        ledger_service_pb2.GetCheckpointRequest(), timeout=TIMEOUT
    ).checkpoint
    assert signed.size == fleet.head()
    assert signed.note.startswith(f"ledger.example/test\n{signed.size}\n")
    assert len(signed.root) == 32
