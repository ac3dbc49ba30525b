"""The command line over TLS: one line for each thing that is wrong, and `doctor` says how it is.

Method: a served ledger with certificates as `certificate dev` makes them, and the program itself,
in this process and as `serve` runs it.
"""

import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

import pytest
from structlog.testing import capture_logs

from ledger.cli.exits import Exit
from ledger.clock import SystemClock
from ledger.operations.trial_certificates import make_trial_certificates
from tests.cli.conftest import Ran, Run
from tests.support.clocks import ManualClock
from tests.support.served import TIMEOUT, Served, serving
from tests.support.trial import ANA, known_by, served_by, trial

DAY_MICROS = 86_400_000_000


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Served]:
    """A server that asks for certificates, with an address for tokens and a socket."""
    made = trial()
    settings = served_by(made, client_ca=made.ca, bearer_address="127.0.0.1:0")
    settings["server__socket"] = str(tmp_path / "s")
    with serving(tmp_path, security=known_by(made, ANA), **settings) as served:
        served.create()
        yield served


def flags(actor: str = "") -> list[str]:
    return [
        word
        for name, file in known_by(trial(), actor).items()
        for word in (f"--{name.replace('_', '-')}", str(file))
    ]


def checks(ran: Ran) -> dict[str, tuple[str, str]]:
    return {one["name"]: (one["state"], one["found"]) for one in ran.json["checks"]}


def test_commands_come_by_certificate_by_token_or_by_the_socket(
    run: Run, secure: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = secure.server
    assert run("ledger", "show", "--server", server.address, *flags(ANA)).code == 0
    token = tmp_path / "token"
    token.write_text("swordfish", "ascii")
    token.chmod(0o600)
    bearer = ("--server", server.bearer_address, "--token-file", str(token), *flags())
    ran = run("ledger", "show", *bearer)
    assert "swordfish" not in ran.out + ran.err
    assert run("ledger", "show", "--server", f"unix:{tmp_path / 's'}").code == 0
    for name, file in known_by(trial(), ANA).items():
        monkeypatch.setenv(f"LEDGER_CLIENT__{name.upper()}", str(file))
    assert run("ledger", "show", "--server", server.address).code == 0


@pytest.mark.parametrize("scheme", ["", "ledgers://"])
def test_the_address_of_the_settings_is_called_by_tls_whether_it_says_so_or_not(
    run: Run, secure: Served, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    made = trial()
    address = secure.server.address.removeprefix("ledgers://")
    monkeypatch.setenv("LEDGER_SERVER__ADDRESS", f"{scheme}{address}")
    monkeypatch.setenv("LEDGER_SERVER__TLS__CERTIFICATE", str(made.certificate))
    monkeypatch.setenv("LEDGER_SERVER__TLS__KEY", str(made.key))
    assert run("ledger", "show", *flags(ANA)).code == 0
    monkeypatch.setenv("LEDGER_SERVER__ADDRESS", f"{scheme}127.0.0.1:1")
    ran = run("ledger", "show", *flags(ANA))
    assert ran.code == Exit.UNREACHABLE
    assert "No ledger answers at ledgers://127.0.0.1:1: " in ran.err


def test_each_thing_that_is_wrong_is_one_line_with_what_to_do(
    run: Run, secure: Served, tmp_path: Path
) -> None:
    address = secure.server.address
    place = address.removeprefix("ledgers://")
    other = trial("other")
    open_key = shutil.copy(trial().clients[ANA][1], tmp_path / "open.key")
    Path(open_key).chmod(0o644)
    certificate = ("--tls-certificate", str(trial().clients[ANA][0]))
    for words, code, said in (
        (flags(), Exit.UNREACHABLE, "asks for a certificate of its callers, and none was stated"),
        (("--tls-ca", str(other.ca)), Exit.UNREACHABLE, "which is no CA that"),
        ((), Exit.UNREACHABLE, "which is no CA that this system knows"),
        (("--server", place), Exit.UNREACHABLE, f"Write ledgers://{place}, and state its CA"),
        ((*flags(), *certificate), Exit.MISUSE, "tls_key: a certificate and its key are stated"),
        ((*certificate, "--tls-key", str(open_key)), Exit.MISUSE, "Run `chmod 600"),
        (("--tls-ca", str(tmp_path / "no")), Exit.MISUSE, "cannot be read: No such file"),
        (("--token-file", str(open_key)), Exit.MISUSE, "others may read or change it (mode 0644)"),
        ((*flags(), "--server", f"ledger://{place}"), Exit.MISUSE, "means no TLS, and a CA or"),
        (("--server", "ledger.example:1", *token_file(tmp_path)), Exit.MISUSE, "is not TLS, so th"),
    ):
        ran = run("ledger", "show", "--server", address, *words)
        assert ran.code == code, ran.err
        assert said in ran.err
        assert len(ran.err.splitlines()) == 1
        assert not re.search("UNAVAILABLE|OPENSSL|Traceback|swordfish", ran.err)


def token_file(folder: Path) -> tuple[str, str]:
    file = folder / "a-token"
    file.write_text("swordfish", "ascii")
    file.chmod(0o600)
    return "--token-file", str(file)


def test_a_token_in_the_environment_and_in_a_file_is_a_contradiction(
    run: Run, secure: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER_CLIENT__TOKEN", "swordfish")
    bearer = ("--server", secure.server.bearer_address, *flags())
    assert "swordfish" not in run("ledger", "show", *bearer).err
    monkeypatch.setenv("LEDGER_CLIENT__TOKEN_FILE", token_file(tmp_path)[1])
    ran = run("ledger", "show", *bearer)
    assert ran.code == Exit.MISUSE
    assert ran.err == ("client.token and client.token_file are both set. Leave one of them out.\n")


# ---- doctor --------------------------------------------------------------------------------------


def test_doctor_says_what_transport_is_on_and_until_when_certificates_hold(
    run: Run, secure: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trial()
    stated = {
        "SERVER__ADDRESS": secure.server.address.removeprefix("ledgers://"),
        "SERVER__SOCKET": str(tmp_path / "s"),
        "SERVER__TLS__CERTIFICATE": str(made.certificate),
        "SERVER__TLS__KEY": str(made.key),
        "SERVER__TLS__CLIENT_CA": str(made.ca),
    }
    for name, text in stated.items():
        monkeypatch.setenv(f"LEDGER_{name}", text)
    database = ("--db", str(tmp_path / "ledger.sqlite"))
    ran = run("doctor", "--json", *database, *flags(ANA))
    found = checks(ran)
    assert ran.code == 0, found
    place = stated["SERVER__ADDRESS"]
    assert found["transport"] == ("ok", f"TLS 1.3 at {place}; callers need a certificate")
    until = r" holds until 20\d\d-\d\d-\d\d \d\d:\d\d UTC"
    for name in ("certificate", "client CA", "served certificate", "own certificate"):
        assert found[name][0] == "ok"
        assert re.search(until, found[name][1]) or " until " in found[name][1]
    assert found["socket"] == ("ok", f"{tmp_path / 's'}: only its owner may connect")
    assert found["server"][0] == "ok"


def test_doctor_says_of_plain_loopback_that_there_is_no_tls(run: Run, tmp_path: Path) -> None:
    nothing = ("--json", "--db", str(tmp_path / "none.sqlite"))
    found = checks(run("doctor", *nothing, "--server", "127.0.0.1:1"))
    assert found["transport"] == ("ok", "no TLS: 127.0.0.1:1 is on this machine")


def test_doctor_finds_new_files_that_a_running_server_did_not_take(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_trial_certificates(tmp_path / "tls", SystemClock())
    with capture_logs(), serving(tmp_path, **served_by(made)) as served:
        monkeypatch.setenv("LEDGER_SERVER__TLS__CERTIFICATE", str(made.certificate))
        monkeypatch.setenv("LEDGER_SERVER__TLS__KEY", str(made.key))
        line = ("doctor", "--json", "--db", str(tmp_path / "ledger.sqlite"))
        here = ("--server", served.server.address, "--tls-ca", str(made.ca))
        shutil.copy(trial("other").key, made.key)
        ran = run(*line, *here)
        state, found = checks(ran)["certificate"]
        assert (ran.code, state) == (Exit.REFUSED, "fail")
        assert "is not the key of the first certificate in" in found
        assert "a running server keeps the one that it has" in found
        # Settings of another server: its files are well, and not what this one shows.
        monkeypatch.setenv("LEDGER_SERVER__TLS__CERTIFICATE", str(trial().certificate))
        monkeypatch.setenv("LEDGER_SERVER__TLS__KEY", str(trial().key))
        state, found = checks(run(*line, *here))["served certificate"]
        assert state == "warn"
        assert "shows another certificate than the one in the files, until 20" in found


@pytest.mark.parametrize(("days", "state"), [(-80, "warn"), (-70, "ok"), (-91, "fail")])
def test_doctor_warns_two_weeks_before_a_certificate_ends(
    days: int, state: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(SystemClock().now_micros() + days * DAY_MICROS)
    made = make_trial_certificates(tmp_path / "tls", clock)
    monkeypatch.setenv("LEDGER_SERVER__TLS__CERTIFICATE", str(made.certificate))
    monkeypatch.setenv("LEDGER_SERVER__TLS__KEY", str(made.key))
    nothing = ("--json", "--db", str(tmp_path / "none.sqlite"), "--server", "127.0.0.1:1")
    assert checks(run("doctor", *nothing))["certificate"][0] == state


# ---- certificate dev -----------------------------------------------------------------------------


def test_certificate_dev_makes_what_serve_and_its_clients_need_and_says_what_it_is_for(
    run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "tls"
    ran = run("certificate", "dev", str(folder), "--client", ANA, "--name", "ledger.example")
    assert ran.code == 0
    assert "for trying out only" in ran.err
    assert {S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    before = (folder / "ca.pem").read_bytes()
    assert run("certificate", "dev", str(folder), "--client", "services/monitor-7").code == 0
    assert (folder / "ca.pem").read_bytes() == before
    assert (folder / "services-monitor-7.pem").exists()
    stated = ["--db", str(tmp_path / "l.sqlite"), "--create", "ledger.example/one", "--json"]
    stated += ["--config", str(tmp_path / "ledger.toml")]
    tls = {"certificate": "server.pem", "key": "server.key", "client_ca": "ca.pem"}
    (tmp_path / "ledger.toml").write_text(
        "[server.tls]\n" + "".join(f'{name} = "{folder / file}"\n' for name, file in tls.items())
    )
    with subprocess.Popen(
        [sys.executable, "-m", "ledger", "serve", "--listen", "127.0.0.1:0", *stated],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        address = json.loads(child.stdout.readline())["address"]
        own = ("--tls-certificate", str(folder / "users-ana.pem"), "--tls-key")
        line = ("--server", address, "--tls-ca", str(folder / "ca.pem"), *own)
        shown = run("ledger", "show", *line, str(folder / "users-ana.key"))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            speak_tls_1_2(int(address.rpartition(":")[2]))
        child.terminate()
        _, log = child.communicate(timeout=120)
    assert shown.code == 0, shown.err
    assert "ledger.example/one" in shown.out
    assert "tls.certificate" in log
    assert all(
        line.startswith(("{", "Created", "No administrator", "Stopping"))
        for line in log.splitlines()
    ), log


def speak_tls_1_2(port: int) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname="localhost"),
    ):
        pass


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--client", "ana"), "is not the name of a caller"),
        (("--client", "system/serve"), "is not the name of a caller"),
        (("--name", "bücher.example"), "is no name of a host"),
    ],
)
def test_certificate_dev_refuses_what_no_certificate_can_name(
    words: tuple[str, ...], said: str, run: Run, tmp_path: Path
) -> None:
    ran = run("certificate", "dev", str(tmp_path / "tls"), *words)
    assert ran.code == Exit.MISUSE
    assert said in ran.err
    assert not (tmp_path / "tls").exists()
