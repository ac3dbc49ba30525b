"""Each rule sees what no hash can: a forgery that is hashed, linked and signed like the truth.

Method: take an honest ledger that the service wrote, change it in one way as somebody with database
and key could, write every hash and signature again, and require that exactly the rule in question
objects, at the right position. Every rule has such a case; a rule without one fails the last test.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.audit.registry import RULES
from ledger.audit.report import Report
from ledger.events.values import format_time, parse_time
from tests.audit.corrected import CORRECTED, MORE
from tests.audit.left_out import LEFT_OUT
from tests.audit.misstated import MISSTATED
from tests.audit.overruled import OVERRULED
from tests.audit.overspent import OVERSPENT
from tests.audit.paper import Paper
from tests.audit.put_back import MORE_PUT_BACK, PUT_BACK
from tests.audit.shadowed import SHADOWED
from tests.audit.unapproved import UNAPPROVED
from tests.audit.unasked import UNASKED
from tests.audit.unauthorised import UNAUTHORISED
from tests.audit.ungoverned import UNGOVERNED
from tests.audit.unjudged import UNJUDGED
from tests.support.audits import audited
from tests.support.world import DAY

Forge = Callable[[Paper], int]

FOREIGN: Final = {
    "originator_id": "x", "originator_version": 1, "state_base64": "e30=",
    "topic": "somewhere:Thing",
}  # fmt: skip
FOREIGN_STREAM: Final = "recorder/2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
SCORE: Final = "score.computed.v1"
DECISION: Final = "decision.made.v2"
EVALUATOR: Final = "system/evaluator"


def audit_of(paper: Paper, folder: Path, **options: Any) -> Report:  # noqa: ANN401 - as `Audit`
    """Return the report about a ledger on paper."""
    vkeys = (str(paper.key.verifier_key),)
    return audited(paper.write(folder / "paper.db"), **({"vkeys": vkeys} | options))


def foreign(paper: Paper, **members: Any) -> int:  # noqa: ANN401 - as `Paper.append`
    """Append an honest foreign event: nothing rests on it."""
    return paper.append(FOREIGN_STREAM, "recorder.event.v1", dict(FOREIGN), **members)


def remove_a_body(paper: Paper) -> int:
    position = foreign(paper)
    paper.at(position).is_gone = True
    return position


def add_white_space(paper: Paper) -> int:
    position = foreign(paper)
    paper.at(position).body = paper.at(position).raw.replace(b":", b": ", 1)
    return position


def leave_a_member_out(paper: Paper) -> int:
    position = foreign(paper)
    del paper.at(position).data["topic"]
    return position


def repeat_a_salt(paper: Paper) -> int:
    earlier, later = foreign(paper), foreign(paper)
    paper.at(earlier).salt = paper.at(later).salt = bytes(range(9, 25))
    return later


def stand_elsewhere(paper: Paper) -> int:
    position = foreign(paper)
    paper.at(position).stream = "recorder/elsewhere"
    return position


def cause_itself(paper: Paper) -> int:
    return foreign(paper, causation_position=len(paper.events) + 1)


def ask_twice(paper: Paper) -> int:
    data = paper.at(paper.find("signal.defined.v1")[0]).data
    stream = f"signals/{data['signal']}"
    paper.append(stream, "signal.defined.v1", data, request_id="once")
    foreign(paper)
    return paper.append(stream, "signal.defined.v1", data, request_id="once")


def observed(paper: Paper, **changes: object) -> int:
    """Append an observation of alpha."""
    at = format_time(paper.events[-1].recorded_at)
    data = {
        "model_version": "v1", "observed_at": at, "sample_size": 1, "signal": "loss", "value": "1",
    }  # fmt: skip
    return paper.append("models/alpha", "signal.observed.v1", data | changes)


def state_the_future(paper: Paper) -> int:
    return observed(paper, observed_at=format_time(paper.events[-1].recorded_at + 1))


def record_in_a_month(paper: Paper) -> int:
    defined = paper.at(paper.find("signal.defined.v1")[-1])
    at = paper.events[-1].recorded_at + 30 * DAY
    return paper.append(defined.stream, "signal.defined.v1", defined.data, at=at)


def begin_otherwise(paper: Paper) -> int:
    defined = paper.find("signal.defined.v1")[0]
    first = paper.at(1)
    first.stream, first.type = "signals/first", "signal.defined.v1"
    assert isinstance(first.body, dict)
    first.body = first.body | {"data": paper.at(defined).data | {"signal": "first"}}
    paper.at(2).type = "ledger.configured.v1"
    for later in ("leap_seconds", "next_key_digest", "unit_of_cost"):
        del paper.at(2).data[later]
    return 1


def configure_again(paper: Paper) -> int:
    data = {name: paper.at(2).data[name] for name in ("clock", "skew_seconds")}
    return paper.append("ledger", "ledger.configured.v1", data)


def misstate_a_stream(paper: Paper) -> int:
    data = {"as_of": 9, "root": "00" * 32, "streams": 6}
    return paper.append("ledger", "streams.sealed.v1", data, actor="system/sealer")


def keep_what_was_erased(paper: Paper) -> int:
    position = foreign(paper)
    data = {"authority": "DPO", "ground": "GDPR", "positions": [[position, position]]}
    return paper.append("ledger", "body.erased.v1", data)


def audit_another_tree(paper: Paper) -> int:
    data = {
        "program": "x", "source": "server", "size": 10, "root": "11" * 32, "passed": True,
        "checks": [], "findings": [],
    }  # fmt: skip
    return paper.append("ledger", "audit.completed.v1", data)


def export_half(paper: Paper) -> int:
    data = {
        "export": "e1", "kind": "full", "first_position": 1, "last_position": 10, "stream": None,
        "events": 9, "withheld": 0, "checkpoint_size": 10, "manifest_digest": "22" * 32,
        "requested_by": "users/ana", "purpose": "",
    }  # fmt: skip
    return paper.append("ledger", "export.issued.v1", data)


def step_without_a_clock(paper: Paper) -> int:
    at = format_time(paper.events[-1].recorded_at)
    data = {"clock_at": at, "expected_at": None, "head_at": at, "reason": "x"}
    return paper.append("ledger", "clock.stepped.v1", data, actor="users/ops")


def described(paper: Paper, **changes: object) -> dict[str, Any]:
    """Return a description of alpha, changed."""
    return paper.at(paper.find("model.registered.v1", model="alpha")[0]).data | changes


def update_a_ghost(paper: Paper) -> int:
    return paper.append("models/ghost", "model.updated.v1", described(paper, model="ghost"))


def describe_in_a_run(paper: Paper) -> int:
    return paper.append("models/alpha", "model.updated.v1", described(paper), run_id="runs/another")


def retrain_for_free(paper: Paper) -> int:
    return paper.append("models/alpha", "model.updated.v1", described(paper, cost_micros="0"))


def reinstate_a_new_version(paper: Paper) -> int:
    data = paper.at(paper.find("model.deployed.v1", model="beta")[0]).data
    changes = {"kind": "reinstated", "model_version": "v9", "replaces": "v1"}
    return paper.append("models/beta", "model.deployed.v1", data | changes)


def observe_the_undefined(paper: Paper) -> int:
    return observed(paper, signal="undefined")


def draft_under_another_digest(paper: Paper) -> int:
    data = paper.at(paper.find("policy.drafted.v2", policy="main")[-1]).data
    changes = {"version": data["version"] + 1, "digest": "33" * 32}
    return paper.append("policies/main", "policy.drafted.v2", data | changes)


def activate_the_undrafted(paper: Paper) -> int:
    data = paper.at(paper.find("policy.activated.v1", policy="main")[0]).data
    return paper.append("policies/main", "policy.activated.v1", data | {"version": 9})


def turn_a_direction(paper: Paper) -> int:
    data = paper.at(paper.find("signal.defined.v1", signal="loss")[-1]).data
    turned = data | {"direction": "lower_is_worse"}
    return paper.append("signals/loss", "signal.defined.v1", turned)


def look_at_itself(paper: Paper) -> int:
    last = paper.find(SCORE, model="beta")[-1]
    position = len(paper.events) + 1
    data = paper.at(last).data | {"as_of": position}
    return paper.append("models/beta", SCORE, data, actor=EVALUATOR)


def record_an_old_score_again(paper: Paper) -> int:
    data = paper.at(paper.find(SCORE, model="beta", trigger="schedule")[0]).data
    return paper.append("models/beta", SCORE, data, actor=EVALUATOR)


def plan_a_moment_earlier(paper: Paper) -> int:
    found = paper.find("plan.made.v1")[1]
    time = parse_time(paper.at(found).data["made_at"])
    paper.at(found).data["made_at"] = format_time(time - 1)
    return found


def schedule_by_hand(paper: Paper) -> int:
    found = paper.find(SCORE, model="beta", trigger="schedule")[-1]
    body = paper.at(found).body
    assert isinstance(body, dict)
    body["actor"] = "users/ana"
    return found


def call_silence_news(paper: Paper) -> int:
    found = paper.find(SCORE, model="beta", trigger="schedule")[-1]
    paper.at(found).data["trigger"] = "ingest"
    return found


def rest_on_another_policy(paper: Paper) -> int:
    other = paper.at(paper.find("policy.drafted.v2", policy="main", version=2)[0]).data
    found = paper.find(SCORE, model="alpha")[-1]
    paper.at(found).data.update(policy_version=2, policy_digest=other["digest"])
    # Under another policy version there is no last score to bound the change by.
    paper.at(found).data["priority"] = paper.at(found).data["raw_priority"]
    return found


def cite_another_cause(paper: Paper) -> int:
    found = paper.find(DECISION)[-1]
    body = paper.at(found).body
    assert isinstance(body, dict)
    body["causation_position"] = 1
    return found


def join_another_run(paper: Paper) -> int:
    found = paper.find(SCORE, model="alpha")[-1]
    body = paper.at(found).body
    assert isinstance(body, dict)
    body["run_id"] = "runs/another"
    return found


def deploy_for_another_run(paper: Paper) -> int:
    found = paper.find("model.deployed.v1", model="alpha")[-1]
    body = paper.at(found).body
    assert isinstance(body, dict)
    body["run_id"] = "runs/another"
    return found


def improve_a_score(paper: Paper) -> int:
    found = paper.find(SCORE, model="alpha")[-1]
    paper.at(found).data["coverage"] -= 1
    return found


def soften_a_decision(paper: Paper) -> int:
    found = paper.find(DECISION, model="gamma")[-1]
    paper.at(found).data["tier"] = "nobody"
    return found


def raise_a_price(paper: Paper) -> int:
    found = paper.find("plan.made.v1")[1]
    paper.at(found).data["next_price"] += "0"
    return found


FORGERIES: Final[dict[str, Forge]] = (
    CORRECTED
    | LEFT_OUT
    | UNAUTHORISED
    | UNASKED
    | SHADOWED
    | OVERSPENT
    | OVERRULED
    | PUT_BACK
    | MISSTATED
    | UNGOVERNED
    | UNJUDGED
    | UNAPPROVED
    | {
        "bodies.present": remove_a_body,
        "bodies.canonical": add_white_space,
        "salts": repeat_a_salt,
        "types.data": leave_a_member_out,
        "types.stream": stand_elsewhere,
        "causes": cause_itself,
        "requests.unique": ask_twice,
        "times.stated": state_the_future,
        "times.derived": record_in_a_month,
        "ledger.begins": begin_otherwise,
        "ledger.configured": configure_again,
        "seals": misstate_a_stream,
        "erasures": keep_what_was_erased,
        "audits": audit_another_tree,
        "exports": export_half,
        "clocks": step_without_a_clock,
        "models.registered": update_a_ghost,
        "origins": describe_in_a_run,
        "models.described": retrain_for_free,
        "models.deployed": reinstate_a_new_version,
        "signals.defined": observe_the_undefined,
        "policies.drafted": draft_under_another_digest,
        "policies.activated": activate_the_undrafted,
        "meanings.pinned": turn_a_direction,
        "horizons": look_at_itself,
        "horizons.present": call_silence_news,
        "horizons.unbroken": record_an_old_score_again,
        "times.evaluated": plan_a_moment_earlier,
        "triggers": schedule_by_hand,
        "policies.in_force": rest_on_another_policy,
        "citations": cite_another_cause,
        "runs": join_another_run,
        "deployments.follow": deploy_for_another_run,
        "replay.score": improve_a_score,
        "replay.decision": soften_a_decision,
        "replay.plan": raise_a_price,
    }
)


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_seen_by_its_rule_alone_at_its_position(
    long_paper: Paper, tmp_path: Path, name: str
) -> None:
    paper = long_paper
    position = FORGERIES[name](paper)
    report = audit_of(paper, tmp_path)
    seen = [(finding.rule, finding.position) for finding in report.findings]
    assert seen == [(name, position)], report.text()
    assert report.first_bad_position == position
    assert not report.passed


@pytest.mark.parametrize("how", MORE)
def test_every_condition_on_a_correction_is_seen_by_its_rule(
    paper: Paper, tmp_path: Path, how: str
) -> None:
    rule, forge = MORE[how]
    position = forge(paper)
    report = audit_of(paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [(rule, position)]


@pytest.mark.parametrize("how", MORE_PUT_BACK)
def test_every_condition_on_what_is_put_back_is_seen_by_its_rule(
    long_paper: Paper, tmp_path: Path, how: str
) -> None:
    rule, forge = MORE_PUT_BACK[how]
    position = forge(long_paper)
    report = audit_of(long_paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [(rule, position)]


def test_the_same_ledger_unforged_holds_and_every_rule_was_applied_or_has_nothing_to_look_at(
    long_paper: Paper, tmp_path: Path
) -> None:
    report = audit_of(long_paper, tmp_path)
    assert report.passed, report.text()
    assert report.gaps == ()
    applied = {one.rule for one in report.rules if one.checked}
    absent = {"seals", "erasures", "audits", "exports", "refusals", "clocks", "memory", "witnesses"}
    absent |= {"drills", "accounts", "seals.due", "refusals.due", "authority.changes"}
    absent |= {"authority.credentials", "accesses.due", "accesses", "reads", "authority.claims"}
    absent |= {"meanings.standard", "refusals.rows", "corrections.present", "corrections.alike"}
    absent |= {"corrections.newest", "policies.steps", "policies.terms", "reviews.due"}
    absent |= {"benchmarks", "reviews.signed", "plans.due", "recipes.drafted", "recipes.steps"}
    assert set(RULES) - applied <= absent


def test_every_rule_has_a_forgery() -> None:
    assert set(FORGERIES) == set(RULES)
