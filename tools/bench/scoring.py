"""How fast a model is scored: from warm state, and what a cold read of the same evidence costs."""

import time
from typing import Final

from ledger.application.evaluation.assessments import AssessmentInputs, assess
from ledger.application.fleet.history import History, HistoryReader
from ledger.application.policies.compiled import CompiledPolicy, PolicyCache
from ledger.events.canonical import encode
from ledger.kernel.bucketed import score
from tools.bench import fleet
from tools.bench.rows import Peer, Row, at_least, load_average
from tools.bench.run import Run, fresh
from tools.vectors_kernel import KernelObservation, state_of

_DAYS: Final = 28
_A_DAY: Final = 3  # observations of each signal: 420 in the window
_NOW: Final = fleet.START + _DAYS * fleet.DAY - 1


def measure(run: Run) -> list[Row]:
    """Return the rows of this section."""
    kernel, cold, assessed, load = fresh(_rates, run)
    what = f"{len(fleet.SIGNALS)} signals × {_DAYS} buckets"
    cold_peer = Peer(f"the same from its {_observations()} observations", cold)
    return [
        Row(
            "scoring",
            f"scoring from warm state, {what}",
            kernel,
            "models/s",
            at_least(3_000),
            cold_peer,
            "the kernel's score",
            load,
        ),
        Row(
            "scoring",
            "assessing from warm state",
            assessed,
            "models/s",
            None,
            Peer("the kernel's score alone", kernel),
            "score, rules, decision, both events' bodies",
            load,
        ),
    ]


def _observations() -> int:
    return len(fleet.SIGNALS) * _DAYS * _A_DAY


def _rates(run: Run) -> tuple[float, float, float, float]:
    """Return models a second: scored warm, scored cold, assessed; and the load meanwhile."""
    policy, history = _policy_and_history(run)
    seen = [
        KernelObservation(
            signal,
            300_000_000 + (day * 37 + at * 11) % 60 * 10_000_000,
            fleet.START + day * fleet.DAY + at * 60 * fleet.MINUTE,
            100,
        )
        for signal in fleet.SIGNALS
        for day in range(_DAYS)
        for at in range(_A_DAY)
    ]
    state = state_of(policy.scoring, seen)
    assert all(len(state.buckets_of(one).sources[""]) == _DAYS for one in fleet.SIGNALS)

    count = run.count(20_000)
    started = time.perf_counter()
    for number in range(count):
        score(policy.scoring, 500_000, 100_000, state, _NOW - number)
    warm = count / (time.perf_counter() - started)

    count = run.count(2_000)
    started = time.perf_counter()
    for number in range(count):
        score(policy.scoring, 500_000, 100_000, state_of(policy.scoring, seen), _NOW - number)
    cold = count / (time.perf_counter() - started)

    count = run.count(5_000)
    started = time.perf_counter()
    for number in range(count):
        horizon = AssessmentInputs(history, policy, _NOW - number, "ingest", is_historical=False)
        made = assess(horizon, state, None)
        encode(made.score.to_data())
        encode(made.decision(1).to_data())
    assessed = count / (time.perf_counter() - started)
    return warm, cold, assessed, load_average()


def _policy_and_history(run: Run) -> tuple[CompiledPolicy, History]:
    """Return the fleet's policy and one of its models, read from a small ledger."""
    database = str(run.path("scoring.sqlite"))
    fleet.create(database)
    with fleet.still(database) as service:
        histories = HistoryReader(service.store.events, fleet.ORIGIN, PolicyCache())
        head = service.ledger().log.head().position
        history = histories.history(fleet.MODELS[0], head)
        assert history is not None
        policy = histories.policy_in_force(history.described, head)
        assert policy is not None
        return policy, history
