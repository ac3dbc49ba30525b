"""Random honest lives of a ledger: what a seed makes clients, operators and time do to a service.

`life_steps` has what can happen, each step with how often it does. `live` leads one life to its end
and audits what it left; `Lived` counts what occurred, so that a test can say what it has tested.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random  # noqa: TID251 - always from a seed
from threading import get_ident
from typing import Any, Final, TypeVar

from ledger.application.commands import Caller
from ledger.application.reads import Reading
from ledger.application.refusals import RefusedCall
from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.audit.report import Report
from ledger.chain.cosignature import CosigningKey
from ledger.chain.note import parse as parse_note
from ledger.chain.policy import WitnessPolicy, parse_policy
from ledger.errors import LedgerError, Reason
from ledger.events.access import ACCESS_KINDS
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.values import SECOND
from ledger.storage.records import AppendRequest
from tests.support.stepped import SteppedWorld
from tests.support.world import DAY, HOUR, ORIGIN, request

T = TypeVar("T")

# What a step may be refused for; anything else is a defect.
EXPECTED: Final = frozenset(
    {
        Reason.ALREADY_EXISTS,
        Reason.APPROVAL_MISSING,
        Reason.AUTHORITY_REFUSED,
        Reason.BODY_ERASED,
        Reason.BODY_PERMANENT,
        Reason.BUDGET_EXHAUSTED,
        Reason.BUDGET_REFUSED,
        Reason.BUDGET_UNKNOWN,
        Reason.CASE_NOT_OPEN,
        Reason.CLOCK_AHEAD,
        Reason.FIELD_INVALID,
        Reason.GOVERNANCE_REFUSED,
        Reason.JOB_REFUSED,
        Reason.KEY_UNKNOWN,
        Reason.LEASE_LOST,
        Reason.MEANING_PINNED,
        Reason.MODEL_NOT_DEPLOYED,
        Reason.MODEL_RETIRED,
        Reason.MODEL_UNKNOWN,
        Reason.POLICY_INVALID,
        Reason.POLICY_NOT_IN_FORCE,
        Reason.POLICY_UNKNOWN,
        Reason.POSITION_BEYOND_HEAD,
        Reason.SIGNAL_UNKNOWN,
        Reason.SHADOW_REFUSED,
        Reason.VERSION_CONFLICT,
    }
)
SECONDS_OF: Final = {
    "checkpoints__seconds": (0.0, 60.0, 1_800.0),
    "seals__seconds": (0.0, 21_600.0, 86_400.0),
    "refusals__seconds": (0.0, 60.0, 600.0),
}


WITNESS: Final = CosigningKey("witness.example.com", bytes(range(1, 33)))


class KilledError(BaseException):
    """The server was killed: it is no error that anything in it could catch."""


@dataclass(slots=True)
class Lived:
    """What occurred, over one life or many: steps, events, scores of each kind, audit rules."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def add(self, other: "Lived") -> None:
        """Count another's too."""
        self.counts += other.counts
        self.findings += other.findings


class Life:
    """One life: a server on a file, its clients, and all that they remember."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed = seed
        self.chance = Random(seed)
        self.clock_kind = "wall" if seed % 2 else "data"
        settings: dict[str, Any] = {
            name: self.any_of(seconds) for name, seconds in SECONDS_OF.items()
        }
        settings["accounts__seconds"] = (600.0, 0.0, 3_600.0)[seed % 3]
        settings["access__seconds"] = (0.0, 60.0, 600.0)[seed // 3 % 3]
        settings["access__recorded"] = (ACCESS_KINDS, ACCESS_KINDS[:2])[seed // 2 % 2]
        self.world = SteppedWorld(
            folder / "ledger.db", self.chance.getrandbits(32), clock=self.clock_kind, **settings
        )
        self.counts = Counter[str]()
        self.before_calls: list[Callable[[Life], None]] = []
        """Each is done before every step and after a wait, as a server's before every call."""
        self.is_witnessed = seed % 4 >= 2
        """Whether a witness cosigns at the true time; then the machine's clock is right, too."""
        self.sent: list[tuple[Caller, Sequence[Any]]] = []
        self.drafts: list[tuple[str, int]] = []
        self.directions = {"loss": "higher_is_worse", "drift": "higher_is_worse"}
        self.leapt = 0
        """How far the data of a `data` ledger have leapt ahead of time."""
        self.displaced = 0
        """How far the machine's clock is from the true time."""

    # ---- drawing ---------------------------------------------------------------------------------

    def any_of(self, choices: Sequence[T]) -> T:
        """Draw one."""
        return self.chance.choice(choices)

    def happens(self, share: float) -> bool:
        """Whether something happens that does so in this share of cases."""
        return self.chance.random() < share

    def a_model(self) -> str:
        """Draw a model that is served."""
        names: list[str] = [one.name for one in self.models()]
        return self.any_of(names or ["none"])

    def models(self) -> list[Any]:
        """Return the models that are not retired."""
        self.world.ledger.fleet.refresh()
        return [one for one in self.world.ledger.fleet.models() if not one.model.retired]

    def caller(self, actor: str) -> Caller:
        """Return a caller, with a request id of its own in half of the cases."""
        if self.happens(0.5):
            return Caller(actor)
        name = f"r{self.chance.getrandbits(48)}"
        return request(name, name, actor)

    @property
    def now(self) -> int:
        """The time of what is observed now."""
        return self.world.true_time + self.leapt

    # ---- living ----------------------------------------------------------------------------------

    def wait(self, micros: int) -> None:
        """Let time pass."""
        self.world.pass_time(micros)
        self.prepare()

    def prepare(self) -> None:
        """Do what a server does before every call."""
        for prepare in self.before_calls:
            prepare(self)

    def do(self, name: str, step: Callable[["Life"], None]) -> None:
        """Take a step: carried out, refused as it may be, or ended by a kill."""
        self.read(name)
        try:
            self.prepare()
            step(self)
        except LedgerError as error:
            if error.reason not in EXPECTED:
                raise
            self.refused(name, error.reason)
        except KilledError:
            self.counts["killed in the middle"] += 1
            self.world.kill()
            self.begin_again()
        else:
            self.counts[f"step {name}"] += 1

    def read(self, name: str) -> None:
        """Note that all events were read before a step, as the front of a server does."""
        head = self.world.head
        self.world.service.note_read(
            "",
            Reading(
                "users/ana",
                "ListEvents",
                "192.0.2.7",
                name,
                kind="events",
                first_position=1,
                last_position=head,
                events=head,
            ),
        )

    def refused(self, name: str, reason: Reason) -> None:
        """Count a refusal, as the front of a server does."""
        self.counts[f"refused {reason}"] += 1
        call = RefusedCall("users/ana", name, reason, "192.0.2.7")
        self.world.service.count_refusal("", call)

    def kill_at(self, append: int, *, is_written: bool) -> None:
        """Have the server killed at the so-manieth append from here, right before it or after."""
        requests: Any = self.world.store.requests
        usual, left, thread = requests.submit, [append], get_ident()

        def submit(asked: AppendRequest) -> Any:  # noqa: ANN401 - a future
            if get_ident() != thread:
                return usual(asked)
            left[0] -= 1
            if left[0] == 0 and is_written:
                usual(asked).exception()
            if left[0] <= 0:
                raise KilledError
            return usual(asked)

        requests.submit = submit

    def end(self) -> None:
        """End the server, by its operator or by a kill."""
        try:
            if self.happens(0.2):
                self.world.kill()
            else:
                self.world.close()
        except KilledError:
            self.world.kill()

    def begin_again(self) -> None:
        """Be away for a while, then start the server again, perhaps one that does not evaluate."""
        self.world.clock.advance(self.any_of((1_000_000, 60_000_000, HOUR, 9 * HOUR, 3 * DAY)))
        if self.happens(0.2):
            self.displace(-self.displaced or self.any_of((-2, 2, 20)) * HOUR)
        self.world.settings["service__evaluate"] = evaluates = self.happens(0.8)
        self.counts[f"evaluation {'on' if evaluates else 'off'}"] += 1
        self.world.start()

    def cosign(self) -> None:
        """Have the head signed, and cosigned by the witness a few seconds later."""
        if not self.is_witnessed:
            return
        signed = self.world.ledger.attestation.checkpoints.sign()
        self.wait(self.any_of((0, 2, 30)) * SECOND)
        text = parse_note(signed.note.encode()).text
        line = WITNESS.cosign(text, self.world.true_time // SECOND)
        self.world.store.proofs.add_cosignature(
            ORIGIN, signed.size, line.name, line.key_id, line.line()
        )

    def policy(self) -> WitnessPolicy | None:
        """Return what an auditor asks of a witnessed ledger: one of its keys, and the witness."""
        if not self.is_witnessed:
            return None
        keys = self.world.ledger.attestation.keys.keys().records
        lines = [f"log {one.span.vkey}" for one in keys]
        lines += [f"witness w {WITNESS.cosigner_key}", "quorum w", ""]
        return parse_policy("\n".join(lines).encode())

    def displace(self, micros: int) -> None:
        """Set the machine's clock by so much."""
        if self.is_witnessed:
            return
        self.world.clock.step(micros)
        self.displaced += micros


def live(folder: Path, seed: int, steps: "Steps", count: int) -> tuple[Life, Report]:
    """Lead the life of a seed, end it, and audit it whole."""
    life = Life(folder, seed)
    names, weights = list(steps), [weight for weight, _ in steps.values()]
    steps["begin"][1](life)
    for name in life.chance.choices(names, weights, k=count):
        life.do(name, steps[name][1])
    if life.happens(0.5):
        life.do("settle", lambda life: life.world.settle())
    before = life.counts["step cosign"]
    life.do("cosign", Life.cosign)
    if life.counts["step cosign"] == before:  # a kill that was to come came here
        life.do("cosign", Life.cosign)
    policy = life.policy()
    life.end()
    return life, audit(life, policy)


Steps = dict[str, tuple[float, Callable[[Life], None]]]


def audit(life: Life, policy: WitnessPolicy | None) -> Report:
    """Audit what a life left, and count in it what occurred."""
    source = DatabaseSource(str(life.world.path))
    try:
        report = Audit(source, "test", policy=policy, cores=1).run()
        rows = list(source.rows(0, source.size))
    finally:
        source.close()
    counts = life.counts
    counts.update(f"event {row[3]}" for row in rows)
    counts.update(f"rule {one.rule}" for one in report.rules if one.checked)
    counts["erased"] += report.erased
    counts[f"clock {life.clock_kind}"] += 1
    for row in rows:
        if row[3] in {ScoreComputed.TYPE, *DECISION_TYPES} and row[5] is not None:
            count_derived(counts, bytes(row[5]).decode(), row[3])
    return report


def count_derived(counts: Counter[str], body: str, type_: str) -> None:
    """Count how a score or decision came about."""
    kind = "score" if type_ == ScoreComputed.TYPE else "decision"
    for trigger in ("ingest", "schedule", "request"):
        counts[f"{kind} {trigger}"] += f'"trigger":"{trigger}"' in body
    counts[f"{kind} historical"] += '"historical":true' in body
    counts[f"{kind} by rules/1"] += '"procedure":"rules/1"' in body
    counts[f"{kind} by rules/2"] += '"procedure":"rules/2"' in body
    counts[f"{kind} overridden"] += '"overridden":{' in body
