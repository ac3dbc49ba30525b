"""Stated times that leap: goal: a slip of the pen moves no `data` ledger; what is meant does.

Method: a served ledger with the bound of 31 days; batches and deployments that leap, alone and
within a batch, by every way in; each refusal says the times, the bound and what to do.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from ledger.client import ClientError, LedgerClient
from ledger.events.notation import time
from ledger.events.values import format_time
from ledger.storage.read_connections import info_of
from ledger.v1 import signal_service_pb2 as pb
from tests.support.served import (
    DAY,
    HOUR,
    ORIGIN,
    START,
    TIMEOUT,
    Served,
    at,
    deployment,
    observation,
    refused,
    serving,
)

NOW = START * 1_000_000
YEARS = 9 * 365 * DAY


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as server:
        server.prepare()
        yield server


def test_the_first_observation_of_all_is_free(served: Served) -> None:
    served.submit(observation(seconds=200 * DAY))


def test_a_leap_is_refused_with_both_times_the_bound_and_what_to_do(served: Served) -> None:
    served.submit(observation(seconds=HOUR))
    head = served.head()
    refusal = refused(lambda: served.submit(observation(seconds=YEARS)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CLOCK_AHEAD")
    stated, newest = time(NOW + YEARS * 1_000_000), time(NOW + HOUR * 1_000_000)
    assert f"{stated} is stated, 3284 days ahead" in refusal.message
    assert ".000000Z" not in refusal.message
    assert f"{newest}; this ledger takes leaps of 31 days at most" in refusal.message
    assert "`--allow-leap` on the command line, `allow_leap` in a request" in refusal.message
    assert refusal.metadata["stated_at"] == format_time(NOW + YEARS * 1_000_000)
    assert refusal.metadata["newest_at"] == format_time(NOW + HOUR * 1_000_000)
    assert refusal.metadata["leap_seconds"] == str(31 * DAY)
    assert served.head() == head
    served.submit(observation(seconds=2 * HOUR))


def test_a_step_as_long_as_the_bound_is_no_leap(served: Served) -> None:
    served.submit(observation(seconds=HOUR))
    served.submit(observation(seconds=HOUR + 31 * DAY))
    refused(lambda: served.submit(observation(seconds=HOUR + 62 * DAY + 0.000001)))


def test_years_of_history_in_one_batch_are_taken_and_one_slip_in_it_is_not(
    served: Served,
) -> None:
    served.submit(observation(seconds=HOUR))
    history = [observation(seconds=week * 7 * DAY) for week in range(1, 150)]
    slip = observation(seconds=YEARS)
    head = served.head()
    assert "newest time before it" in refused(lambda: served.submit(*history, slip)).message
    assert served.head() == head
    served.submit(*reversed(history))
    assert served.head() == head + len(history)


def test_a_leap_that_is_said_to_be_meant_is_taken_also_under_the_same_request_id(
    served: Served,
) -> None:
    served.submit(observation(seconds=HOUR))
    far = observation(seconds=YEARS)
    send = partial(pb.SubmitSignalsRequest, observations=[far], request_id="once", ledger=ORIGIN)
    refused(lambda: served.signals.SubmitSignals(send(), timeout=TIMEOUT))
    taken = served.signals.SubmitSignals(send(allow_leap=True), timeout=TIMEOUT)
    again = served.signals.SubmitSignals(send(), timeout=TIMEOUT)
    assert again.appended.position == taken.appended.position
    served.submit(observation(seconds=YEARS + DAY))


def test_a_batch_of_a_stream_that_leaps_is_refused_alone(served: Served) -> None:
    served.submit(observation(seconds=HOUR))
    batches = [
        pb.StreamSignalsRequest(observations=[observation(seconds=seconds)], allow_leap=allowed)
        for seconds, allowed in ((DAY, False), (YEARS, False), (2 * DAY, False), (YEARS, True))
    ]
    answers = list(served.signals.StreamSignals(iter(batches), timeout=TIMEOUT))
    assert [answer.WhichOneof("result") for answer in answers] == [
        "appended",
        "error",
        "appended",
        "appended",
    ]


def test_a_deployment_that_leaps_is_refused_unless_it_is_meant(served: Served) -> None:
    served.submit(observation(seconds=HOUR))
    far = {"in_service_at": at(YEARS), "trained_through": at(YEARS)}
    record = partial(served.models.RecordDeployment, timeout=TIMEOUT)
    refusal = refused(lambda: record(deployment("fares", "v2", **far)))
    assert refusal.reason == "CLOCK_AHEAD"
    record(deployment("fares", "v2", allow_leap=True, **far))


def test_before_anything_was_observed_deployments_may_lie_years_apart(served: Served) -> None:
    record = partial(served.models.RecordDeployment, timeout=TIMEOUT)
    record(deployment("fares", "v2", in_service_at=at(400 * DAY)))
    record(deployment("fares", "v3", in_service_at=at(800 * DAY)))


@pytest.mark.parametrize("way", ["submit", "stream", "deploy"])
def test_the_client_says_that_a_leap_is_meant(served: Served, way: str) -> None:
    far = NOW + YEARS * 1_000_000
    rows = [("fares", "log-loss", 0.5, far)]

    def stream(client: LedgerClient, said: dict[str, Any]) -> None:
        with client.stream_signals(**said) as sending:
            sending.send(rows)

    def deploy(client: LedgerClient, said: dict[str, Any]) -> None:
        times: dict[str, Any] = {"in_service_at": far, "trained_through": far}
        client.record_deployment("fares", "v2", **times, baseline_loss="0.4", **said)

    ways: dict[str, Callable[[LedgerClient, dict[str, Any]], object]] = {
        "submit": lambda client, said: client.submit(rows, **said),
        "stream": stream,
        "deploy": deploy,
    }
    served.submit(observation(seconds=HOUR))
    with LedgerClient(served.server.address) as client:
        with pytest.raises(ClientError, match="takes leaps of 31 days at most"):
            ways[way](client, {})
        ways[way](client, {"allow_leap": True})


def test_a_data_ledger_of_an_earlier_release_has_the_bound_too() -> None:
    assert info_of((1, ORIGIN, "data", 300, "key", None, None)).leap_seconds == 31 * DAY
    assert info_of((1, ORIGIN, "wall", 300, "key", None, None)).leap_seconds == 0


@pytest.mark.parametrize(("leap", "is_taken"), [(0, True), (120, False)])
def test_a_ledger_may_have_a_bound_of_its_own_or_none(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    leap: int,
    is_taken: bool,  # noqa: FBT001
) -> None:
    with serving(tmp_path) as served:
        served.service.create_ledger(ORIGIN, clock="data", leap_seconds=leap, actor="system/x")
        monkeypatch.setattr(served, "create", lambda: None)
        served.prepare()
        served.submit(observation(seconds=HOUR))
        far = partial(served.submit, observation(seconds=HOUR + 121))
        if is_taken:
            far()
        else:
            assert "takes leaps of 2 minutes at most" in refused(far).message
