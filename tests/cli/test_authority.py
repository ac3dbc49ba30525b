"""Authority from the command line: the table, the questions, and every change with its sentence.

Method: a served ledger that begins with an administrator; callers are believed to be whom they
name, so that each test is about what a command sends and says.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

import pytest

from ledger.authority.table import METHODS, ROLES
from ledger.authority.tokens import make_token, parse_token
from ledger.client import LedgerClient
from ledger.client.authority import IssuedToken
from tests.cli.conftest import Ran, Run, run_line
from tests.cli.test_printed_commands import commands_in, fault_of
from tests.support.audits import audited
from tests.support.served import ORIGIN, Served, serving
from tools.shapes import SHAPES, fields_of

ANA, BEN, EVE, MONITOR = "users/ana", "users/ben", "users/eve", "services/monitor-7"
WHY = ("--reason", "Work.")
NAMED = ("--administrator", ANA, "--person", "staff-1")
DNS = ("--certificate", "dns:monitor-7.example")
JWT = ("--jwt", "https://id.example", "ben@example")

CHANGES: dict[str, tuple[str, ...]] = {
    "authority register": (MONITOR, "--person", "staff-1"),
    "authority bind": (MONITOR, *DNS, *WHY),
    "authority unbind": (*DNS, *WHY),
    "authority grant": (MONITOR, "monitor", *WHY),
    "authority role": ("reader", "--action", "fleet.read", "--meaning", "Looks."),
    "authority limit": (MONITOR, "--calls", "100", "--megabytes", "2.5", "--streams", "0", *WHY),
    "token issue": (MONITOR, *WHY),
    "authority withdraw": (*WHY,),
    "token revoke": (*WHY,),
    "authority approve": (),
    "authority begin": (),
}
"""Commands that change authority, with what each takes, in an order in which they can be run."""


@pytest.fixture
def ana(tmp_path: Path) -> Iterator[Run]:
    """Run a command as the administrator of a ledger; `--actor` runs it as another one."""
    with serving(tmp_path, authentication__development=True) as served:

        def run(*args: str) -> Ran:
            actor = () if "--actor" in args else ("--actor", ANA)
            return run_line(*args, "--server", served.server.address, *actor)

        made = run("ledger", "create", ORIGIN, *NAMED, "--actor", "users/ops")
        assert made.code == 0, made.err
        yield run


def done(ran: Ran) -> str:
    """Return what a command printed that has to succeed."""
    assert ran.code == 0, ran.err
    return ran.out


def register(ana: Run, *actors: str) -> None:
    for number, actor in enumerate(actors, start=2):
        done(ana("authority", "register", actor, "--person", f"staff-{number}"))


def position(ran: Ran) -> str:
    return str(json.loads(done(ran))["position"])


# ---- questions -----------------------------------------------------------------------------------


def test_the_table_shows_every_action_with_its_roles_and_methods_and_asks_no_server(
    run: Run,
) -> None:
    found = run("authority", "table", "--json", "--server", "127.0.0.1:1").json
    assert {one["action"]: set(one["methods"]) for one in found["actions"]} == {
        action: {name for name, asked in METHODS.items() if asked == action}
        for action in [*METHODS.values(), "actors.represent"]
    }
    has = {role: {one["action"] for one in found["actions"] if role in one["roles"]}
           for role in found["roles"]}  # fmt: skip
    assert has == ROLES
    heading, *lines = done(run("authority", "table")).splitlines()
    erasing = next(line for line in lines if line.startswith("bodies.erase"))
    assert erasing.count(" x ") == 1
    assert erasing.index(" x ") + 1 == heading.index("data-protection-officer")


def test_why_says_by_which_grants_an_actor_may_and_ends_with_1_if_it_may_not(ana: Run) -> None:
    register(ana, MONITOR)
    before = position(ana("authority", "grant", MONITOR, "viewer", *WHY, "--json"))
    narrow = ("--model", "fares", "--signal", "psi", "--expires", "90d")
    done(ana("authority", "grant", MONITOR, "monitor", *narrow, *WHY))
    question = ("authority", "why", MONITOR, "signals.submit")
    whole = ana(*question)
    assert whole.code == 1
    assert f"{MONITOR} may not submit observations: no grant in force covers it." in whole.out
    assert "model fares; signal psi" in whole.out
    assert done(ana(*question, "--model", "fares", "--signal", "psi")).startswith(
        f"{MONITOR} may submit observations: a grant in force covers it."
    )
    assert ana(*question, "--model", "maps", "--signal", "psi").code == 1
    earlier = ana(*question, "--model", "fares", "--signal", "psi", "--as-of", before)
    assert earlier.code == 1
    assert f"As of position {before}." in earlier.out


def test_the_list_shows_persons_identities_grants_own_roles_and_tokens(ana: Run) -> None:
    register(ana, MONITOR, BEN)
    done(ana("authority", "bind", MONITOR, *DNS, *WHY))
    done(ana("authority", "bind", BEN, *JWT, *WHY))
    reader = ("reader", "--action", "fleet.read", "--action", "proofs.read")
    done(ana("authority", "role", *reader, "--meaning", "Looks."))
    done(ana("authority", "grant", BEN, "reader", "--label", "region=east", *WHY))
    name = ana("token", "issue", MONITOR, "--expires", "90d", *WHY, "--json").json["token"]
    rows = [" ".join(line.split()) for line in done(ana("authority", "list")).splitlines()]
    assert f"{MONITOR} staff-2 certificate dns:monitor-7.example" in rows
    assert f"{BEN} staff-3 jwt ben@example of https://id.example" in rows
    assert "reader fleet.read, proofs.read" in rows
    assert any(f"{BEN} reader label region=east - {ANA}" in row for row in rows)
    assert any(row.startswith(f"{name} {MONITOR} in force 20") for row in rows)
    assert "users/ben" not in done(ana("authority", "list", "--as-of", "3"))


def test_where_callers_are_believed_the_list_says_so(cli: Run) -> None:
    assert "No administrator is named: callers are believed" in done(cli("authority", "list"))
    assert cli("authority", "why", EVE, "bodies.erase").code == 0


# ---- changes -------------------------------------------------------------------------------------


def test_each_change_prints_the_documented_fields_and_satisfies_the_auditor(
    ana: Run, tmp_path: Path
) -> None:
    made: dict[str, Ran] = {}
    for name, line in CHANGES.items():
        if name in {"authority approve", "authority begin"}:
            continue  # which are about a second administrator, and the operator's
        named = {
            "authority withdraw": "authority grant",
            "token revoke": "token issue",
        }.get(name)
        field = "token" if name == "token revoke" else "position"
        before = (str(made[named].json[field]),) if named else ()
        made[name] = ana(*name.split(), *before, *line, "--json")
        assert made[name].code == 0, made[name].err
        assert tuple(made[name].json) == fields_of(SHAPES[name]), name
    assert audited(tmp_path / "ledger.sqlite").passed


def test_limits_of_an_actor_are_set_in_units_of_people_and_listed(ana: Run) -> None:
    done(ana("authority", "register", MONITOR, "--person", "staff-2"))
    set_ = done(ana("authority", "limit", MONITOR, "--megabytes", "2.5", "--waits", "0", *WHY))
    assert f"Limited {MONITOR} at position " in set_
    assert ": 2.5 MB/s, 0 waits." in set_
    rows = [" ".join(row.split()) for row in done(ana("authority", "list")).splitlines()]
    assert f"{MONITOR} 2.5 MB/s, 0 waits" in rows
    assert "the server's own limits" in done(ana("authority", "limit", MONITOR, *WHY))


def test_what_waits_for_a_second_administrator_is_said_shown_and_approved(ana: Run) -> None:
    register(ana, BEN, EVE)
    assert "Granted administrator" in done(ana("authority", "grant", BEN, "administrator", *WHY))
    asked = ana("authority", "grant", EVE, "viewer", "--model", "fares", *WHY)
    at = done(asked).split("position ")[1].split(",")[0]
    assert "not yet in force" in asked.out
    assert f"waits for a second one, for a week: `authority approve {at}`" in asked.err
    sentence = f"grant viewer to {EVE} for model fares: Work."
    assert sentence in done(ana("authority", "list"))
    own = ana("authority", "approve", at)
    assert own.code == 1
    assert "are one person" in own.err
    question = ("authority", "why", EVE, "fleet.read", "--model", "fares")
    assert ana(*question).code == 1
    approved = ana("authority", "approve", at, "--actor", BEN, "--json")
    assert tuple(approved.json) == fields_of(SHAPES["authority approve"])
    assert ana(*question).code == 0
    bound = ana("authority", "bind", EVE, *JWT, "--reason", "Work.\nApproved.", "--json").json
    told_of = done(ana("authority", "approve", str(bound["position"]), "--actor", BEN))
    assert told_of.count("\n") == 1
    assert f"bind jwt ben@example of https://id.example to {EVE}: Work." in told_of
    for line in (
        ("bind", EVE, *DNS, *WHY),
        ("role", "own", "--action", "fleet.read", "--meaning", "Looks."),
        ("withdraw", "3", *WHY),
    ):
        assert "not yet in force" in done(ana("authority", *line))
    listed = done(ana("authority", "list"))
    assert f"bind certificate dns:monitor-7.example to {EVE}: Work." in listed
    assert "define own as fleet.read: Looks." in listed
    assert "withdraw the grant at position 3: Work." in listed


def test_the_operators_command_is_refused_elsewhere_than_on_the_socket(ana: Run) -> None:
    ran = ana("authority", "begin", BEN, "--person", "staff-9", *WHY)
    assert ran.code == 2
    assert "is not the server's Unix socket" in ran.err
    assert "--server unix:/PATH" in ran.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("authority", "bind", EVE, *WHY), "either --certificate or --jwt"),
        (("authority", "bind", EVE, *DNS, *JWT, *WHY), "either --certificate or --jwt"),
        (("authority", "bind", EVE, "--certificate", "monitor-7", *WHY), "Write spiffe://…, dns:"),
        (("authority", "bind", EVE, "--jwt", "id", "eve", *WHY), "not the URL of an issuer"),
        (("authority", "grant", EVE, "viewer", "--expires", "2020-01-01", *WHY), "is over already"),
        (("authority", "grant", EVE, "viewer", "--label", "region", *WHY), "has no `=`"),
        (("token", "issue", MONITOR, "--expires", "soon", *WHY), "'soon' is not a time"),
        (("ledger", "create", "x", "--administrator", EVE), "Add --person with a pseudonym"),
        (("ledger", "create", "x", "--person", "staff-1"), "Add --administrator users/NAME"),
        (("serve", "--administrator", EVE, "--person", "staff-1"), "Add --create ORIGIN"),
        (("serve", "--create", "x", "--administrator", MONITOR, "--person", "s"), "actor: "),
    ],
)
def test_what_cannot_be_meant_is_refused_before_it_is_sent(
    run: Run, line: tuple[str, ...], said: str
) -> None:
    ran = run(*line, "--server", "127.0.0.1:1")
    assert ran.code == 2
    assert said in ran.err


# ---- refusals ------------------------------------------------------------------------------------


def told(ran: Ran, reason: str) -> str:
    """Return how a command was refused: in one line, with its reason and a command that exists."""
    assert ran.code == 1
    assert ran.out == ""
    (line,) = ran.err.splitlines()
    assert line.endswith(f" [{reason}]"), line
    named = list(commands_in(line))
    assert named, f"no command says what to do: {line}"
    assert [fault_of(one) for one in named] == [""] * len(named), line
    return line


def test_a_refused_change_and_a_right_that_is_not_there_are_told_with_a_command_to_go_on(
    ana: Run,
) -> None:
    register(ana, EVE)
    own = told(ana("authority", "grant", ANA, "policy-author", *WHY), "AUTHORITY_REFUSED")
    assert "no one grants to themself" in own
    lacking = told(ana("vkey", "--actor", EVE), "ACTOR_NOT_AUTHORISED")
    assert f"{EVE} may not read a ledger's head" in lacking
    assert f"`authority why {EVE} proofs.read`" in lacking


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Served]:
    """Serve a ledger with an administrator that believes no caller; the operator has a socket."""
    with serving(tmp_path, server__socket=str(tmp_path / "ledger.sock")) as served:
        at = ("--server", served.server.address)
        done(run_line("ledger", "create", "ledger.example/other", *at))
        done(run_line("ledger", "create", ORIGIN, *NAMED, *at))
        yield served


def test_a_caller_that_shows_no_credential_or_a_wrong_one_is_told_what_to_do(
    strict: Served, tmp_path: Path
) -> None:
    at = ("model", "list", "--server", strict.server.address, "--ledger", ORIGIN)
    nothing = told(run_line(*at, "--actor", ANA), "UNAUTHENTICATED")
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
    assert tuple(lost.json) == fields_of(SHAPES["authority begin"])
    assert f"No identity is bound to {BEN}" in lost.err
    listed = done(run_line("authority", "list", *socket))
    assert listed.count("system/operator") == 2
    at = ("--server", strict.server.address, "--ledger", "ledger.example/other")
    assert told(run_line("model", "list", *at), "UNAUTHENTICATED")


# ---- tokens --------------------------------------------------------------------------------------


def test_a_token_is_shown_once_alone_on_standard_output(ana: Run) -> None:
    register(ana, MONITOR, EVE)
    done(ana("authority", "grant", EVE, "auditor", *WHY))
    ran = ana("token", "issue", MONITOR, "--expires", "90d", *WHY)
    shown = parse_token(done(ran).removesuffix("\n"))
    assert f"Issued token {shown.id} of {MONITOR}, until 20" in ran.err
    assert "shown this once" in ran.err
    secret = ran.out.strip().rpartition("_")[2]
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
    assert "names another actor" in told(ana(*shown, "--actor", EVE), "ACTOR_NOT_AUTHORISED")
    other = ("ledger.example/other", "--administrator", ANA, "--person", "staff-1")
    done(ana("ledger", "create", *other))
    elsewhere = ana(*shown, "--actor", MONITOR, "--ledger", "ledger.example/other")
    assert "`token issue`" in told(elsewhere, "TOKEN_OF_OTHER_LEDGER")
    done(ana("token", "revoke", name, *WHY))
    assert "`token issue`" in told(ana(*shown, "--actor", MONITOR), "CREDENTIAL_REVOKED")


def test_a_token_for_a_file_is_in_that_file_alone_and_its_owners(ana: Run, tmp_path: Path) -> None:
    register(ana, MONITOR)
    file = tmp_path / "token"
    ran = ana("token", "issue", MONITOR, *WHY, "--to", str(file), "--json")
    kept = file.read_text()
    assert parse_token(kept.removesuffix("\n")).id == ran.json["token"]
    assert S_IMODE(file.stat().st_mode) == 0o600
    assert kept.strip().rpartition("_")[2] not in ran.out + ran.err
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
