"""PostgreSQL over TLS, as `sslmode=verify-full` asks for it: the right server, or no connection.

Method: a front that ends TLS before the tests' own server, with certificates that are wrong in one
way each. The driver's library verifies; it must come to nothing before a byte of ours is passed on.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.cli.exits import Exit
from ledger.errors import LedgerError, Reason
from ledger.operations.trial_certificates import TrialCertificates
from ledger.service import Service
from ledger.setting_sections import Settings
from tests.cli.conftest import Run
from tests.support.served import ORIGIN
from tests.support.tls_front import TlsFront, tls_front
from tests.support.trial import expired, trial
from tools.quiet import quiet

pytestmark = pytest.mark.postgres

SECRET = "00" * 32


@pytest.fixture
def socket_of(postgres_url: str) -> Path:
    folder = postgres_url.partition("host=")[2].partition("&")[0]
    (found,) = Path(folder).glob(".s.PGSQL.[0-9]*[0-9]")
    return found


def database_of(postgres_url: str) -> str:
    return postgres_url.partition("?")[0].rpartition("/")[2]


def url(front: TlsFront, postgres_url: str, ca: Path, host: str = "127.0.0.1") -> str:
    place = f"postgresql://postgres@{host}:{front.port}/{database_of(postgres_url)}"
    return f"{place}?sslmode=verify-full&sslrootcert={ca}&hostaddr=127.0.0.1"


def settings(place: str, folder: Path) -> Settings:
    return quiet(place, keys__secret=SECRET, exports__folder=str(folder / "exports"))


@pytest.fixture
def front(socket_of: Path) -> Iterator[TlsFront]:
    made = trial()
    with tls_front(socket_of, made.certificate, made.key) as found:
        yield found


def refused(place: str, folder: Path) -> str:
    with pytest.raises(LedgerError) as caught:
        Service(settings(place, folder))
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_ledger_is_kept_verified_and_audited_over_tls_by_either_name(
    host: str, front: TlsFront, postgres_url: str, tmp_path: Path, run: Run
) -> None:
    place = url(front, postgres_url, trial().ca, host)
    with Service(settings(place, tmp_path)) as service:
        service.create_ledger(ORIGIN, clock="wall", actor="users/ana")
        assert service.ledger().log.head().position > 0
    assert front.passed_on > 0
    assert run("verify", place).code == 0
    assert run("audit", "run", place).code == 0


def test_a_server_with_a_certificate_of_another_ca_is_told_nothing(
    front: TlsFront, postgres_url: str, tmp_path: Path
) -> None:
    said = refused(url(front, postgres_url, trial("other").ca), tmp_path)
    assert "certificate verify failed. Name the file with the CA of its certificate" in said
    assert front.passed_on == 0


def test_a_server_with_another_name_in_its_certificate_is_told_nothing(
    front: TlsFront, postgres_url: str, tmp_path: Path
) -> None:
    said = refused(url(front, postgres_url, trial().ca, "db.example"), tmp_path)
    assert 'does not match host name "db.example". Name the host in the URL as its cert' in said
    assert front.passed_on == 0


@pytest.mark.parametrize("made", [expired(), None], ids=["expired", "no TLS"])
def test_a_server_with_an_expired_certificate_or_without_tls_is_told_nothing(
    made: TrialCertificates | None, socket_of: Path, postgres_url: str, tmp_path: Path
) -> None:
    shown = (None, None) if made is None else (made.certificate, made.key)
    with tls_front(socket_of, *shown) as front:
        said = refused(url(front, postgres_url, (made or trial()).ca), tmp_path)
        assert front.passed_on == 0
    assert "does not support SSL" in said if made is None else "the certificate has expired" in said


def test_commands_that_open_the_database_say_the_same_in_one_line(
    front: TlsFront, postgres_url: str, run: Run
) -> None:
    place = url(front, postgres_url, trial("other").ca)
    for words in (("verify", place), ("audit", "run", place)):
        ran = run(*words)
        assert ran.code not in (0, Exit.DEFECT), ran.err
        assert "certificate verify failed" in ran.err
        assert len(ran.err.splitlines()) == 1
    assert front.passed_on == 0


def test_doctor_warns_of_a_way_to_postgresql_on_which_another_server_could_answer(
    front: TlsFront, postgres_url: str, run: Run
) -> None:
    def said(place: str) -> tuple[str, str]:
        ran = run("doctor", "--json", "--db", place, "--server", "127.0.0.1:1")
        (found,) = (one for one in ran.json["checks"] if one["name"] == "way to PostgreSQL")
        return found["state"], found["found"]

    verified = url(front, postgres_url, trial().ca, "db.example")
    assert said(verified)[0] == "ok"
    state, found = said(verified.replace("verify-full", "require"))
    assert state == "warn"
    assert "sslmode=require takes any server that answers for" in found
    assert said(postgres_url)[0] == "ok"
