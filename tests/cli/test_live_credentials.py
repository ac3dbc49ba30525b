"""A credential of before counts for what is granted later, and both administrators see it.

Method: a token and an identity for a service without rights, then a second administrator and a
grant that takes both; every answer on the way has to name what callers are the service by.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.authority.state import AuthorityState, Identity
from ledger.events.authority import OPERATOR, AdministratorNamed, TokenIssued, TokenRevoked
from tests.cli.administered import BEN, DNS, EVE, JWT, MONITOR, WHY, administered, done, register
from tests.cli.conftest import Run

BOUND = {"method": "certificate", "subject": "dns:monitor-7.example", "issuer": ""}


@pytest.fixture
def ana(tmp_path: Path) -> Iterator[Run]:
    """Run a command as the administrator of a ledger; `--actor` runs it as another one."""
    with administered(tmp_path) as run:
        yield run


def test_what_two_administrators_grant_names_the_credentials_that_were_there_before(
    ana: Run,
) -> None:
    register(ana, BEN, MONITOR, EVE)
    early = ana("token", "issue", MONITOR, "--expires", "90d", *WHY, "--json").json
    assert ana("authority", "bind", MONITOR, *DNS, *WHY).err.count(early["token"]) == 1
    lost = ana("token", "issue", MONITOR, *WHY, "--json").json["token"]
    done(ana("token", "revoke", lost, *WHY))
    done(ana("authority", "grant", BEN, "administrator", *WHY))

    def named(found: dict[str, Any]) -> tuple[list[str], list[dict[str, str]]]:
        live = found["credentials"]
        return [one["token"] for one in live["tokens"]], live["identities"]

    both = ([early["token"]], [BOUND])
    sentence = f"Callers are {MONITOR} by token {early['token']} (position {early['position']}, "
    end = "certificate dns:monitor-7.example.\n"
    grant = ("authority", "grant", MONITOR, "operator", *WHY)
    assert named(ana(*grant, "--json").json) == both
    asked = ana(*grant)
    assert sentence in asked.err
    assert asked.err.endswith(end)
    waiting = ana("authority", "list", "--json").json["proposals"]
    assert [named(one) for one in waiting] == [both, both]
    assert done(ana("authority", "list")).endswith(end)
    approve = ("authority", "approve")
    first, second = (str(one["position"]) for one in waiting)
    approved = ana(*approve, first, "--actor", BEN)
    assert done(approved).count("\n") == 1
    assert sentence in approved.err
    assert approved.err.endswith(end)
    assert named(ana(*approve, second, "--actor", BEN, "--json").json) == both
    why = ana("authority", "why", MONITOR, "models.register")
    assert done(why).endswith(end)
    assert sentence in why.out
    none = ana("authority", "grant", EVE, "viewer", *WHY)
    assert "Callers are" not in none.err, "there is nothing to say of an actor without credentials"
    other = ana("authority", "withdraw", str(early["position"]), *WHY)
    assert "Callers are" not in other.err


def test_the_operator_who_names_an_administrator_is_told_by_what_callers_are_that_actor_already(
    tmp_path: Path,
) -> None:
    place = tmp_path / "s"
    with administered(tmp_path, str(place)) as ana:
        register(ana, BEN, EVE)
        done(ana("authority", "bind", EVE, *JWT, *WHY))
        begin = ("authority", "begin", "--server", f"unix:{place}", *WHY)
        named = ana(*begin, EVE, "--person", "staff-3", *DNS)
        assert f"Callers are {EVE} by jwt ben@example of https://id.example.\n" in named.err
        assert "No identity is bound" not in named.err
        fresh = ana(*begin, BEN, "--person", "staff-2")
        assert "Callers are" not in fresh.err
        assert f"No identity is bound to {BEN}" in fresh.err


def test_a_credential_is_live_until_it_is_revoked_expires_or_is_taken_away() -> None:
    state = AuthorityState()
    one = {"method": "certificate", "issuer": "", "subject": "dns:a.example"}
    named = {"actor": MONITOR, "person": "staff-1", "identities": [one], "reason": "It begins."}
    state.apply(3, AdministratorNamed.TYPE, OPERATOR, named)
    for position, (name, end) in enumerate([("b", "2026-03-01T00:00:00.000000Z"), ("a", None)], 4):
        data = {"token": name, "actor": MONITOR, "digest": "", "expires_at": end}
        state.apply(position, TokenIssued.TYPE, OPERATOR, data)
    ends = state.tokens["b"].expires_at
    assert ends is not None
    assert [token.name for token in state.live_tokens(MONITOR, ends - 1)] == ["b", "a"]
    assert [token.name for token in state.live_tokens(MONITOR, ends)] == ["a"]
    assert state.live_tokens(EVE, 0) == []
    state.apply(6, TokenRevoked.TYPE, OPERATOR, {"token": "a"})
    assert state.live_tokens(MONITOR, ends) == []
    assert state.bound_identities(MONITOR) == [Identity("certificate", "", "dns:a.example")]
    assert state.bound_identities(EVE) == []
