"""Governance in an honest life: policies that ask people, and the answers of those people."""

from typing import Any, Final

from ledger.application.commands import Caller
from ledger.application.policies.review_packs import PackPeriod
from ledger.application.policies.reviews import SignOff
from ledger.application.policies.steps import ChosenVersion
from ledger.events.cases import TaskOutcome
from ledger.events.policy_document import Action
from ledger.governance.lifecycle import ScopeKey
from tests.support.governed import governed
from tests.support.life_authority import EVERY_ACTION
from tests.support.lives import Life
from tests.support.world import DAY, EVERYWHERE, HOUR, policy_text, rule, signal_rule

WHOLE: Final = ScopeKey("ledger", None, ())
PEOPLE: Final = ("users/ana", "users/auditor")
OUTCOMES: Final[tuple[TaskOutcome, ...]] = (
    "cause_found", "signal_fixed", "false_alarm", "retrain_after_all",
)  # fmt: skip


def a_policy(life: Life, *, is_asking: bool = False) -> str:
    """Draw a policy that fits the signals as they are defined."""
    limits = {"higher_is_worse": (0.4, 1.4), "lower_is_worse": (1.4, 0.4)}

    def signal(name: str, **changes: object) -> dict[str, Any]:
        baseline, critical = limits[life.directions[name]]
        return signal_rule(name, baseline=baseline, critical=critical, **changes)

    signals = [signal("loss", bucket=life.any_of(("6h", "1d")))]
    if life.happens(0.5):
        needed = life.any_of((1, 2)) if life.sent else 1  # lint refuses what nobody reports
        signals.append(signal("drift", sources_needed=needed, weight=0.5))
    rules = [rule("bad", "priority >= 400000", hold="priority >= 200000")]
    if life.happens(0.7):
        looks: tuple[Action, ...] = ("INVESTIGATE", "INVESTIGATE", "ADJUST_DATA_COLLECTION")
        rules.append(rule("look", "priority >= 50000", life.any_of(looks)))
    text = policy_text(
        signals=signals,
        rules=rules,
        interval=life.any_of(("10m", "1h", "6h")),
        silence=life.any_of(("12h", "2d", "7d")),
        cool_down=life.any_of(("0h", "12h")),
        procedure=life.any_of(("rules/1", "rules/2", "rules/2")),
        max_priority_step=life.any_of((0.05, 1)),
    )
    return _perhaps_governed(life, text, is_asking=is_asking)


def _perhaps_governed(life: Life, text: str, *, is_asking: bool) -> str:
    """Return a policy's text, in most cases under format policy/2."""
    if not is_asking and ('"rules/1"' in text or life.happens(0.35)):
        return text
    text = text.replace("rules/1", "rules/2")
    ends: dict[str, Any] = {
        "investigate_within": life.any_of(("1h", "2d", "30d")),
        "adjust_within": life.any_of(("1h", "2d")),
        "review_every": life.any_of(("6h", "20d")),
    }
    first = {
        "name": "ds",
        "route": "mail",
        "acknowledge": life.any_of(("0h", "1h", "30h")),
        "next": life.any_of(("none", "on-call", "on-call")),
    }
    if life.world.ledger.authority.is_in_force and (is_asking or life.happens(0.3)):
        ends["approvals"] = [{"role": EVERY_ACTION, "count": life.any_of((1, 2))}]
    last = {"name": "on-call", "route": "phone", "acknowledge": life.any_of(("0h", "4h"))}
    return governed(text, [first, last], **ends)


def answer(life: Life) -> None:
    """Have a person answer what is open for a model, or was open a moment ago."""
    cases = life.world.ledger.cases
    found = sorted(cases.open().items())
    if not found:
        return
    model, open_ = life.any_of(found)
    escalation = open_.escalation.escalation if open_.escalation else 1
    task = min((one.task for one in open_.tasks.values()), default=1)
    caller = life.caller(life.any_of(PEOPLE))
    if open_.tasks and life.happens(0.6):
        if life.happens(0.5):
            cases.take(caller, model, task)
        if life.happens(0.6):
            cases.close(life.caller("users/ana"), model, task, life.any_of(OUTCOMES), "")
    elif life.happens(0.5):
        cases.acknowledge(caller, model, escalation, "I look at it.")
    else:
        cases.resolve(caller, model, escalation, "It is dealt with.")


def begin_governance(life: Life) -> None:
    """Bring a policy into force that asks for approvals, and take each step with the next one."""
    commands, steps = life.world.ledger.commands, life.world.ledger.policy_steps
    ana, auditor, dpo = (Caller(f"users/{name}") for name in ("ana", "auditor", "dpo"))
    life.world.see("m1", 0.5, life.now)  # so that a ledger whose clock are its data has a time
    first, second, third = (_drafted(life, "main") for _ in range(3))
    commands.activate_policy(ana, "main", first.number, "", EVERYWHERE, "the first")
    steps.submit(ana, second, EVERYWHERE, "the next")
    steps.reject(auditor, second, "not this way")
    steps.submit(ana, second, EVERYWHERE, "as it is meant")
    steps.approve(auditor, second, EVERY_ACTION, "read")
    steps.withdraw(auditor, second, "read again")
    steps.approve(auditor, second, EVERY_ACTION, "read twice")
    steps.approve(dpo, second, EVERY_ACTION, "read too")
    then = life.now + 9 * DAY
    commands.schedule_policy(ana, "main", second.number, "", EVERYWHERE, "then", then)
    steps.withdraw_schedule(ana, second, "not then")
    commands.activate_in_emergency(ana, "main", second.number, "", EVERYWHERE, "a fire")
    steps.ratify(ana, second)
    steps.retire(ana, third, "not this one")
    made = life.world.ledger.reviews.packs.pack(second.named, WHOLE, PackPeriod())
    signed = SignOff(*second.named, WHOLE, made.as_of, made.digest, "it does well")
    life.world.ledger.reviews.sign_off(auditor, signed)


def begin_cases(life: Life) -> None:
    """Ask people about three models: two are answered too late, and one is retired."""
    world, cases, ana = life.world, life.world.ledger.cases, Caller("users/ana")
    world.register("m5")
    world.deploy("m5", "v1", at=life.now)
    world.see("m1", 0.4, life.now)  # so that a ledger whose clock are its data has a time
    rules = [rule("bad", "priority >= 500000"), rule("look", "priority >= 50000", "INVESTIGATE")]
    tiers = [
        {"name": "ds", "route": "mail", "acknowledge": "1h", "next": "on-call"},
        {"name": "on-call", "route": "phone", "acknowledge": "4h"},
    ]
    ends = {"investigate_within": "1h", "adjust_within": "1h", "review_every": "1d"}
    world.activate(governed(policy_text(rules=rules), tiers, **ends))
    for value in (0.6, 0.6, 9.0):
        world.observe(
            *((name, "loss", "", value, life.now, 100_000) for name in ("m1", "m2", "m5"))
        )
        world.settle()
        if value == 0.6:
            life.wait(30 * HOUR)
    world.ledger.commands.retire_model(ana, "m5", "replaced")
    world.govern()
    for model, found in sorted(cases.open().items()):
        for task in found.tasks.values():
            cases.take(ana, model, task.task)
            cases.close(ana, model, task.task, "cause_found", "")
        if found.escalation is not None:
            cases.acknowledge(ana, model, found.escalation.escalation, "I look at it.")
            cases.resolve(ana, model, found.escalation.escalation, "It is dealt with.")


def govern_policy(life: Life) -> None:
    """Lead a version through its life: submitted, rejected, approved, in force; or roll back."""
    policy = life.any_of(("main", "own"))
    if life.happens(0.3):
        earlier = life.any_of([1, *(number for name, number in life.drafts if name == policy)])
        roll_back = life.world.ledger.commands.roll_back_policy
        roll_back(life.caller("users/ana"), policy, earlier, "", EVERYWHERE, "it was better")
        return
    steps, version = life.world.ledger.policy_steps, _drafted(life, policy)
    steps.submit(life.caller("users/ana"), version, EVERYWHERE, "go")
    if life.happens(0.6):
        steps.reject(life.caller("users/auditor"), version, "not this way")
        steps.submit(life.caller("users/ana"), version, EVERYWHERE, "as it is meant")
    steps.approve(life.caller("users/auditor"), version, EVERY_ACTION, "read")
    if life.happens(0.6):
        steps.withdraw(life.caller("users/auditor"), version, "read again")
        steps.approve(life.caller("users/auditor"), version, "", "read twice")
    if life.happens(0.6):
        steps.retire(life.caller("users/ana"), _drafted(life, policy), "not this way")
    if life.happens(0.8):
        steps.approve(life.caller("users/dpo"), version, EVERY_ACTION, "read too")
    _put_in_force(life, policy, version.number)


def _put_in_force(life: Life, policy: str, number: int) -> None:
    """Bring a version into force that has its approvals, or some: at once, later, or by then."""
    commands, steps = life.world.ledger.commands, life.world.ledger.policy_steps
    ana, version = life.caller("users/ana"), ChosenVersion(policy, number)
    way = life.any_of(
        ("activate", "activate late", "in emergency", "in emergency", "schedule", "schedule")
    )
    if way == "in emergency":
        commands.activate_in_emergency(ana, policy, number, "", EVERYWHERE, "a fire")
        if life.happens(0.9):
            steps.ratify(life.caller("users/dpo"), version)
        return
    if way == "schedule":
        commands.schedule_policy(ana, policy, number, "", EVERYWHERE, "then", life.now + DAY)
        if life.happens(0.5):
            steps.withdraw_schedule(life.caller("users/ana"), version, "not then")
        return
    if way == "activate late":
        life.wait(life.any_of((HOUR, 40 * DAY)))
    commands.activate_policy(ana, policy, number, "", EVERYWHERE, "approved")


def _drafted(life: Life, policy: str) -> ChosenVersion:
    """Draft a version that asks for approvals of the next one."""
    drafted = life.world.draft(a_policy(life, is_asking=True), policy)
    life.drafts.append((policy, drafted.version))
    return ChosenVersion(policy, drafted.version)
