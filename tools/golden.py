"""One small ledger that holds every event type once: the catalogue's golden instances.

Scores, decisions and plans in it are computed, so a replay of this ledger by the specifications
alone must arrive at the same bytes. `python -m tools.golden` writes the instances that have no file
yet and notes their digests; it never changes one. A new type goes to the end.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ledger.application.evaluation.assessments import AssessmentInputs, assess
from ledger.application.fleet.history import HistoryReader, window_bounds
from ledger.application.planning.fleet_reading import PlanSources
from ledger.application.planning.kept_plans import KeptPlans
from ledger.application.planning.plans import Planning, PlanRequest
from ledger.application.policies.compiled import PolicyCache
from ledger.application.policies.text import digest, parse
from ledger.chain.keys import SecretKey
from ledger.chain.link import GENESIS, body_hash, event_hash, header_bytes
from ledger.events.base import EventData
from ledger.events.canonical import encode
from ledger.events.decisions import DecisionOverriddenV1, ScoreComputed
from ledger.events.envelope import RecordedEvent, encode_body
from ledger.events.models import ModelDeployed, ModelRegistered, ModelRetired, ModelUpdated
from ledger.events.policies import DRAFTED, PolicyActivatedV1, PolicyDrafted, ScopePart
from ledger.events.recorder import RecorderEvent
from ledger.events.signals import SignalDefined, SignalObserved
from ledger.events.system import LedgerConfigured, LedgerCreated
from ledger.events.values import format_time, parse_time
from tools import golden_later, golden_proving
from tools.events_in_memory import EventsInMemory

ROOT: Final = Path(__file__).resolve().parents[1]
GOLDEN: Final = ROOT / "tests" / "events" / "golden"
SUMS: Final = GOLDEN / "SHA256SUMS"
ORIGIN: Final = "ledger.example.com/golden"
MODEL: Final = "fraud-eu"

POLICY: Final = """\
format: policy/1
title: Golden policy
rationale: Small enough to follow by hand.
scoring:
  signals:
    - signal: log-loss
      baseline: 0.4
      critical: 0.6
      min_buckets: 1
      rationale: Loss is what the business pays for.
decision:
  procedure: rules/1
  rules:
    - id: sustained-loss
      when: priority >= 400000 && signals["log-loss"].sustained
      hold: priority >= 300000
      action: SCHEDULE_RETRAINING
      tier: data-science
      rationale: Sustained loss on a model that matters.
  error_tier: data-science
planning:
  loss_signal: log-loss
tiers:
  - name: data-science
    route: the weekly review
    acknowledge: 24h
"""


POLICY_2: Final = POLICY.replace("procedure: rules/1", "procedure: rules/2")


class GoldenLedger(EventsInMemory):
    """Events in memory, chained."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: list[bytes] = []
        self._versions: dict[str, int] = {}

    def append(
        self,
        data: EventData,
        stream: str,
        recorded_at: str,
        *,
        actor: str = "users/ada",
        cause: int | None = None,
        run_id: str | None = None,
        request_id: str | None = None,
    ) -> int:
        """Append one event and return its position."""
        position = len(self.events) + 1
        version = self._versions.get(stream, 0) + 1
        self._versions[stream] = version
        body = encode_body(
            actor=actor,
            data=data.to_data(),
            causation_position=cause,
            request_id=request_id,
            run_id=run_id,
        )
        # A real salt is random; this one is derived, so that anyone can make it again.
        salt = hashlib.sha256(f"golden {position}".encode()).digest()[:16]
        hashed = body_hash(salt, body)
        previous = self.events[-1].event_hash if self.events else GENESIS
        header = header_bytes(
            body_hash=hashed.hex(),
            ledger=ORIGIN,
            position=position,
            prev_hash=previous.hex(),
            recorded_at=recorded_at,
            stream=stream,
            stream_version=version,
            type_=data.TYPE,
        )
        observed = parse_time(data.observed_at) if isinstance(data, SignalObserved) else None
        self.headers.append(header)
        self.events.append(
            RecordedEvent(
                position=position,
                stream=stream,
                stream_version=version,
                type=data.TYPE,
                recorded_at=parse_time(recorded_at),
                observed_at=observed,
                body_bytes=body,
                salt=salt,
                body_hash=hashed,
                prev_hash=previous,
                event_hash=event_hash(header),
            )
        )
        return position

    def lines(self) -> Iterator[tuple[str, bytes]]:
        """Yield the type of each event and its line, as in an export's `events.jsonl`."""
        for event, header in zip(self.events, self.headers, strict=True):
            assert event.body_bytes is not None, "nothing is erased here"
            assert event.salt is not None, "nothing is erased here"
            line = {
                "body": json.loads(event.body_bytes),
                "hash": event.event_hash.hex(),
                "header": json.loads(header),
                "salt": event.salt.hex(),
            }
            yield event.type, encode(line) + b"\n"


def build() -> GoldenLedger:
    """Return the golden ledger; every event of it is made by this call."""
    _begin(ledger := GoldenLedger())
    _observe_and_decide(ledger)
    _override_and_plan(ledger)
    golden_proving.record(ledger, ORIGIN)
    _decide_by_stated_times(ledger)
    golden_proving.confirm_clock(ledger)
    golden_proving.account(ledger)
    golden_proving.audit_whole(ledger, ORIGIN)
    for record in golden_later.RECORDS:
        record(ledger)
    return ledger


def _begin(ledger: GoldenLedger) -> None:
    """Record the ledger, the signal, the model, the policy and the first deployment."""
    at = "2026-02-01T09:00:00.000000Z"
    vkey = str(SecretKey(ORIGIN, bytes(32)).verifier_key)
    created = LedgerCreated(created_at=at, format="decision-ledger/1", origin=ORIGIN, vkey=vkey)
    ledger.append(created, "ledger", at)
    ledger.append(LedgerConfigured(clock="wall", skew_seconds=300), "ledger", at)
    signal = SignalDefined(
        signal="log-loss",
        kind="performance",
        unit="nats",
        direction="higher_is_worse",
        meaning="Mean logarithmic loss of a day's predictions, once their outcomes are known.",
        collection="Computed beside inference at midnight UTC from the labelled rows of the day.",
    )
    ledger.append(signal, "signals/log-loss", "2026-02-01T09:01:00.000000Z")
    ledger.append(ModelRegistered(**_description("tier-1")), f"models/{MODEL}", _minute(2))
    document = parse(POLICY)
    drafted = _drafted(1, POLICY, "The first policy of this ledger.")
    ledger.append(drafted, "policies/default", _minute(3), request_id="draft-1")
    activated = PolicyActivatedV1(
        policy="default",
        version=1,
        digest=digest(document),
        scope=ScopePart(kind="ledger", model=None, labels={}),
        rationale="Reviewed on 1 February.",
    )
    ledger.append(activated, "policies/default", _minute(4))
    deployed = ModelDeployed(
        model=MODEL,
        model_version="2026-01",
        kind="trained",
        in_service_at=_minute(0),
        trained_through="2026-01-25T00:00:00.000000Z",
        baseline_loss="0.4",
        replaces=None,
    )
    ledger.append(deployed, f"models/{MODEL}", _minute(5), actor="services/release")


def _drafted(version: int, text: str, rationale: str) -> PolicyDrafted:
    document = parse(text)
    stated = {"policy": "default", "version": version, "rationale": rationale}
    made = {"digest": digest(document), "document": document}
    return DRAFTED[type(document)].model_validate(stated | made)


def _minute(minute: int) -> str:
    return f"2026-02-01T09:{minute:02d}:00.000000Z"


def _description(tier: str) -> dict[str, Any]:
    return {
        "model": MODEL,
        "owner": "team-payments",
        "tier": tier,
        "labels": {"region": "eu"},
        "impact_ppm": 900_000,
        "risk_ppm": 500_000,
        "slo_signal": "log-loss",
        "unit_value_micros": "20000",
        "cost_micros": "150000000",
        "recipe": "fraud-gbdt",
        "schema_version": "7",
        "features_version": "12",
        "architecture": "gradient-boosted trees",
        "meaning": "Probability that a card payment in the EU is fraudulent.",
    }


def _observe_and_decide(ledger: GoldenLedger) -> None:
    """Record one observation, and the score and decision that follow from it."""
    observed_at = "2026-03-01T00:00:00.000000Z"
    observed = SignalObserved(
        model_version="2026-01",
        observed_at=observed_at,
        sample_size=120_000,
        signal="log-loss",
        value="0.57",
    )
    stream, recorded_at = f"models/{MODEL}", "2026-03-01T00:00:04.250000Z"
    as_of = ledger.append(observed, stream, recorded_at, actor="services/monitor-7")
    histories = HistoryReader(ledger.reader(), ORIGIN, PolicyCache())
    history = histories.history(MODEL, as_of)
    assert history is not None, "the model was registered above"
    policy = histories.policy_in_force(history.described, as_of)
    assert policy is not None, "the policy was activated above"
    evaluated_at = parse_time(observed_at)
    horizon = AssessmentInputs(history, policy, evaluated_at, "ingest", is_historical=False)
    bounds = window_bounds(policy.scoring, evaluated_at)
    state, _ = histories.fill(history, horizon.service, policy.scoring, *bounds)
    assessment = assess(horizon, state, None)
    run_id = "runs/019ca6a1-bb4a-7c3d-8e5f-0123456789ab"
    for cause, data in ((as_of, assessment.score), (as_of + 1, assessment.decision(as_of + 1))):
        ledger.append(
            data, stream, recorded_at, actor="system/evaluator", cause=cause, run_id=run_id
        )


def _override_and_plan(ledger: GoldenLedger) -> None:
    """Record what people do next, a plan, a foreign event and the model's end."""
    stream = f"models/{MODEL}"
    updated = ModelUpdated(**_description("tier-2"))
    ledger.append(updated, stream, "2026-03-01T07:30:00.000000Z")
    made_at = "2026-03-01T08:00:00.000000Z"
    histories = HistoryReader(ledger.reader(), ORIGIN, PolicyCache())
    as_of = len(ledger.events)
    policy = histories.fleet_policy("", as_of)
    assert policy is not None, "the policy was activated above"
    request = PlanRequest(
        plan="2026-w09",
        as_of=as_of,
        made_at=parse_time(made_at),
        policy=policy,
        budget_micros=200_000_000,
        budget_cap_micros=400_000_000,
    )
    kept = KeptPlans(histories.erasures)
    sources = PlanSources(ledger.reader(), ORIGIN, histories, lambda _: {}, "", kept)
    plan = Planning(sources).compute(request)
    overridden = DecisionOverriddenV1(
        model=MODEL,
        action="ADJUST_DATA_COLLECTION",
        tier="data-science",
        effective_from="2026-03-01T08:30:00.000000Z",
        effective_until="2026-03-03T08:30:00.000000Z",
        rationale="Labels of 28 February arrived twice; correct them first.",
    )
    ledger.append(plan, "plans/2026-w09", made_at, request_id="plan-2026-w09")
    ledger.append(overridden, stream, "2026-03-01T08:30:00.000000Z")
    foreign = "0b6f3a52-58d4-4a35-9f0e-5d0a1c7b9e21"
    recorder = RecorderEvent(
        originator_id=foreign,
        originator_version=1,
        state_base64="eyJuYW1lIjoiTWF4In0=",
        topic="dogschool.domainmodel:Dog.Registered",
    )
    name = hashlib.sha256(foreign.encode()).hexdigest()
    at = format_time(parse_time(made_at) + 3_600_000_000)
    ledger.append(recorder, f"recorder/{name}", at, actor="services/dogschool")
    retired = ModelRetired(model=MODEL, reason="Its market was merged with fraud-uk.")
    ledger.append(retired, stream, "2026-06-30T16:00:00.000000Z")


def _decide_by_stated_times(ledger: GoldenLedger) -> None:
    """Record a version under `rules/2` and what it would have decided: it shows the shape alone."""
    drafted = _drafted(2, POLICY_2, "Versions serve from their stated times on.")
    ledger.append(drafted, "policies/default", "2026-07-02T09:00:00.000000Z", request_id="draft-2")
    histories = HistoryReader(ledger.reader(), ORIGIN, PolicyCache())
    (scored,) = ledger.of_types("", (ScoreComputed.TYPE,))
    as_of, evaluated_at = scored.data["as_of"], parse_time(scored.data["evaluated_at"])
    history = histories.history(MODEL, as_of)
    assert history is not None, "the model was registered above"
    policy = histories.compiled(drafted.policy, drafted.version, drafted.digest)
    horizon = AssessmentInputs(history, policy, evaluated_at, "request", is_historical=True)
    bounds = window_bounds(policy.scoring, evaluated_at)
    state, _ = histories.fill(history, horizon.service, policy.scoring, *bounds)
    made = assess(horizon, state, None).decision(scored.position)
    ledger.append(made, f"models/{MODEL}", "2026-07-02T09:05:00.000000Z", cause=scored.position)


def main() -> None:
    """Write what has no file yet."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    sums = SUMS.read_text(encoding="ascii") if SUMS.exists() else ""
    for type_, line in build().lines():
        path = GOLDEN / f"{type_}.json"
        if path.exists():
            assert path.read_bytes() == line, f"{path.name} would change: it never changes"
            continue
        path.write_bytes(line)
        sums += f"{hashlib.sha256(line).hexdigest()}  {path.name}\n"
        print(f"{path.name} written")
    SUMS.write_text(sums, encoding="ascii")


if __name__ == "__main__":
    main()
