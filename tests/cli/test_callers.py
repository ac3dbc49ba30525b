"""Callers from the command line: tokens of services, the operator's socket, and each refusal.

Method: served ledgers with an administrator. One believes the actor that a command names, so that
its tests are about tokens; the other believes no one.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

import pytest

from ledger.authority.tokens import make_token, parse_token
from ledger.client import LedgerClient
from ledger.client.authority import IssuedToken
from tests.cli.administered import (
    ANA,
    BEN,
    DNS,
    EVE,
    MONITOR,
    NAMED,
    WHY,
    administered,
    done,
    refused_with,
    register,
)
from tests.cli.conftest import Run, run_line
from tests.support.served import ORIGIN, Served, serving
from tools.shapes import SHAPES, fields_of


@pytest.fixture
def ana(tmp_path: Path) -> Iterator[Run]:
    """Run a command as the administrator of a ledger; `--actor` runs it as another one."""
    with administered(tmp_path) as run:
        yield run


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Served]:
    """Serve a ledger with an administrator that believes no caller; the operator has a socket."""
    with serving(tmp_path, server__socket=str(tmp_path / "ledger.sock")) as served:
        at = ("--server", served.server.address)
        done(run_line("ledger", "create", "ledger.example/other", *at))
        done(run_line("ledger", "create", ORIGIN, *NAMED, *at))
        yield served


# ---- refusals ------------------------------------------------------------------------------------


def test_a_refused_change_and_a_right_that_is_not_there_are_told_with_a_command_to_go_on(
    ana: Run,
) -> None:
    register(ana, EVE)
    own = refused_with(ana("authority", "grant", ANA, "policy-author", *WHY), "AUTHORITY_REFUSED")
    assert "no one grants to themself" in own
    lacking = refused_with(ana("vkey", "--actor", EVE), "ACTOR_NOT_AUTHORISED")
    assert f"{EVE} may not read a ledger's head, keys, checkpoints and proofs there:" in lacking
    why = ana("authority", "why", EVE, "recipes.draft").out
    assert f"{EVE} may not draft a recipe or register benchmark models: no grant" in why
    assert f"`authority why {EVE} proofs.read`" in lacking


def test_a_caller_that_shows_no_credential_or_a_wrong_one_is_told_what_to_do(
    strict: Served, tmp_path: Path
) -> None:
    at = ("model", "list", "--server", strict.server.address, "--ledger", ORIGIN)
    nothing = refused_with(run_line(*at, "--actor", ANA), "UNAUTHENTICATED")
    assert "`authority bind`" in nothing
    assert "`token issue`" in nothing
    other = make_token(bytes(range(40)))
    file = tmp_path / "token"
    for text, reason in (
        ("dlt_nonsense", "CREDENTIAL_INVALID"),
        (other.text, "CREDENTIAL_INVALID"),
        ("x" * 9_000, "TOKEN_TOO_LARGE"),
        ("eyJhbGciOiJub25lIn0.e30.", "TOKEN_ALGORITHM_REFUSED"),
    ):
        file.write_text(text)
        file.chmod(0o600)
        line = run_line(*at, "--token-file", str(file))
        assert line.code == 1
        assert line.err.endswith(f" [{reason}]\n"), line.err
        assert len(line.err.splitlines()) == 1
        assert text[:40] not in line.err


# ---- the operator --------------------------------------------------------------------------------


def test_the_operator_names_an_administrator_by_the_socket_and_it_is_said_who_will_see_it(
    strict: Served, tmp_path: Path
) -> None:
    socket = ("--server", f"unix:{tmp_path / 'ledger.sock'}", "--ledger", "ledger.example/other")
    before = done(run_line("authority", "list", *socket))
    assert "No administrator is named: callers are believed" in before
    begin = ("authority", "begin", ANA, "--person", "staff-1", *WHY, *socket)
    ran = run_line(*begin, *DNS)
    assert f"Named {ANA}, behind whom is staff-1, an administrator at position" in done(ran)
    assert "recorded for good, as done by system/operator" in ran.err
    assert "each actor who may see the authority or the events of the ledger sees it" in ran.err
    assert "No identity is bound" not in ran.err
    again = run_line(*begin)
    assert again.code == 1
    assert f"{ANA} is an administrator already" in again.err
    lost = run_line("authority", "begin", BEN, "--person", "staff-2", *WHY, *socket, "--json")
    document = lost.out[lost.out.index("{") :]  # the server of this process logs before it
    assert tuple(json.loads(document)) == fields_of(SHAPES["authority begin"])
    assert f"No identity is bound to {BEN}" in lost.err
    listed = done(run_line("authority", "list", *socket))
    assert listed.count("system/operator") == 2
    at = ("--server", strict.server.address, "--ledger", "ledger.example/other")
    assert refused_with(run_line("model", "list", *at), "UNAUTHENTICATED")


# ---- tokens --------------------------------------------------------------------------------------


def test_a_token_is_shown_once_alone_on_standard_output(ana: Run) -> None:
    register(ana, MONITOR, EVE)
    done(ana("authority", "grant", EVE, "auditor", *WHY))
    ran = ana("token", "issue", MONITOR, "--expires", "90d", *WHY)
    shown = parse_token(done(ran).removesuffix("\n"))
    assert f"Issued token {shown.id} of {MONITOR}, until 20" in ran.err
    assert "shown this once" in ran.err
    secret = ran.out.strip().split("_", 2)[2]
    assert secret not in ran.err
    events = ana("log", "tail", "--actor", EVE)
    told = [ana("token", "list"), ana("authority", "list"), events]
    assert shown.id in events.out
    assert not any(secret in done(one) for one in told)
    done(ana("token", "revoke", shown.id, *WHY))
    assert f"{shown.id}  {MONITOR}  revoked" in done(ana("token", "list"))


def test_a_token_is_its_service_alone_until_it_is_revoked_and_its_last_use_is_shown(
    ana: Run, tmp_path: Path
) -> None:
    register(ana, MONITOR)
    done(ana("authority", "grant", MONITOR, "viewer", *WHY))
    file = tmp_path / "token"
    name = ana("token", "issue", MONITOR, *WHY, "--to", str(file), "--json").json["token"]

    def never_used() -> bool:
        (row,) = [one for one in done(ana("token", "list")).splitlines() if one.startswith(name)]
        return row.split()[-3:-1] == ["-", "-"]

    assert never_used()
    shown = ("model", "list", "--token-file", str(file))
    done(ana(*shown, "--actor", MONITOR))
    assert not never_used()
    assert "names another actor" in refused_with(
        ana(*shown, "--actor", EVE), "ACTOR_NOT_AUTHORISED"
    )
    other = ("ledger.example/other", "--administrator", ANA, "--person", "staff-1")
    done(ana("ledger", "create", *other))
    elsewhere = ana(*shown, "--actor", MONITOR, "--ledger", "ledger.example/other")
    assert "`token issue`" in refused_with(elsewhere, "TOKEN_OF_OTHER_LEDGER")
    done(ana("token", "revoke", name, *WHY))
    assert "`token issue`" in refused_with(ana(*shown, "--actor", MONITOR), "CREDENTIAL_REVOKED")


def test_a_token_for_a_file_is_in_that_file_alone_and_its_owners(ana: Run, tmp_path: Path) -> None:
    register(ana, MONITOR)
    file = tmp_path / "token"
    ran = ana("token", "issue", MONITOR, *WHY, "--to", str(file), "--json")
    kept = file.read_text()
    assert parse_token(kept.removesuffix("\n")).id == ran.json["token"]
    assert S_IMODE(file.stat().st_mode) == 0o600
    assert kept.strip().split("_", 2)[2] not in ran.out + ran.err
    assert ran.json["secret"] == ""
    head = ana("ledger", "show", "--json").json["head_position"]
    again = ana("token", "issue", MONITOR, *WHY, "--to", str(file))
    assert again.code == 2
    assert "is there already" in again.err
    assert file.read_text() == kept
    assert ana("ledger", "show", "--json").json["head_position"] == head
    other = tmp_path / "other"
    assert ana("token", "issue", EVE, *WHY, "--to", str(other)).code == 1
    assert not other.exists(), "what was refused leaves no file"


def test_a_token_whose_answer_was_lost_is_named_to_be_revoked(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def lost(*_: object, **__: object) -> IssuedToken:
        return IssuedToken(9, b"", None, 9, repeated_request=True, token="0" * 16)  # type: ignore[arg-type]

    monkeypatch.setattr(LedgerClient, "issue_token", lost)
    file = tmp_path / "token"
    ran = run("token", "issue", MONITOR, *WHY, "--to", str(file), "--server", "127.0.0.1:1")
    assert ran.code == 3
    assert ran.out == ""
    assert f"Revoke it with `token revoke {'0' * 16}`" in ran.err
    assert not file.exists()


def test_the_secret_of_a_token_is_in_no_repr() -> None:
    made = IssuedToken(1, b"", None, 1, token="0" * 16, secret="dlt_secret")  # type: ignore[arg-type]
    assert "secret" not in repr(made)
    assert "token='0000000000000000'" in repr(made)
