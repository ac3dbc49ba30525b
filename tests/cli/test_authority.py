"""Authority from the command line: the table, the questions, and every change with its sentence.

Method: a served ledger that begins with an administrator; callers are believed to be whom they
name, so that each test is about what a command sends and says.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.authority.table import METHODS, ROLES
from ledger.cli.authority_table import shown_table
from ledger.operations.authority import AuthorityTable, TabledAction
from tests.cli.administered import (
    ANA,
    BEN,
    DNS,
    EVE,
    JWT,
    MONITOR,
    WHY,
    administered,
    done,
    register,
)
from tests.cli.conftest import Ran, Run
from tests.support.audits import audited
from tools.shapes import SHAPES, fields_of

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
    with administered(tmp_path) as run:
        yield run


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
    shown = done(run("authority", "table"))
    assert max(len(line) for line in shown.splitlines()) <= 100
    legend, matrix = shown.split("\n\n")
    letters = {role: letter for letter, role in re.findall(r"\b([a-zA-Z]) ([a-z-]{2,})", legend)}
    assert letters.keys() == ROLES.keys()
    rows = {line.split()[0]: line.split()[1] for line in matrix.splitlines() if line[0] != " "}
    assert rows.pop("ACTION") == "".join(letters.values())
    assert {
        role: {action for action, cells in rows.items() if letter in cells}
        for role, letter in letters.items()
    } == ROLES


def test_the_table_breaks_a_long_meaning_rather_than_grow_beyond_100_columns() -> None:
    long = TabledAction("fleet.read", "look at " * 40 + "it", (), ("viewer",))
    shown = shown_table(AuthorityTable(("viewer", "monitor"), (long,)))
    assert max(len(line) for line in shown.splitlines()) <= 100
    assert " ".join(shown.split()).endswith("fleet.read a- " + "look at " * 40 + "it")


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


def test_a_bundle_of_a_part_states_from_where_on_callers_without_a_credential_were_let_in(
    ana: Run, tmp_path: Path
) -> None:
    register(ana, EVE)
    done(ana("authority", "grant", EVE, "auditor", *WHY))
    eve = ("--actor", EVE, *key(ana))
    done(ana("export", "create", str(tmp_path / "part"), "--from", "2", "--to", "4", *eve))
    done(ana("export", "create", str(tmp_path / "whole"), *eve))
    said = "From position 4 on, some callers were believed without a credential"
    for name, by in (("part", "The issuer states: "), ("whole", "")):
        verified = done(ana("verify", str(tmp_path / name), *key(ana)))
        assert f"\n{by}{said}" in verified
        assert f"{by}{said}" in (tmp_path / name / "data" / "report.html").read_text("utf-8")
    assert said in audited(tmp_path / "ledger.sqlite").text()


def key(ana: Run) -> tuple[str, str]:
    return "--vkey", str(json.loads(done(ana("vkey", "--json")))["verifier_key"])
