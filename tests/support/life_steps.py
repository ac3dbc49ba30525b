"""What can happen in an honest life of a ledger: each a step, with how often it is taken."""

from collections.abc import Callable
from typing import Any, Final

from ledger.application.exports.jobs import ExportRequest
from ledger.application.fleet.definitions import Replacement
from ledger.events.policies import ScopePart
from ledger.events.policy_document import Action
from ledger.events.registry import BY_TYPE
from ledger.events.signals import OBSERVED_TYPES, SignalDefined
from tests.support.audits import audit_event, drill_event
from tests.support.hooks import join_export
from tests.support.life_authority import begin_authority
from tests.support.life_governance import (
    a_policy,
    answer,
    begin_cases,
    begin_governance,
    govern_policy,
)
from tests.support.life_jobs import JOB_STEPS, begin_jobs
from tests.support.life_recipes import begin_recipes
from tests.support.life_shadows import begin_shadow, begin_shadows, end_shadow
from tests.support.life_signals import adopt_standard, correct, observe_nonsense
from tests.support.lives import Life, Steps
from tests.support.world import (
    ANA,
    DAY,
    EVERYWHERE,
    HOUR,
    START,
    Row,
    defined,
    registered,
)

NAMES: Final = ("m1", "m2", "m3", "m4")
VERSIONS: Final = ("v1", "v2", "v3")
TRAINED: Final = {"v1": START, "v2": START - 3 * DAY, "v3": START - DAY}
POLICIES: Final = ("main", "own", "east")
SCOPES: Final = (
    EVERYWHERE,
    EVERYWHERE,
    ScopePart(kind="labels", model=None, labels={"region": "east"}),
    ScopePart(kind="labels", model=None, labels={"tier": "high"}),
    ScopePart(kind="model", model="m1", labels={}),
    ScopePart(kind="model", model="m2", labels={}),
)
KEPT: Final = frozenset(type_ for type_, cls in BY_TYPE.items() if cls.KEEPS_BODY)
STEPS: Final[Steps] = {}


def step(weight: float) -> Callable[[Callable[[Life], None]], Callable[[Life], None]]:
    """Register a step under its function's name; `weight` is how often it is taken."""

    def register(function: Callable[[Life], None]) -> Callable[[Life], None]:
        STEPS[function.__name__] = weight, function
        return function

    return register


# ---- the fleet and its policies ------------------------------------------------------------------


@step(0)
def begin(life: Life) -> None:
    """Define two signals, put two models into service, and bring a policy into force."""
    for signal in ("loss", "drift"):
        life.world.ledger.definitions.define(ANA, defined(signal))
    for model in NAMES[:2]:
        life.world.register(model)
        life.world.deploy(model, "v1", through=TRAINED["v1"])
    life.world.activate(a_policy(life))
    if life.seed % 3 == 1:
        begin_authority(life)


def begin_governed(life: Life) -> None:
    """Begin, and do once what few lives do by chance.

    Where there is authority, each step of a policy's life; in as many others, people are asked,
    policies run in shadow, and recipes come and go; in the rest jobs end in every way.
    """
    begin(life)
    begin_jobs(life)
    if life.seed % 3 == 1:
        begin_governance(life)
    elif life.seed % 3 == 2:
        begin_cases(life)
        begin_shadows(life)
        begin_recipes(life)


@step(1.5)
def register(life: Life) -> None:
    model = life.any_of(NAMES)
    life.world.ledger.commands.register_model(life.caller("users/ana"), registered(model))
    life.world.deploy(model, "v1", at=life.now, through=TRAINED["v1"])


@step(3)
def deploy(life: Life) -> None:
    version = life.any_of(VERSIONS)
    hours = life.any_of((0, 0, 0, -1, -30, -200))
    at = max(TRAINED[version], life.now + hours * HOUR)
    life.world.deploy(life.a_model(), version, at=at, through=TRAINED[version])


@step(2)
def describe(life: Life) -> None:
    changes: dict[str, Any] = {
        "labels": {"region": life.any_of(("east", "west"))},
        "impact_ppm": life.any_of((0, 900_000)),
        "slo_signal": life.any_of((None, "drift")),
        "tier": life.any_of(("high", "low")),
    }
    life.world.update(life.a_model(), **changes)


@step(0.7)
def retire(life: Life) -> None:
    life.world.ledger.commands.retire_model(ANA, life.a_model(), "replaced")


@step(1)
def draft(life: Life) -> None:
    policy = life.any_of(POLICIES)
    drafted = life.world.draft(a_policy(life), policy)
    life.drafts.append((policy, drafted.version))


@step(1.5)
def activate_draft(life: Life) -> None:
    """Bring a version into force that was drafted some time ago, or was in force before."""
    policy, version = life.any_of(life.drafts or [("main", 1)])
    activate = life.world.ledger.commands.activate_policy
    activate(life.caller("users/ana"), policy, version, "", life.any_of(SCOPES), "again")


@step(2)
def replace_policy(life: Life) -> None:
    life.world.activate(a_policy(life), policy=life.any_of(POLICIES), scope=life.any_of(SCOPES))


@step(1)
def reword_signal(life: Life) -> None:
    words = {"meaning": f"said better, {life.chance.random()}"}
    life.world.ledger.definitions.define(
        ANA, signal_of(life, life.any_of(("loss", "drift")), words), owner="team-fleet"
    )


@step(3)
def redefine_signal(life: Life) -> None:
    """Change what a signal means, with each policy in force that reads it."""
    signal, definitions = life.any_of(("loss", "drift")), life.world.ledger.definitions
    before = life.directions[signal]
    direction = life.any_of(("higher_is_worse", "lower_is_worse"))
    changes = {"direction": direction, "unit": life.any_of(("nats", "bits"))}
    life.directions[signal] = direction
    replacements = [
        Replacement(use.policy, use.version, a_policy(life), "it is another measure now")
        for use in definitions.usage.uses(signal, life.world.head)
    ]
    try:
        definitions.define(life.caller("users/ana"), signal_of(life, signal, changes), replacements)
    except BaseException:
        life.directions[signal] = before
        raise


def signal_of(life: Life, signal: str, changes: dict[str, str]) -> SignalDefined:
    known = {"direction": life.directions[signal]}
    return defined(signal).model_copy(update=known | changes)


# ---- observations --------------------------------------------------------------------------------


@step(4)
def observe(life: Life) -> None:
    """Send a batch: on time, late, out of order, of other versions, repeated within itself."""
    rows = [a_row(life) for _ in range(life.any_of((1, 1, 3, 20)))]
    send(life, rows)


@step(1)
def repeat(life: Life) -> None:
    """Send a request once more, with the id it had."""
    if not life.sent:
        return
    caller, rows = life.any_of(life.sent)
    life.world.ledger.intake.submit(caller, rows).result()


@step(1)
def leave_out_repeats(life: Life) -> None:
    """Send what is there already under another id, to be left out."""
    rows = life.any_of(life.sent)[1] if life.sent else [a_row(life)]
    submit = life.world.ledger.intake.submit
    submit(life.caller("services/a"), rows, leave_out_duplicates=True).result()


@step(8)
def turn(life: Life) -> None:
    """Let time pass, observe every model, and let the evaluator see it."""
    life.wait(life.any_of((HOUR, 7 * HOUR, 26 * HOUR, 50 * HOUR)))
    value = life.any_of((0.0, 0.4, 0.7, 1.0, 1.4))
    send(life, [(one.name, "loss", "", value, life.now, 100) for one in life.models()])
    life.world.settle()


@step(0.5)
def leap(life: Life) -> None:
    """Go on with data of a later month, where the data are the clock."""
    if life.clock_kind == "data":
        life.leapt += 40 * DAY
        caller = ANA.__class__("services/a", may_leap=True)
        life.world.observe((life.a_model(), "loss", "", 0.5, life.now, 10), caller=caller)


def a_row(life: Life) -> Row:
    hours = life.any_of((0, 0, 0, -1, -5, -24, -120))
    micros = life.any_of((0, 0, 1, 100_000_000, -7))
    return (
        life.a_model(),
        life.any_of(("loss", "loss", "drift")),
        life.any_of(("", "", "", *VERSIONS)),
        life.any_of((0.0, 0.4, 0.7, 1.0, 1.4, -5.0)),
        life.now + hours * HOUR + micros,
        life.any_of((1, 50, 10_000)),
    )


def send(life: Life, rows: list[Row]) -> None:
    caller = life.caller(f"services/{life.any_of('abc')}")
    life.world.ledger.intake.submit(caller, rows).result()
    if caller.request_id is not None:
        life.sent.append((caller, rows))


step(0.5)(adopt_standard)
step(2)(correct)
STEPS.update(JOB_STEPS)
step(3)(begin_shadow)
step(1)(end_shadow)
step(0.5)(observe_nonsense)


# ---- time and the server -------------------------------------------------------------------------


@step(2)
def wait(life: Life) -> None:
    life.wait(life.any_of((60_000_000, HOUR, 13 * HOUR, 30 * HOUR, 80 * HOUR)))


@step(2)
def settle(life: Life) -> None:
    life.world.settle()


@step(1)
def stop_and_start(life: Life) -> None:
    life.world.close()
    life.begin_again()


@step(1)
def kill_and_start(life: Life) -> None:
    life.world.kill()
    life.begin_again()


@step(1.5)
def kill_in_the_middle(life: Life) -> None:
    """Have the server killed by what comes next."""
    life.kill_at(life.any_of((1, 2, 3)), is_written=life.happens(0.5))


@step(3)
def set_clock(life: Life) -> None:
    """Set the clock wrong, or right again, until it is noticed: confirmed, or set as it was."""
    before = life.displaced
    wrong = life.any_of((-2 * HOUR, 2 * HOUR, 30 * HOUR, 600_000_000, 7_000_000))
    life.displace(-before or wrong)
    if life.happens(0.7):
        life.do("observe", observe)
    life.wait(life.any_of((1_000_000, 60_000_000)))
    if life.happens(0.3):
        life.displace(before - life.displaced)
    life.do("confirm_clock", confirm_clock)


@step(1)
def confirm_clock(life: Life) -> None:
    life.world.ledger.clocks.confirm(life.caller("users/ana"), "it is right")


# ---- asking --------------------------------------------------------------------------------------


@step(2)
def evaluate(life: Life) -> None:
    models = sorted({life.a_model(), life.a_model()})
    life.world.ledger.decisions.evaluate(life.caller("users/ana"), models, None)


@step(1.5)
def evaluate_the_past(life: Life) -> None:
    at = life.now - life.any_of((1, HOUR, 30 * HOUR, 100 * HOUR))
    life.world.ledger.decisions.evaluate(life.caller("users/ana"), [life.a_model()], at)


@step(1.5)
def override(life: Life) -> None:
    actions: tuple[Action, ...] = ("INVESTIGATE", "NO_ACTION", "SCHEDULE_RETRAINING")
    action = life.any_of(actions)
    written = life.world.override(life.a_model(), action, life.any_of((1, 9, 40)) * HOUR)
    life.world.moments.append(written.effective_until)


@step(1)
def plan(life: Life) -> None:
    life.world.plan(life.any_of((0, 1_000_000, 5_000_000)))


step(8)(answer)
step(6)(govern_policy)


# ---- proving -------------------------------------------------------------------------------------


@step(0.7)
def erase(life: Life) -> None:
    """Erase a few bodies: mostly observations, now and then anything that may go."""
    types = OBSERVED_TYPES if life.happens(0.8) else ()
    events = life.world.events(*types)
    found = [one.position for one in events if one.body_bytes and one.type not in KEPT]
    if found:
        life.world.erase(*{life.any_of(found) for _ in range(life.any_of((1, 3)))})


@step(1)
def seal(life: Life) -> None:
    life.world.ledger.attestation.seals.seal(life.caller("users/ana"))


@step(1)
def sign(life: Life) -> None:
    life.world.ledger.attestation.checkpoints.sign()


@step(1)
def cosign(life: Life) -> None:
    life.cosign()


@step(0.7)
def rotate(life: Life) -> None:
    life.world.ledger.attestation.keys.rotate(ANA, life.any_of((0, 0, 5, 1_000)))


@step(0.4)
def revoke(life: Life) -> None:
    keys = life.world.ledger.attestation.keys
    vkeys = [one.span.vkey for one in keys.keys().records]
    keys.revoke(ANA, life.any_of(vkeys), life.world.head + 1, "its machine was sold")


@step(0.5)
def record_audits_and_a_drill(life: Life) -> None:
    attestation, origin = life.world.ledger.attestation, life.world.ledger.info.origin
    root = attestation.prover.root_at(size := life.world.head)
    for kept in (False, True):
        audit = audit_event(origin, size, root, has_transcript=kept)
        attestation.record_audit(life.caller("users/auditor"), audit)
    held = drill_event(life.world.clock.now_micros())
    life.world.ledger.drills.record(life.caller("users/auditor"), held)


@step(0.5)
def export(life: Life) -> None:
    exports = life.world.service.exports()
    asked = life.any_of(
        (
            ExportRequest(kind="full"),
            ExportRequest(kind="range", first_position=3, last_position=12),
            ExportRequest(kind="stream", stream=f"models/{life.a_model()}"),
        )
    )
    join_export(exports, exports.create(life.caller("users/auditor"), asked).export)
