"""The contract's comments are true: required fields are required, errors are what the table says.

Method: the proto files are compiled with their comments; each comment that makes a promise is tried
against a server or compared with the code.
"""

import re
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, symbol_database
from google.protobuf.message import Message
from grpc_tools import protoc

from ledger.api import errors
from ledger.errors import LedgerError, Reason
from ledger.v1 import errors_pb2, signal_service_pb2
from tests.support.served import OFFICER, TIMEOUT, Served, refused

ROOT = Path(__file__).resolve().parents[2]
_BEHAVIOURS = ("Required. ", "Optional. ", "Output only. ")


@cache
def compiled() -> descriptor_pb2.FileDescriptorSet:
    """Return the contract's files with their comments."""
    names = sorted(path.name for path in (ROOT / "proto" / "ledger" / "v1").glob("*.proto"))
    include = resources.files("grpc_tools") / "_proto"
    with TemporaryDirectory() as folder:
        target = Path(folder) / "contract.binpb"
        code = protoc.main(
            [
                "protoc",
                f"--proto_path={ROOT / 'proto'}",
                f"--proto_path={include}",
                "--include_source_info",
                f"--descriptor_set_out={target}",
                *(f"ledger/v1/{name}" for name in names),
            ]
        )
        assert code == 0
        return descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes())


@cache
def field_comments() -> dict[str, dict[str, str]]:
    """Return the comment of each field, by message and field."""
    found: dict[str, dict[str, str]] = {}
    for file in compiled().file:
        for place in file.source_code_info.location:
            if len(place.path) == 4 and place.path[0] == 4 and place.path[2] in {2, 8}:
                message = file.message_type[place.path[1]]
                is_field = place.path[2] == 2
                part = (message.field if is_field else message.oneof_decl)[place.path[3]]
                if not is_field and part.name.startswith("_"):
                    continue  # what `optional` makes of a single field
                found.setdefault(message.name, {})[part.name] = place.leading_comments.strip()
    return found


def methods() -> list[tuple[str, descriptor_pb2.MethodDescriptorProto]]:
    """Return every method with its service's full name."""
    return [
        (f"ledger.v1.{service.name}", method)
        for file in compiled().file
        for service in file.service
        for method in service.method
    ]


UNARY = {
    f"/{service}/{method.name}": method
    for service, method in methods()
    if not method.client_streaming
}


def test_every_field_says_who_sets_it_and_responses_only_that_the_server_does() -> None:
    for message, fields in field_comments().items():
        for field, comment in fields.items():
            assert comment.startswith(_BEHAVIOURS), f"{message}.{field}"
            if message.endswith("Response"):
                assert comment.startswith("Output only. "), f"{message}.{field}"
            if message.endswith("Request"):
                assert not comment.startswith("Output only. "), f"{message}.{field}"


def caller(served: Served, path: str, *, streams: bool) -> Callable[..., Any]:
    """Return a call by its path; answers stay bytes."""
    kind: Any = served.channel.unary_stream if streams else served.channel.unary_unary
    call: Callable[..., Any] = kind(
        path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=lambda data: data,
    )
    return call


@pytest.mark.parametrize("path", UNARY)
def test_an_empty_request_is_refused_for_each_required_field_by_name(
    module_served: Served, path: str
) -> None:
    served = module_served  # a refused request writes nothing, as is seen below
    method = UNARY[path]
    name = method.input_type.rpartition(".")[2]
    required = {
        field
        for field, comment in field_comments()[name].items()
        if comment.startswith("Required. ")
    }
    if not required:
        return
    factory: type[Message] = symbol_database.Default().GetSymbol(f"ledger.v1.{name}")
    call = caller(served, path, streams=method.server_streaming)
    head = served.head()
    if name == "NameAdministratorRequest":
        return  # for the Unix socket alone, where its own test calls it
    actor = (("ledger-actor", OFFICER),) if name == "EraseBodiesRequest" else ()
    error = refused(lambda: call(factory(), timeout=TIMEOUT, metadata=actor))
    assert error.reason == "FIELD_INVALID"
    missing = {
        field for field in required if not any(one.split(".")[0] == field for one in error.fields)
    }
    assert not missing, error.fields
    assert served.head() == head


def test_required_fields_of_the_nouns_are_refused_by_their_path(served: Served) -> None:
    for service, method, noun, field in (
        ("Signal", "DefineSignal", "Signal", "signal"),
        ("Model", "RegisterModel", "Model", "model"),
    ):
        path = f"/ledger.v1.{service}Service/{method}"
        factory: type[Message] = symbol_database.Default().GetSymbol(f"ledger.v1.{method}Request")
        request = factory()
        getattr(request, field).SetInParent()
        call = caller(served, path, streams=False)
        error = refused(lambda call=call, request=request: call(request, timeout=TIMEOUT))  # type: ignore[misc]
        required = {
            f"{field}.{name}"
            for name, comment in field_comments()[noun].items()
            if comment.startswith("Required. ")
        }
        assert required <= error.fields.keys()


def test_every_call_with_a_request_id_answers_with_appended() -> None:
    for _, method in methods():
        request = field_comments()[method.input_type.rpartition(".")[2]]
        response = field_comments()[method.output_type.rpartition(".")[2]]
        # An export, and a plan that takes long, are recorded once they are made: after the answer.
        is_later = method.name in {"BeginPlan", "CreateExport"}
        is_answered = "request_id" in request and not is_later
        assert ("appended" in response) == is_answered, method.name


def test_every_request_names_its_ledger_and_every_list_is_paged() -> None:
    for _, method in methods():
        request = field_comments()[method.input_type.rpartition(".")[2]]
        if method.name not in {"CreateLedger", "ListLedgers"}:
            assert "ledger" in request, method.name
        if method.name.startswith("List") and method.name != "ListKeys":  # one a rotation
            assert {"page_size", "page_token"} <= request.keys(), method.name


# ---- errors --------------------------------------------------------------------------------------


@cache
def reasons() -> dict[str, tuple[str, str, str]]:
    """Return (status, meaning, what to do) of each reason, from the comments of the enumeration."""
    found = {}
    for file in compiled().file:
        if file.name != "ledger/v1/errors.proto":
            continue
        for place in file.source_code_info.location:
            if len(place.path) == 4 and list(place.path[:3]) == [5, 0, 2] and place.path[3]:
                name = file.enum_type[0].value[place.path[3]].name
                comment = " ".join(place.leading_comments.split())
                match = re.fullmatch(r"([A-Z_]+)\. (.+) Do: (.+)", comment)
                assert match, comment
                found[name.removeprefix("ERROR_REASON_")] = (match[1], match[2], match[3])
    return found


def error_table() -> str:
    """Return the table of errors as the page shows it."""
    lines = ["| reason | status | what happened | do |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{reason}` | {status} | {meaning} | {do} |"
        for reason, (status, meaning, do) in reasons().items()
    ]
    return "\n".join(lines)


def test_reasons_statuses_and_comments_agree() -> None:
    assert set(reasons()) == {reason.value for reason in Reason}
    assert set(errors_pb2.ErrorReason.keys()) == {
        "ERROR_REASON_UNSPECIFIED",
        *(f"ERROR_REASON_{reason.value}" for reason in Reason),
    }
    for reason in Reason:
        assert reason.status == reasons()[reason.value][0]


def test_the_page_of_errors_shows_the_table() -> None:
    page = (ROOT / "ledger" / "docs" / "errors.md").read_text(encoding="utf-8")
    assert error_table() in page, error_table()


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_travels_with_one_error_info(reason: Reason) -> None:
    status = errors.to_status(LedgerError(reason, "What happened.", remedy="Do this."))
    assert status.code == grpc.StatusCode[reason.status].value[0]
    assert status.message == "What happened. Do this."
    is_unavailable = reason.status == "UNAVAILABLE"
    is_passing = is_unavailable or reason is Reason.LIMIT_REACHED
    has_pause = any("RetryInfo" in detail.type_url for detail in status.details)
    assert has_pause == is_passing


def test_a_batch_has_the_same_bytes_on_a_stream_and_alone_so_that_both_share_request_ids() -> None:
    alone = signal_service_pb2.SubmitSignalsRequest.DESCRIPTOR.fields_by_name
    streamed = signal_service_pb2.StreamSignalsRequest.DESCRIPTOR.fields_by_name
    assert "leave_out_duplicates" in streamed
    for name, field in streamed.items():
        assert field.number == alone[name].number, name
