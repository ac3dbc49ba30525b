"""DecisionService: decisions made, explained, and proved by replay."""

from collections.abc import Iterator
from typing import Final

import grpc

from ledger.api.checks import Checks
from ledger.api.convert.basics import appended, inverse, timestamp
from ledger.api.convert.decisions import (
    ACTIONS,
    KINDS,
    decision,
    evaluated,
    explanation,
    replayed,
    score_of,
)
from ledger.api.convert.grounds import grounds, standing
from ledger.api.paging import page_of
from ledger.api.server_context import Servicer, beyond_head
from ledger.application.decisions.decisions import RecordedDecision
from ledger.application.decisions.overrides import OverrideSpec
from ledger.application.decisions.replay import ReplayKind
from ledger.application.ledger import LedgerApplication
from ledger.errors import LedgerError, Reason
from ledger.events.decisions import DecisionMade
from ledger.events.policy_document import Action, PolicyDocument
from ledger.events.registry import typed
from ledger.limits import REPLAY_RANGE_MAX
from ledger.v1 import decision_pb2, decision_service_pb2_grpc, replay_pb2
from ledger.v1 import decision_service_pb2 as pb

_MODELS_MAX: Final = 1_000
_REPORT_SECONDS: Final = 1.0
_RESULTS_PER_MESSAGE: Final = 200
_ACTIONS: Final[dict[int, Action]] = inverse(ACTIONS)
_KIND_NAMES: Final[dict[int, ReplayKind]] = inverse(KINDS)


class DecisionServicer(Servicer, decision_service_pb2_grpc.DecisionServiceServicer):
    """Serves DecisionService."""

    def Evaluate(
        self, request: pb.EvaluateRequest, context: grpc.ServicerContext
    ) -> pb.EvaluateResponse:
        """Score models, decide, record."""
        checks = Checks()
        models = checks.at_most("models", request.models, _MODELS_MAX)
        if checks.present("models", models):
            for index, model in enumerate(models):
                checks.identifier(f"models[{index}]", model)
        given = request.HasField("at")
        at = checks.time("at", request.at, given=True) if given else None
        ledger, caller = self._server.append(request, context, checks)
        result = ledger.decisions.evaluate(caller, models, at)
        return pb.EvaluateResponse(
            appended=appended(result.written),
            evaluated=[
                pb.EvaluatedDecision(decision=_around(ledger, one), score=score_of(one))
                for one in result.decided
            ],
        )

    def OverrideDecision(
        self, request: pb.OverrideDecisionRequest, context: grpc.ServicerContext
    ) -> pb.OverrideDecisionResponse:
        """Set a model's action for a time."""
        checks = Checks()
        if request.action not in _ACTIONS:
            checks.refuse("action", "is required: what to do about the model")
        checks.present("expires_after_seconds", request.expires_after_seconds)
        spec = OverrideSpec(
            model=checks.name("name", request.name, "models"),
            action=_ACTIONS.get(request.action, "NO_ACTION"),
            tier=request.tier,
            reason=checks.text("reason", request.reason),
            role=checks.identifier("role", request.role, optional=True),
            expires_after_seconds=request.expires_after_seconds,
            decision_position=checks.position("decision_position", request.decision_position)
            or None,
        )
        ledger, caller = self._server.append(request, context, checks)
        recorded = ledger.overrides.override(caller, spec)
        return pb.OverrideDecisionResponse(
            appended=appended(recorded.written),
            effective_from=timestamp(recorded.effective_from),
            effective_until=timestamp(recorded.effective_until),
            decision_position=recorded.decision_position or 0,
            role=recorded.role,
        )

    def GetDecision(
        self, request: pb.GetDecisionRequest, context: grpc.ServicerContext
    ) -> pb.GetDecisionResponse:
        """Return one decision with its score."""
        checks = Checks()
        model, _, position = checks.placed_name("name", request.name, "decisions")
        ledger = self._server.read(request, context, checks)
        decided = ledger.decisions.get(model, position)
        return pb.GetDecisionResponse(decision=_around(ledger, decided), score=score_of(decided))

    def ListDecisions(
        self, request: pb.ListDecisionsRequest, context: grpc.ServicerContext
    ) -> pb.ListDecisionsResponse:
        """List decisions, newest first."""
        page = page_of(request)
        checks = Checks()
        model = checks.name("parent", request.parent, "models", optional=True)
        after = checks.position("after_position", request.after_position)
        until = checks.position("until_position", request.until_position)
        ledger = self._server.read(request, context, checks)
        if model and ledger.fleet.model(model) is None:
            raise ledger.fleet.model_unknown(model)
        upper = page.upper if page.upper is not None else until or ledger.log.head().position
        events = ledger.decisions.events(
            model or None,
            after=after,
            until=int(page.cursor) - 1 if page.cursor else upper,
            limit=page.size + 1,
            descending=True,
        )
        shown, token = page.cut(events, lambda event: event.position, upper)
        listed = [(typed(event, DecisionMade), event) for event in shown]
        around = ledger.decisions.overrulings.around(listed)
        return pb.ListDecisionsResponse(
            decisions=[decision(made, event, around[event.position]) for made, event in listed],
            next_page_token=token,
        )

    def ExplainDecision(
        self, request: pb.ExplainDecisionRequest, context: grpc.ServicerContext
    ) -> pb.ExplainDecisionResponse:
        """Say why a decision came out as it did, or what a score led to."""
        checks = Checks()
        model, kind, position = "", "", checks.bare_position(request.name)
        if not position:
            model, kind, position = checks.placed_name("name", request.name, "decisions", "scores")
        ledger = self._server.read(request, context, checks)
        if not model:
            model, kind = ledger.decisions.at(position)
        explain = ledger.decisions.explain_score if kind == "scores" else ledger.decisions.explain
        decided, explained = explain(model, position)
        policy = _document(ledger, decided.decision)
        response = pb.ExplainDecisionResponse(
            decision=_around(ledger, decided),
            explanation=explanation(decided, explained, policy),
            override=ledger.decisions.told_override(decided.decision),
        )
        if kind == "decisions":
            response.asked.extend(ledger.grounds.asked(model, position))
        by = ledger.grounds.standing(decided.score)
        if by is not None:
            response.standing.CopyFrom(standing(by))
        if request.with_grounds:
            try:
                found = ledger.grounds.grounds(decided.score)
            except LedgerError as error:
                if error.reason not in {Reason.BODY_ERASED, Reason.EVENT_UNREADABLE}:
                    raise
                response.grounds_missing = error.message
            else:
                response.grounds.CopyFrom(grounds(found, decided.decision.environment))
        return response

    def ReplayDecision(
        self, request: pb.ReplayDecisionRequest, context: grpc.ServicerContext
    ) -> pb.ReplayDecisionResponse:
        """Recompute one decision, score or plan, and compare."""
        checks = Checks()
        model, plan, position = "", "", 0
        if request.WhichOneof("target") is None:
            checks.refuse("target", "is required: a `name` or a `position`")
        elif request.WhichOneof("target") == "position":
            position = checks.position("position", request.position, optional=False)
        elif request.name.startswith("plans/"):
            plan = checks.name("name", request.name, "plans")
        else:
            model, _, position = checks.placed_name("name", request.name, "decisions")
        ledger = self._server.read(request, context, checks)
        if plan:
            position = ledger.plans.get(plan)[1].position
        elif model:
            ledger.decisions.get(model, position)  # DECISION_UNKNOWN under another model's name
        return pb.ReplayDecisionResponse(result=replayed(ledger.replayer.replay(position)))

    def ReplayRange(
        self, request: pb.ReplayRangeRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ReplayRangeResponse]:
        """Replay everything in a range, and report as it goes."""
        checks = Checks()
        first = checks.position("first_position", request.first_position) or 1
        last = checks.position("last_position", request.last_position)
        for index, number in enumerate(request.kinds):
            if number not in _KIND_NAMES:
                checks.refuse(f"kinds[{index}]", f"{number} is not a kind")
        ledger = self._server.read(request, context, checks)
        head = ledger.log.head().position
        last = last or head
        if last > head:
            raise beyond_head("last_position", last, head)
        if last - first >= REPLAY_RANGE_MAX:
            checks.refuse(
                "last_position",
                f"makes a range of {last - first + 1}; at most {REPLAY_RANGE_MAX} are replayed",
            )
        checks.done()
        kinds = frozenset(_KIND_NAMES[number] for number in request.kinds)
        kinds = kinds or frozenset(_KIND_NAMES.values())
        yield from self._range(ledger, first, last, kinds, request.verbose)

    def _range(
        self,
        ledger: LedgerApplication,
        first: int,
        last: int,
        kinds: frozenset[ReplayKind],
        verbose: bool,  # noqa: FBT001 - the request's own field
    ) -> Iterator[pb.ReplayRangeResponse]:
        counts = {"IDENTICAL": 0, "DIVERGENT": 0, "NOT_REPLAYABLE": 0}
        clock = self._server.clock
        results: list[replay_pb2.ReplayResult] = []
        reported = clock.monotonic_seconds()

        def report(position: int, *, done: bool) -> pb.ReplayRangeResponse:
            return pb.ReplayRangeResponse(
                results=results,
                progress=replay_pb2.ReplayProgress(
                    position=position,
                    last_position=last,
                    identical=counts["IDENTICAL"],
                    divergent=counts["DIVERGENT"],
                    not_replayable=counts["NOT_REPLAYABLE"],
                    done=done,
                ),
            )

        for result in ledger.replayer.replay_range(first, last, kinds):
            counts[result.outcome] += 1
            if verbose or result.outcome != "IDENTICAL":
                results.append(replayed(result))
            now = clock.monotonic_seconds()
            if len(results) >= _RESULTS_PER_MESSAGE or now - reported >= _REPORT_SECONDS:
                self._server.check_draining()
                yield report(result.position, done=False)
                results.clear()
                reported = now
        yield report(last, done=True)


def _around(ledger: LedgerApplication, decided: RecordedDecision) -> decision_pb2.Decision:
    """Return a decision with the overrides around it."""
    event = decided.decision_event
    return evaluated(
        decided, ledger.decisions.overrulings.around([(decided.decision, event)])[event.position]
    )


def _document(ledger: LedgerApplication, data: DecisionMade) -> PolicyDocument:
    """Return the policy version that a decision names."""
    view = ledger.fleet.policy(data.policy)
    if view is None:
        ledger.fleet.refresh()  # another server may have drafted and decided a moment ago
        view = ledger.fleet.policy(data.policy)
    assert view is not None, "a decision names a policy that was drafted"
    drafted = view.policy.drafts[data.policy_version - 1]
    if drafted is None:  # erased a moment ago
        raise ledger.histories.erasures.refusal(view.drafted[data.policy_version - 1].position)
    return drafted.document
