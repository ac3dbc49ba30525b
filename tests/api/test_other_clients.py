"""A client that nobody here wrote calls over TLS with a token: `buf curl`.

It reads the contract from `proto/` and speaks gRPC by an HTTP library of its own, so that what it
is answered does not hang on gRPC's own library at both ends. `test_node_client.py` has another.
"""

import base64
import json
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.outcomes import Skipped

from tests.support.made_elsewhere import require_node
from tests.support.served import Served, serving
from tests.support.trial import served_by, trial
from tools.bench.secure import TOKEN, let_in

ROOT = Path(__file__).parents[2]
MADE = trial()
BUF = shutil.which("buf", path=sysconfig.get_path("scripts"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with TLS, whose ledger has issued a token to a service that may read the fleet."""
    folder = tmp_path_factory.mktemp("others")
    with serving(folder, security={"tls_ca": MADE.ca}, **served_by(MADE)) as served:
        served.create()
        let_in(served.service.ledger(), "services/reader", "viewer")
        yield served


def curl(served: Served, method: str, bearer: str) -> subprocess.CompletedProcess[str]:
    assert BUF is not None, "buf is one of the packages for development"
    headers = ["-H", f"authorization: Bearer {bearer}"] if bearer else []
    return subprocess.run(
        [
            BUF, "curl", "--protocol", "grpc", "--cacert", str(MADE.ca), "--schema",
            str(ROOT / "proto"), *headers, "-d", "{}",
            f"https://localhost:{served.server.port}/ledger.v1.{method}",
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_buf_curl_is_let_in_by_a_token_over_tls(served: Served) -> None:
    ran = curl(served, "LedgerService/GetLedger", TOKEN.text)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["ledger"]["origin"] == served.service.ledger().info.origin


@pytest.mark.parametrize(
    ("bearer", "method", "code", "reason"),
    [
        ("", "LedgerService/GetLedger", "unauthenticated", "UNAUTHENTICATED"),
        (f"dlt_{'0' * 16}_{'A' * 43}", "LedgerService/GetLedger", "unauthenticated",
         "CREDENTIAL_INVALID"),
        (TOKEN.text, "LedgerService/ListEvents", "permission_denied", "ACTOR_NOT_AUTHORISED"),
    ],
)  # fmt: skip
def test_buf_curl_is_told_why_it_is_refused(
    served: Served, bearer: str, method: str, code: str, reason: str
) -> None:
    ran = curl(served, method, bearer)
    assert ran.returncode != 0
    said = json.loads(ran.stderr)
    assert said["code"] == code
    [info] = [one["value"] for one in said["details"] if one["type"] == "google.rpc.ErrorInfo"]
    assert reason.encode() in base64.b64decode(f"{info}==")


def test_where_node_or_its_client_is_missing_one_line_says_that_it_does_not_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = r"^Node's grpc-js does not call: run `npm ci` in tests/api/grpc_js$"
    with pytest.raises(Skipped, match=said):
        require_node(tmp_path)
    (tmp_path / "node_modules" / "@grpc" / "grpc-js").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Skipped, match=said):
        require_node(tmp_path)
