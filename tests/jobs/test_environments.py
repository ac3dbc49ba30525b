"""A training is reported only with the environment that it ran in, recorded by its own attempt.

Method: stories of a job with a gate `training`, step by step past the pure judges.
"""

from typing import Any

import pytest

from ledger.events.gate_names import GateName
from ledger.events.jobs import JobEnvironmentRecorded
from tests.support.job_stories import ANA, BOB, GATES, ONE, TWO, Story, proposal
from tests.support.job_worlds import environment

TRAINING = dict(GATES[0]) | {"gate": "training"}
GIVEN = [GATES[0], TRAINING]


def story() -> Story:
    """Return a story up to the training of its first attempt."""
    made = Story()
    assert not made.add(ANA, proposal(gates=GIVEN))
    assert not made.approve(BOB)
    assert not made.lease()
    assert not made.report(ONE, "data_integrity")
    return made


def recorded(
    gate: GateName = "training",
    token: int = 1,
    **stated: Any,  # noqa: ANN401 - members
) -> JobEnvironmentRecorded:
    return JobEnvironmentRecorded(
        job="j1",
        attempt=stated.pop("attempt", 1),
        token=token,
        gate=gate,
        environment=environment(**stated),
    )


def test_a_training_without_its_environment_is_not_reported() -> None:
    told = story()
    why = told.report(ONE, "training")
    assert why == "attempt 1 has recorded no environment of its training"
    assert not told.add(ONE, recorded())
    assert not told.report(ONE, "training")
    assert told.job().outcome == "succeeded"


def test_an_environment_is_recorded_once_for_the_next_gate_by_the_holder_of_the_lease() -> None:
    told = story()
    assert "services/worker-1 holds the lease" in told.add(TWO, recorded())
    assert "is not that of the lease" in told.add(ONE, recorded(token=2))
    assert "what is next is training" in told.add(ONE, recorded("candidate"))
    assert "attempt 1 runs" in told.add(ONE, recorded(attempt=2))
    assert not told.add(ONE, recorded())
    assert told.add(ONE, recorded()) == (
        "attempt 1 has recorded the environment of training already"
    )


def test_another_attempt_records_its_own() -> None:
    told = story()
    assert not told.add(ONE, recorded())
    told.now = told.job().lease.expires_at  # type: ignore[union-attr]
    assert not told.expire(1)
    assert not told.lease(TWO)
    assert "attempt 2 has recorded no environment" in told.report(TWO, "training")
    assert not told.add(TWO, recorded(token=2, attempt=2))
    assert not told.report(TWO, "training")


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ({"interpreter": ""}, "it names neither a container image nor an interpreter"),
        ({"platform": ""}, "it names neither a container image nor an interpreter"),
        ({"code_commit": None, "code_changed": True}, "its code was changed since no commit"),
        (
            {"snapshots": [{"name": name, "sha256": "ab" * 32, "rows": 1} for name in "ba"]},
            "its snapshots are not in the order of their names",
        ),
        (
            {"snapshots": [{"name": "a", "sha256": "ab" * 32, "rows": 1}] * 2},
            "its snapshots are not in the order of their names, each once",
        ),
    ],
)
def test_an_environment_that_tells_too_little_is_refused(stated: dict[str, Any], why: str) -> None:
    assert why in story().add(ONE, recorded(**stated))


def test_an_image_says_what_interpreter_and_platform_would() -> None:
    image = "registry.example.com/train@sha256:" + "ab" * 32
    assert not story().add(ONE, recorded(image=image, interpreter="", platform=""))
