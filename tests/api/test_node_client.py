"""A client that nobody here wrote calls over TLS with a token: Node's grpc-js.

It reads the contract from `proto/`, and speaks HTTP/2 and TLS by Node. `.ci/run` installs it beside
its program, in `tests/api/grpc_js`; where it or Node is missing, one line says so.
"""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.rpc import error_details_pb2, status_pb2

from tests.support.made_elsewhere import NODE_PROGRAM, require_node
from tests.support.served import Served, serving
from tests.support.trial import served_by, trial
from tools.bench.secure import TOKEN, let_in

ROOT = Path(__file__).parents[2]
MADE = trial()
NODE = require_node()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with TLS, whose ledger has issued a token to a service that may read the fleet."""
    folder = tmp_path_factory.mktemp("node")
    with serving(folder, security={"tls_ca": MADE.ca}, **served_by(MADE)) as served:
        served.create()
        let_in(served.service.ledger(), "services/reader", "viewer")
        yield served


def called(
    served: Served,
    method: str,
    token: str,
    ca: Path = MADE.ca,
    **request: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401 - what the program prints
    """Return what Node's client was answered, or how it was refused."""
    place = f"localhost:{served.server.port}"
    ran = subprocess.run(
        [NODE, "call.js", place, ca, ROOT / "proto", method, json.dumps(request)],
        cwd=NODE_PROGRAM, input=token, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def reason(found: dict[str, Any]) -> tuple[str, str]:
    """Return the code and the reason of a refusal."""
    [raw] = found["details"]
    status = status_pb2.Status.FromString(base64.b64decode(raw))
    info = error_details_pb2.ErrorInfo()
    assert any(one.Unpack(info) for one in status.details)
    return found["code"], info.reason


def test_nodes_grpc_is_let_in_by_a_token_over_tls(served: Served) -> None:
    [answer] = called(served, "LedgerService/GetLedger", TOKEN.text)["answers"]
    assert answer["ledger"]["origin"] == served.service.ledger().info.origin


def test_nodes_grpc_reads_a_stream_of_the_server_until_it_has_caught_up(served: Served) -> None:
    answers = called(served, "PriorityService/WatchPriorities", TOKEN.text)["answers"]
    assert answers[-1]["caughtUp"] is True


@pytest.mark.parametrize(
    ("token", "method", "refused"),
    [
        ("", "LedgerService/GetLedger", ("UNAUTHENTICATED", "UNAUTHENTICATED")),
        (f"dlt_{'0' * 16}_{'A' * 43}", "LedgerService/GetLedger",
         ("UNAUTHENTICATED", "CREDENTIAL_INVALID")),
        (TOKEN.text, "LedgerService/ListEvents", ("PERMISSION_DENIED", "ACTOR_NOT_AUTHORISED")),
        (TOKEN.text, "LedgerService/WatchEvents", ("PERMISSION_DENIED", "ACTOR_NOT_AUTHORISED")),
    ],
)  # fmt: skip
def test_nodes_grpc_is_told_why_it_is_refused(
    served: Served, token: str, method: str, refused: tuple[str, str]
) -> None:
    assert reason(called(served, method, token)) == refused


def test_nodes_grpc_sends_nothing_to_a_server_of_another_ca(served: Served) -> None:
    refused = called(served, "LedgerService/GetLedger", TOKEN.text, trial("other").ca)
    assert refused["code"] == "UNAVAILABLE"
    assert "certificate" in refused["said"]
