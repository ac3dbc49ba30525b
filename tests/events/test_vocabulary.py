"""What a class says of its event type is true of the format, of the contract and of golden events.

Method: each word of the class is held against the source that does not know it.
"""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

import ledger
from ledger.chain.link import PERMANENT
from ledger.events.authority import AUTHORITY_TYPES, CallRepresented, CredentialUsed
from ledger.events.base import EventData
from ledger.events.jobs import JOB_CLASSES
from ledger.events.policies import STEP_CLASSES
from ledger.events.recipes import RECIPE_CLASSES
from ledger.events.recorder import RecorderEvent
from ledger.events.registry import (
    BY_TYPE,
    EVENT_CLASSES,
    HOUSEKEEPING_TYPES,
    KEPT_NAMES,
    aggregate_types,
    keeps_body,
)
from ledger.events.reviews import REVIEW_CLASSES
from ledger.events.signals import SignalObserved, SignalObservedV2
from ledger.v1 import (
    authority_service_pb2,
    budget_service_pb2,
    case_service_pb2,
    decision_service_pb2,
    export_service_pb2,
    job_service_pb2,
    ledger_service_pb2,
    model_service_pb2,
    policy_service_pb2,
    priority_service_pb2,
    recipe_service_pb2,
    signal_service_pb2,
)
from tools.golden import GOLDEN

FILES: tuple[Any, ...] = (
    authority_service_pb2,
    budget_service_pb2,
    case_service_pb2,
    decision_service_pb2,
    export_service_pb2,
    job_service_pb2,
    ledger_service_pb2,
    model_service_pb2,
    policy_service_pb2,
    priority_service_pb2,
    recipe_service_pb2,
    signal_service_pb2,
)
CALLS = {
    method.name
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


@pytest.mark.parametrize("cls", EVENT_CLASSES, ids=lambda cls: cls.TYPE)
def test_every_method_is_a_call_of_the_contract(
    cls: type[EventData],
) -> None:
    assert not cls.METHOD or cls.METHOD in CALLS


@pytest.mark.parametrize("cls", EVENT_CLASSES, ids=lambda cls: cls.TYPE)
def test_golden_events_are_in_the_stream_that_their_data_name(cls: type[EventData]) -> None:
    line = json.loads((GOLDEN / f"{cls.TYPE}.json").read_bytes())
    if cls not in {
        RecorderEvent,
        SignalObserved,
        SignalObservedV2,
    }:  # a digest; the header alone names the model
        assert cls.from_data(line["body"]["data"]).stream_name == line["header"]["stream"]


def test_what_the_format_calls_permanent_keeps_its_body_and_so_do_keys_and_configuration() -> None:
    kept = PERMANENT | {
        "deployment.explained", "key.committed", "key.revoked", "ledger.configured",
        "roll_back.asked",
    }  # fmt: skip
    kept |= {type_.rpartition(".")[0] for type_ in AUTHORITY_TYPES}
    kept |= {
        cls.TYPE.rpartition(".")[0]
        for cls in (*STEP_CLASSES, *REVIEW_CLASSES, *RECIPE_CLASSES, *JOB_CLASSES)
    }
    assert kept == KEPT_NAMES
    assert keeps_body("key.revoked.v9")
    assert not keeps_body("key.v1")


def test_all_versions_of_a_type_keep_their_bodies_or_none_does() -> None:
    assert all(keeps_body(type_) == cls.KEEPS_BODY for type_, cls in BY_TYPE.items())


def test_only_events_about_the_ledger_itself_are_housekeeping() -> None:
    assert HOUSEKEEPING_TYPES
    streams = {BY_TYPE[type_].STREAM for type_ in HOUSEKEEPING_TYPES}
    assert streams == {"ledger", CallRepresented.STREAM, CredentialUsed.STREAM}


def test_an_aggregate_is_made_of_the_events_that_name_it_first() -> None:
    for kind, noun in (("models", "model"), ("policies", "policy"), ("signals", "signal")):
        named = {
            type_
            for type_, cls in BY_TYPE.items()
            if type_.startswith(f"{noun}.") and cls.STREAM.startswith(f"{kind}/")
        }
        assert aggregate_types(kind) == named
    assert not aggregate_types("plans")


def test_a_type_is_spelled_in_its_class_and_nowhere_else() -> None:
    package = Path(ledger.__path__[0])
    spelled = {
        (path.relative_to(package.parent).as_posix(), node.value)
        for folder in (package, package.parent / "projections")
        for path in folder.rglob("*.py")
        if path.parent != package / "events"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in BY_TYPE
    }
    assert not spelled
