"""Further forgeries of authority: at least three of each rule, each seen by it alone, where it is.

Method: as in `test_forgeries.py`, on a `wall` ledger, in which a grant and a token can expire.
"""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.audit.registry import RULES
from ledger.events.values import SECOND, format_time
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.audit.unauthorised import (
    ANA,
    AUTHORITY,
    CLAIMS,
    EVE,
    WHOLE,
    define,
    grant,
    name,
    register,
    show,
)
from tests.support.world import DAY, ORIGIN, World

BEN: Final = "users/ben"
MONITOR: Final = "services/monitor"
MINUTE: Final = 60 * SECOND
TOKEN: Final = "00112233445566aa"
DIGEST: Final = "ab" * 32
CERTIFICATE: Final = {"method": "certificate", "issuer": "", "subject": "dns:eve.example"}


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    """A ledger on paper with two models of two regions."""
    path = tmp_path_factory.mktemp("wall") / "ledger.db"
    world = World(path, clock="wall").begin()
    world.register("east", labels={"region": "east"})
    world.register("west", labels={"region": "west"})
    world.close()
    return Paper.copied(path, ORIGIN)


@pytest.fixture
def paper(written: Paper) -> Paper:
    """The same, for one test: ana is the administrator, and the monitor is a service of ben's."""
    paper = deepcopy(written)
    name(paper)
    show(paper)
    register(paper, EVE, "staff-2")
    register(paper, BEN, "staff-3")
    register(paper, MONITOR, "staff-3")
    for actor in (EVE, BEN, MONITOR):
        show(paper, actor)
    return paper


# ---- what events and changes are made of ---------------------------------------------------------


def now(paper: Paper) -> int:
    return paper.events[-1].recorded_at


def later(paper: Paper, micros: int) -> str:
    """Return a time so much later than the newest event."""
    return format_time(now(paper) + micros)


def scope(**named: object) -> dict[str, Any]:
    return {**WHOLE, **named}


def change(paper: Paper, type_: str, by: str = ANA, **data: object) -> int:
    """Append a change of authority."""
    return paper.append(AUTHORITY, type_, {**data, "reason": "Work."}, actor=by)


def withdraw(paper: Paper, position: int, by: str = ANA) -> int:
    return change(paper, "grant.withdrawn.v1", by, grant=position, proposal=None)


def role(paper: Paper, *actions: str, by: str = ANA, proposal: int | None = None) -> int:
    """Define the role of the team's own."""
    data = {"role": "own", "actions": sorted(actions), "meaning": "Own.", "proposal": proposal}
    return paper.append(AUTHORITY, "role.defined.v1", data, actor=by)


def propose(paper: Paper, by: str, role_: str = "operator", to: str = EVE) -> int:
    """Propose a grant to eve."""
    wanted = {
        "actor": to, "role": role_, "scope": WHOLE, "expires_at": None, "reason": "Work.",
        "proposal": None,
    }  # fmt: skip
    until = later(paper, 7 * DAY)
    data = {"type": "role.granted.v1", "change": wanted, "until": until}
    return paper.append(AUTHORITY, "authority.proposed.v1", data, actor=by)


def issue(paper: Paper, expires_at: str | None = None) -> int:
    """Issue the monitor's token."""
    data = {"token": TOKEN, "actor": MONITOR, "digest": DIGEST, "expires_at": expires_at}
    return paper.append(AUTHORITY, "token.issued.v1", {**data, "reason": "It runs."})


def use(paper: Paper, **changes: object) -> int:
    """Record that the monitor called by its token."""
    usual = {"method": "token", "subject": TOKEN, "fingerprint": DIGEST}
    return show(paper, MONITOR, **(usual | changes))


def observe(paper: Paper, model: str, signal: str) -> int:
    """Have the monitor report."""
    data = {
        "model_version": "v1", "observed_at": format_time(now(paper)), "sample_size": 1,
        "signal": signal, "value": "1",
    }  # fmt: skip
    return paper.append(f"models/{model}", "signal.observed.v1", data, actor=MONITOR)


def describe(paper: Paper, model: str, region: str) -> int:
    """Have eve describe a model again, with another label."""
    data = paper.at(paper.find("model.registered.v1", model=model)[0]).data
    labelled = data | {"labels": {"region": region}}
    return paper.append(f"models/{model}", "model.updated.v1", labelled, actor=EVE)


def claim(paper: Paper, actor: str, behalf: str, by: str = "system/credentials") -> int:
    """Record that an actor said on whose behalf it calls."""
    data = {
        "actor": actor, "on_behalf_of": behalf, "method": "GetModel", "request_id": None,
        "called_at": format_time(now(paper)),
    }  # fmt: skip
    return paper.append(CLAIMS, "call.represented.v1", data, actor=by)


# ---- rights --------------------------------------------------------------------------------------


def use_a_grant_that_has_expired(paper: Paper) -> int:
    grant(paper, EVE, "operator", expires_at=later(paper, 10 * MINUTE))
    define(paper, EVE)
    show(paper, EVE, address="127.0.0.2")
    paper.events[-1].recorded_at += 16 * MINUTE
    return define(paper, EVE)


def act_before_the_grant(paper: Paper) -> int:
    position = define(paper, EVE)
    grant(paper, EVE, "operator")
    return position


def act_after_the_withdrawal(paper: Paper) -> int:
    withdraw(paper, grant(paper, EVE, "operator"))
    return define(paper, EVE)


def report_a_model_out_of_scope(paper: Paper) -> int:
    grant(paper, MONITOR, "monitor", scope=scope(models=["east"]))
    observe(paper, "east", "loss")
    return observe(paper, "west", "loss")


def report_a_signal_out_of_scope(paper: Paper) -> int:
    grant(paper, MONITOR, "monitor", scope=scope(signals=["loss"]))
    observe(paper, "west", "loss")
    return observe(paper, "west", "drift")


def move_a_model_into_scope(paper: Paper) -> int:
    grant(paper, EVE, "operator", scope=scope(labels={"region": "east"}))
    return describe(paper, "west", "east")


def move_a_model_out_of_scope(paper: Paper) -> int:
    grant(paper, EVE, "operator", scope=scope(labels={"region": "east"}))
    return describe(paper, "east", "west")


# ---- changes -------------------------------------------------------------------------------------


def approve_by_a_second_account(paper: Paper) -> int:
    register(paper, "users/ana-2", "staff-1")
    show(paper, "users/ana-2")
    grant(paper, BEN, "administrator")
    second = propose(paper, BEN, "administrator", "users/ana-2")
    grant(paper, "users/ana-2", "administrator", ANA, proposal=second)
    waiting = propose(paper, ANA)
    return grant(paper, EVE, "operator", "users/ana-2", proposal=waiting)


def approve_what_another_did_not_propose(paper: Paper) -> int:
    grant(paper, BEN, "administrator")
    waiting = propose(paper, ANA, "viewer")
    return grant(paper, EVE, "operator", BEN, proposal=waiting)


def approve_after_a_week(paper: Paper) -> int:
    grant(paper, BEN, "administrator")
    waiting = propose(paper, ANA)
    paper.at(waiting).data["until"] = later(paper, MINUTE)
    show(paper, BEN, address="127.0.0.2")
    paper.events[-1].recorded_at += 7 * MINUTE
    return grant(paper, EVE, "operator", BEN, proposal=waiting)


def withdraw_the_other_administrator_alone(paper: Paper) -> int:
    return withdraw(paper, grant(paper, BEN, "administrator"))


def withdraw_the_last_administrator(paper: Paper) -> int:
    return withdraw(paper, paper.find("administrator.named.v1")[0])


def define_a_role_otherwise_alone(paper: Paper) -> int:
    role(paper, "fleet.read")
    grant(paper, BEN, "administrator")
    return role(paper, "fleet.read", "bodies.erase")


def widen_a_role_of_ones_own_service(paper: Paper) -> int:
    register(paper, "services/robot", "staff-1")
    role(paper, "fleet.read")
    grant(paper, "services/robot", "own")
    return role(paper, "fleet.read", "policies.activate")


def grant_beyond_ones_scope(paper: Paper) -> int:
    role(paper, "roles.grant", "signals.submit")
    grant(paper, EVE, "own", scope=scope(models=["east"]))
    grant(paper, MONITOR, "own", EVE, scope=scope(models=["east"]))
    return grant(paper, MONITOR, "own", EVE, scope=scope(models=["west"]))


def bind_alone(paper: Paper) -> int:
    grant(paper, BEN, "administrator")
    return change(paper, "identity.bound.v1", actor=EVE, identity=CERTIFICATE, proposal=None)


def issue_a_token_of_another_persons_service(paper: Paper) -> int:
    grant(paper, MONITOR, "operator")
    grant(paper, EVE, "administrator")
    return issue(paper)


# ---- credentials ---------------------------------------------------------------------------------


def use_a_revoked_token(paper: Paper) -> int:
    issue(paper)
    use(paper)
    change(paper, "token.revoked.v1", token=TOKEN)
    return use(paper, address="127.0.0.2")


def use_an_expired_token(paper: Paper) -> int:
    issue(paper, later(paper, MINUTE))
    use(paper)
    register(paper, "users/new", "staff-9")
    paper.events[-1].recorded_at += 7 * MINUTE
    return use(paper, address="127.0.0.2")


def use_a_token_with_another_secret(paper: Paper) -> int:
    issue(paper)
    return use(paper, fingerprint="cd" * 32)


def use_a_certificate_that_was_unbound(paper: Paper) -> int:
    change(paper, "identity.bound.v1", actor=EVE, identity=CERTIFICATE, proposal=None)
    stated: Any = {**CERTIFICATE, "fingerprint": DIGEST}
    show(paper, EVE, **stated)
    change(paper, "identity.unbound.v1", identity=CERTIFICATE)
    return show(paper, EVE, **stated, address="127.0.0.2")


def believe_what_was_presented(paper: Paper) -> int:
    return show(paper, EVE, fingerprint=DIGEST)


# ---- claims --------------------------------------------------------------------------------------


def a_gateway(paper: Paper, expires_at: str | None = None) -> None:
    role(paper, "actors.represent", "fleet.read")
    grant(paper, MONITOR, "own", expires_at=expires_at)


def claim_after_the_right_has_expired(paper: Paper) -> int:
    a_gateway(paper, expires_at=later(paper, MINUTE))
    claim(paper, MONITOR, EVE)
    register(paper, "users/new", "staff-9")
    paper.events[-1].recorded_at += 7 * MINUTE
    return claim(paper, MONITOR, ANA)


def claim_for_a_stranger(paper: Paper) -> int:
    a_gateway(paper)
    return claim(paper, MONITOR, "users/stranger")


def claim_for_oneself(paper: Paper) -> int:
    a_gateway(paper)
    return claim(paper, MONITOR, MONITOR)


# ---- shown ---------------------------------------------------------------------------------------


def act_before_one_has_shown_oneself(paper: Paper) -> int:
    register(paper, "users/max", "staff-4")
    grant(paper, "users/max", "operator")
    position = define(paper, "users/max")
    show(paper, "users/max")
    return position


def change_authority_without_a_credential(paper: Paper) -> int:
    register(paper, "users/max", "staff-4")
    role(paper, "actors.register", "fleet.read")
    grant(paper, "users/max", "own")
    return register(paper, "users/new", "staff-9", "users/max")


def live_on_a_credential_of_the_week_before(paper: Paper) -> int:
    grant(paper, EVE, "operator")
    show(paper, ANA, address="127.0.0.2")
    paper.events[-1].recorded_at += 3 * DAY
    return define(paper, EVE)


FORGERIES: Final[dict[Callable[[Paper], int], str]] = {
    use_a_grant_that_has_expired: "authority.rights",
    act_before_the_grant: "authority.rights",
    act_after_the_withdrawal: "authority.rights",
    report_a_model_out_of_scope: "authority.rights",
    report_a_signal_out_of_scope: "authority.rights",
    move_a_model_into_scope: "authority.rights",
    move_a_model_out_of_scope: "authority.rights",
    approve_by_a_second_account: "authority.changes",
    approve_what_another_did_not_propose: "authority.changes",
    approve_after_a_week: "authority.changes",
    withdraw_the_other_administrator_alone: "authority.changes",
    withdraw_the_last_administrator: "authority.changes",
    define_a_role_otherwise_alone: "authority.changes",
    widen_a_role_of_ones_own_service: "authority.changes",
    grant_beyond_ones_scope: "authority.changes",
    bind_alone: "authority.changes",
    issue_a_token_of_another_persons_service: "authority.changes",
    use_a_revoked_token: "authority.credentials",
    use_an_expired_token: "authority.credentials",
    use_a_token_with_another_secret: "authority.credentials",
    use_a_certificate_that_was_unbound: "authority.credentials",
    believe_what_was_presented: "authority.credentials",
    claim_after_the_right_has_expired: "authority.claims",
    claim_for_a_stranger: "authority.claims",
    claim_for_oneself: "authority.claims",
    act_before_one_has_shown_oneself: "authority.shown",
    change_authority_without_a_credential: "authority.shown",
    live_on_a_credential_of_the_week_before: "authority.shown",
}


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_a_forgery_of_authority_is_seen_by_its_rule_alone_at_its_position(
    paper: Paper, tmp_path: Path, forge: Callable[[Paper], int]
) -> None:
    position = forge(paper)
    report = audit_of(paper, tmp_path)
    seen = [(finding.rule, finding.position) for finding in report.findings]
    assert seen == [(FORGERIES[forge], position)], report.text()


def test_the_ledger_that_they_begin_with_holds(paper: Paper, tmp_path: Path) -> None:
    report = audit_of(paper, tmp_path)
    assert report.passed, report.text()


def test_every_rule_of_authority_has_at_least_three() -> None:
    counted = Counter(FORGERIES.values())
    assert counted.keys() == {rule for rule in RULES if rule.startswith("authority.")}
    assert min(counted.values()) >= 3
