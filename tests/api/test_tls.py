"""TLS at the server: 1.3 alone, certificates of callers, none at all only on loopback.

Method: real servers with certificates as `certificate dev` makes them; Python's own `ssl` as a
client that nobody here wrote.
"""

import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from ledger.api.listening import Listening
from ledger.client import LedgerClient, TransportError
from ledger.connection_settings import ServerSettings
from ledger.errors import LedgerError
from ledger.operations.trial_certificates import TrialCertificates
from ledger.v1 import ledger_service_pb2
from tests.support.served import TIMEOUT, serving
from tests.support.server_process import ONCE
from tests.support.trial import ANA, expired, known_by, of_tomorrow, served_by, trial


def handshake(port: int, made: TrialCertificates, version: ssl.TLSVersion) -> str:
    """Return the version that a client of Python's agrees on with a server."""
    context = ssl.create_default_context(cafile=str(made.ca))
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as shown,
    ):
        return shown.version() or ""


def test_a_server_with_a_certificate_speaks_tls_1_3_and_nothing_below(tmp_path: Path) -> None:
    made = trial()
    with serving(tmp_path, security=known_by(made), **served_by(made)) as served:
        assert handshake(served.server.port, made, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
        with pytest.raises((ssl.SSLError, ConnectionError)):
            handshake(served.server.port, made, ssl.TLSVersion.TLSv1_2)
        served.create()
        with served.client() as client:
            assert client.get_ledger().head_position > 0
        assert served.server.address == f"ledgers://127.0.0.1:{served.server.port}"


def test_a_program_that_has_loaded_grpc_before_gets_no_server_that_would_take_tls_1_2() -> None:
    made = trial()
    program = (
        "import grpc, sys\n"
        "from ledger.api.listening import Listening\n"
        "from ledger.connection_settings import ServerSettings, TlsSettings\n"
        "tls = TlsSettings(certificate=sys.argv[1], key=sys.argv[2])\n"
        "Listening('127.0.0.1:0', ServerSettings(tls=tls))\n"
    )
    outside = {name: text for name, text in os.environ.items() if not name.startswith("GRPC_")}
    ran = subprocess.run(
        [sys.executable, "-c", program, made.certificate, made.key],
        env=outside,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert "needs `ledger.api` to be imported before `grpc`, or TLS 1.2 would be" in ran.stderr


def test_callers_need_a_certificate_of_the_ca_at_one_address_and_none_at_the_other(
    tmp_path: Path,
) -> None:
    made = trial()
    tls = served_by(made, client_ca=made.ca, bearer_address="127.0.0.1:0")
    with serving(tmp_path, security=known_by(made, ANA), **tls) as served:
        served.create()
        with served.client() as client:
            assert client.get_ledger().head_position > 0
        stated: Any = {"retry": ONCE, **known_by(made)}
        with LedgerClient(served.server.bearer_address, **stated) as client:
            assert client.get_ledger().head_position > 0
        with (
            LedgerClient(served.server.address, **stated) as client,
            pytest.raises(TransportError, match="asks for a certificate of its callers"),
        ):
            client.get_ledger()


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (lambda: trial("of another CA"), "which CN=decision-ledger trial CA,O=for trying"),
        (expired, "which has expired, on 20"),
    ],
)
def test_a_certificate_of_another_ca_or_one_that_has_expired_is_refused(
    tmp_path: Path, theirs: Callable[[], TrialCertificates], said: str
) -> None:
    made, other = trial(), theirs()
    tls = served_by(made, client_ca=made.ca)
    stated = {**known_by(other, ANA), "tls_ca": made.ca}
    with (
        serving(tmp_path, security=known_by(made, ANA), **tls) as served,
        LedgerClient(served.server.address, retry=ONCE, **stated) as client,
        pytest.raises(TransportError, match=said),
    ):
        client.get_ledger()


def tls(certificate: object, key: object, **more: object) -> ServerSettings:
    stated = {"certificate": str(certificate), "key": str(key)} | more
    return ServerSettings.model_validate({"tls": stated})


def refused(settings: ServerSettings, address: str = "127.0.0.1:0") -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        Listening(address, settings)
    return caught.value


def test_any_address_is_served_with_tls_and_loopback_alone_without(tmp_path: Path) -> None:
    made = trial()
    assert not Listening("0.0.0.0:0", tls(made.certificate, made.key)).is_loopback
    assert "there is no TLS" in refused(ServerSettings(), "0.0.0.0:0").message
    bearers = tls(made.certificate, made.key, client_ca=str(made.ca), bearer_address="[::]:0")
    assert not Listening("127.0.0.1:0", bearers).is_loopback
    assert Listening("[::1]:0", tls(made.certificate, made.key)).is_loopback


def test_an_address_may_say_what_is_served_there_and_is_refused_where_it_is_not(
    tmp_path: Path,
) -> None:
    made = trial()
    secure = tls(made.certificate, made.key)
    assert Listening("ledgers://127.0.0.1:0", secure).target(0, 5) == "ledgers://127.0.0.1:5"
    assert not Listening("ledgers://0.0.0.0:0", secure).is_loopback
    assert Listening("ledger://127.0.0.1:0").target(0, 5) == "127.0.0.1:5"
    no_certificate = refused(ServerSettings(), "ledgers://127.0.0.1:0")
    assert "means TLS, and there is no certificate" in no_certificate.message
    assert "server.tls.certificate" in no_certificate.remedy
    assert "means no TLS" in refused(secure, "ledger://127.0.0.1:0").message


def test_settings_of_tls_that_do_not_fit_each_other_are_refused_by_name() -> None:
    made = trial()
    for stated, said in (
        (tls("", made.key), "server.tls.key: is set, and server.tls.certificate is not"),
        (tls(made.certificate, ""), "server.tls.key: is not set, though a certificate is"),
        (
            tls(made.certificate, made.key, bearer_address="127.0.0.1:0"),
            "server.tls.bearer_address: is set, and server.tls.client_ca is not",
        ),
    ):
        assert said in refused(stated).message


def test_a_certificate_that_cannot_be_used_is_refused_at_the_start_and_nothing_of_a_key_is_said(
    tmp_path: Path,
) -> None:
    made, other = trial(), trial("other")
    open_key, no_key = tmp_path / "open.key", tmp_path / "no.key"
    shutil.copy(made.key, open_key)
    open_key.chmod(0o640)
    no_key.write_text("swordfish", "ascii")
    no_key.chmod(0o600)
    for stated, field, said in (
        (tls(made.certificate, open_key), "key", "others may read or change it (mode 0640)"),
        (tls(made.certificate, no_key), "key", "holds no private key in PEM"),
        (tls(made.certificate, other.key), "key", "is not the key of the first certificate"),
        (tls(no_key, made.key), "certificate", "holds no certificate in PEM"),
        (tls(tmp_path / "none", made.key), "certificate", "cannot be read: No such file"),
        (tls(expired().certificate, expired().key), "certificate", "has expired, on 20"),
        (tls(of_tomorrow().certificate, of_tomorrow().key), "certificate", "is valid from 20"),
        (tls(made.certificate, made.key, client_ca=str(no_key)), "client_ca", "no certificate"),
    ):
        error = refused(stated)
        assert error.violations[0].field == f"server.tls.{field}"
        assert error.remedy
        assert "swordfish" not in str(error)
        assert said in error.message


def test_health_is_answered_over_tls_too(tmp_path: Path) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    made = trial()
    with serving(tmp_path, security=known_by(made), **served_by(made)) as served:
        stub: Any = health_pb2_grpc.HealthStub(served.channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(service=""), timeout=TIMEOUT)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with grpc.insecure_channel(f"127.0.0.1:{served.server.port}") as plain:
            request = ledger_service_pb2.ListLedgersRequest()
            call: Any = plain.unary_unary(
                "/ledger.v1.LedgerService/ListLedgers",
                request_serializer=type(request).SerializeToString,
            )
            with pytest.raises(grpc.RpcError):
                call(request, timeout=TIMEOUT)
