"""Certificates are renewed under a running server; files that cannot be used leave the old ones.

Method: a server over files of the test, which are replaced; Python's `ssl` looks at what is shown
at each new connection, while one client keeps its connection all along.
"""

import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from structlog.testing import capture_logs

from ledger.client import LedgerClient, TransportError
from ledger.clock import SystemClock
from ledger.operations.trial_certificates import TrialCertificates, make_trial_certificates
from tests.support.served import TIMEOUT, Served, serving
from tests.support.server_process import ONCE
from tests.support.trial import ANA, BO, expired, known_by, served_by, trial


@pytest.fixture
def made(tmp_path: Path) -> TrialCertificates:
    return make_trial_certificates(tmp_path / "tls", SystemClock(), clients=[ANA])


@pytest.fixture
def served(tmp_path: Path, made: TrialCertificates) -> Iterator[Served]:
    settings = served_by(made, client_ca=made.ca, bearer_address="127.0.0.1:0")
    with serving(tmp_path, security=known_by(made, ANA), **settings) as server:
        server.create()
        yield server


def shown(served: Served) -> int:
    """Return the serial number of the certificate that a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    port = int(served.server.bearer_address.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        data = connection.getpeercert(binary_form=True)
    assert data is not None
    return x509.load_der_x509_certificate(data).serial_number


def serial_in(path: Path) -> int:
    return x509.load_pem_x509_certificates(path.read_bytes())[0].serial_number


def test_a_new_certificate_is_shown_at_the_next_connection_and_open_ones_go_on(
    served: Served, made: TrialCertificates
) -> None:
    before = shown(served)
    assert before == serial_in(made.certificate)
    with served.client() as client:
        client.get_ledger()
        for name in ("ledger.example", "other.example"):
            make_trial_certificates(made.ca.parent, SystemClock(), names=[name])
            assert shown(served) == serial_in(made.certificate) != before
            client.get_ledger()


def garbage(made: TrialCertificates) -> None:
    made.certificate.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n", "ascii")


def key_of_another(made: TrialCertificates) -> None:
    shutil.copy(trial("other").key, made.key)


def open_key(made: TrialCertificates) -> None:
    made.key.chmod(0o644)
    made.key.write_bytes(made.key.read_bytes() + b"\n")


def out_of_its_time(made: TrialCertificates) -> None:
    shutil.copy(expired().certificate, made.certificate)
    shutil.copy(expired().key, made.key)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (garbage, "server.pem holds no certificate in PEM"),
        (lambda made: made.certificate.unlink(), "server.pem cannot be read: No such file"),
        (key_of_another, "server.key is not the key of the first certificate"),
        (open_key, "server.key cannot be used: others may read or change it (mode 0644)"),
        (out_of_its_time, "server.pem has expired, on 20"),
    ],
)
def test_new_files_that_cannot_be_used_leave_the_old_in_use_and_the_log_says_so_once(
    spoil: Callable[[TrialCertificates], None], why: str, served: Served, made: TrialCertificates
) -> None:
    before = shown(served)
    with capture_logs() as lines:
        spoil(made)
        assert [shown(served), shown(served)] == [before, before]
    kept = [line for line in lines if line["event"] == "tls.kept"]
    assert len(kept) == 1
    assert kept[0]["log_level"] == "error"
    assert why in kept[0]["why"]
    make_trial_certificates(made.ca.parent, SystemClock(), names=["ledger.example"])
    made.key.chmod(0o600)
    assert shown(served) == serial_in(made.certificate) != before


def test_callers_of_a_new_ca_are_taken_and_those_of_the_old_one_refused_without_a_restart(
    served: Served, made: TrialCertificates
) -> None:
    other = trial("other")
    stated = known_by(other, BO) | {"tls_ca": made.ca.parent / "first.pem", "retry": ONCE}
    shutil.copy(made.ca, stated["tls_ca"])
    refusal = pytest.raises(TransportError, match=r"refuses .*users-bo.pem, which")
    with LedgerClient(served.server.address, **stated) as client, refusal:
        client.get_ledger()
    shutil.copy(other.ca, made.ca)
    with LedgerClient(served.server.address, **stated) as client:
        client.get_ledger()
    old = known_by(made, ANA) | {"tls_ca": stated["tls_ca"], "retry": ONCE}
    refusal = pytest.raises(TransportError, match=r"refuses .*users-ana.pem, which")
    with LedgerClient(served.server.address, **old) as client, refusal:
        client.get_ledger()
