"""A message's fields are read by name from what the application answers, and none can be forgotten.

Method: values with the members of a message, whole, empty and with one left out.
"""

from types import SimpleNamespace
from typing import Any

import pytest

from ledger.api.convert.basics import message_of, timestamp
from ledger.v1 import decision_pb2, model_pb2, replay_pb2

HORIZON: dict[str, Any] = {
    "as_of_position": 7,
    "evaluated_at": "2026-01-01T00:00:01.000000Z",
    "model_version": "v1",
    "policy": "main",
    "policy_version": 2,
    "policy_digest": "ab",
    "kernel": "bucketed/1",
    "trigger": "ingest",
    "historical": True,
}


def test_times_and_choices_become_what_the_contract_has_for_them() -> None:
    message = message_of(decision_pb2.Horizon, SimpleNamespace(**HORIZON))
    assert message.evaluated_at == timestamp(1_767_225_601_000_000)
    assert message.trigger == decision_pb2.EVALUATION_TRIGGER_INGEST
    assert (message.as_of_position, message.policy, message.historical) == (7, "main", True)


def test_a_mapping_is_read_like_an_object_and_what_is_stated_comes_first() -> None:
    assert message_of(decision_pb2.Horizon, HORIZON, policy="other").policy == "other"


@pytest.mark.parametrize("name", HORIZON)
def test_a_field_that_a_value_does_not_have_is_an_error_and_never_left_empty(name: str) -> None:
    members = {key: value for key, value in HORIZON.items() if key != name}
    with pytest.raises(AttributeError, match=name):
        message_of(decision_pb2.Horizon, SimpleNamespace(**members))


def test_none_leaves_a_field_unset_be_it_text_choice_time_or_part() -> None:
    members = dict.fromkeys(field.name for field in model_pb2.Deployment.DESCRIPTOR.fields)
    assert message_of(model_pb2.Deployment, members) == model_pb2.Deployment()


def test_ratios_are_found_without_their_unit_and_parts_are_read_in_turn() -> None:
    part = dict.fromkeys((field.name for field in replay_pb2.Difference.DESCRIPTOR.fields), "x")
    result = message_of(
        replay_pb2.ReplayResult,
        {"differences": [part, part], "position": 3},
        kind=replay_pb2.REPLAY_KIND_PLAN,
        name="",
        outcome=replay_pb2.REPLAY_OUTCOME_DIVERGENT,
        why="",
        evidence_positions=(),
        as_of_position=0,
        evaluated_at=None,
    )
    assert [one.path for one in result.differences] == ["x", "x"]
    score = dict.fromkeys(
        (field.name.removesuffix("_ppm") for field in decision_pb2.SignalScore.DESCRIPTOR.fields), 1
    )
    told = message_of(decision_pb2.SignalScore, score | {"signal": "drift", "source": ""})
    assert (told.weight_ppm, told.share_ppm) == (1, 1)


def test_a_choice_that_the_contract_does_not_have_is_an_error() -> None:
    with pytest.raises(KeyError):
        message_of(decision_pb2.Horizon, HORIZON | {"trigger": "whim"})
