"""Jobs over the wire, as people and executors call: a recipe with every gate, and lives of jobs.

The ledger's clock is `data`, so a test says what time it is: by an observation.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ledger.application.authority.authority import CredentialUse
from ledger.application.commands import Caller
from ledger.application.ledger import LedgerApplication
from ledger.client import LedgerClient
from ledger.client.jobs import (
    ChangedJob,
    JobEnvironment,
    ReportedEvidence,
    ReportedGate,
    RetrainingJob,
)
from ledger.events.authority import (
    ACTIONS,
    ActorRegistered,
    AdministratorNamed,
    GrantScopePart,
    RoleDefined,
    RoleGranted,
)
from tests.support.live_fleet import START, furnish

ANA, BOB = "users/ana", "users/bob"
ONE, TWO = "services/worker-1", "services/worker-2"
UNIT: Final = 1_000_000
REFILL: Final = 12 * UNIT
TESTS_REFILL: Final = 3 * UNIT
LEASE: Final = timedelta(hours=1)
WINDOW: Final = timedelta(hours=2)
MODELS: Final = ("fares", "hotels")
GATES: Final = ("data_integrity", "representativeness", "candidate", "training", "holdout")

_GATE: Final = """\
  - gate: {gate}
    metrics:
      - {{name: loss, unit: nano, meaning: How wrong it is.}}
    criteria:
      - {{name: good, when: 'metrics["loss"] < 100', rationale: It has to be.}}
"""
_CANDIDATE: Final = """\
  - gate: candidate
    metrics:
      - {name: loss, unit: nano, meaning: How wrong it is., of: versions}
    criteria:
      - {name: better, when: 'candidate["loss"] < champion["loss"]', rationale: It has to be.}
"""
_HEAD: Final = """\
format: recipe/1
title: Every gate
rationale: Each is passed by a loss below 100.
run:
  argv: [python, -m, retrain]
expected: {cost: 5, test: 1, unit: EUR, duration: 10m}
limits: {time: 1h, memory: 1 GiB, attempts: 3, lease: 1h, heartbeat: 10m}
gates:
"""


def recipe(*, is_approved: bool) -> str:
    """Return a recipe with every gate, the one for approvals only if there are to be some."""
    parts = [_HEAD]
    for gate in GATES:
        parts.append(_CANDIDATE if gate == "candidate" else _GATE.format(gate=gate))
        if gate == "holdout":
            parts.append("    holdout: {name: spring, max_uses: 100}\n")
    if is_approved:
        parts.append("  - gate: approval\n    approvals: [{role: model-owner, count: 1}]\n")
    parts.append("  - gate: deployment\n")
    parts.append(_GATE.format(gate="observation") + "    window: 2h\n")
    return "".join(parts)


def furnish_jobs(client: LedgerClient, other: LedgerClient, models: tuple[str, ...]) -> None:
    """Prepare a ledger with models, a budget for them, and two approved recipes."""
    furnish(client, models)
    client.set_budget(
        "main", unit="EUR", period=timedelta(days=28), refill_micros=REFILL,
        tests_refill_micros=TESTS_REFILL,
    )  # fmt: skip
    for name, is_approved in (("approved", True), ("plain", False)):
        drafted = client.draft_recipe(name, recipe(is_approved=is_approved), "because")
        other.approve_recipe(name, drafted.version.version, drafted.version.digest)


def staff(ledger: LedgerApplication) -> None:
    """Name an administrator, by whom all others may do everything, and Bob owns the models."""
    changes = ledger.authority_changes
    root, everywhere = Caller("users/root"), GrantScopePart(labels={}, models=[], signals=[])
    first = AdministratorNamed(actor=root.actor, person="root", identities=[], reason="It begins.")
    changes.record(Caller("system/operator"), "NameAdministrator", first)
    by_name = CredentialUse(root.actor, "development", "", root.actor, "", "127.0.0.1")
    ledger.authority.note_use(by_name, None)
    role = RoleDefined(role="everything", actions=sorted(ACTIONS), meaning="All.", proposal=None)
    changes.record(root, RoleDefined.METHOD, role)
    for actor in (ANA, BOB, ONE, TWO):
        person = ActorRegistered(actor=actor, person=actor.rpartition("/")[2], meaning="")
        changes.record(root, ActorRegistered.METHOD, person)
        for name in ("everything", "model-owner"):
            granted = RoleGranted(
                actor=actor, role=name, scope=everywhere, expires_at=None, reason="x", proposal=None
            )
            changes.record(root, RoleGranted.METHOD, granted)


def named(model: str, job: str) -> str:
    return f"models/{model}/jobs/{job}"


def approve(client: LedgerClient, job: str, *, request_id: str = "") -> ChangedJob:
    """Approve a job for the evidence that is the newest."""
    seen = client.get_job(job).job.evidence_position
    return client.approve_job(job, seen, request_id=request_id or None)


def token_of(leased: ChangedJob) -> int:
    assert leased.job.lease is not None
    return leased.job.lease.token


def report(
    client: LedgerClient, job: str, token: int, gate: str, *, loss: int = 1, request_id: str = ""
) -> ReportedGate:
    """Report a gate; each costs 10 cents, so that what a job has cost says how far it came."""
    done = (*GATES, "observation").index(gate) + 1
    cost = done * UNIT // 10
    evidence = ReportedEvidence(metrics={"loss": loss}, cost_micros=cost)
    if gate == "candidate":
        evidence = ReportedEvidence(
            champion={"loss": 100}, candidate={"loss": loss}, cost_micros=cost
        )
    return client.report_gate(job, token, gate, evidence, request_id=request_id or None)


def record_environment(
    client: LedgerClient, job: str, token: int, *, request_id: str = ""
) -> ChangedJob:
    """Record in which environment the training ran: its report is not taken before."""
    environment = JobEnvironment(
        code_sha256="ab" * 32, interpreter="CPython 3.11.7", platform="Linux", packages=3,
        packages_sha256="cd" * 32, schema_version="3", seed=7,
    )  # fmt: skip
    return client.record_environment(
        job, token, "training", environment, request_id=request_id or None
    )


def deploy(
    client: LedgerClient, job: str, token: int, *, request_id: str = "", at: datetime = START
) -> ReportedGate:
    """Deploy a version that is named after the job."""
    return client.deploy_job_version(
        job,
        token,
        f"of-{job.rpartition('/')[2]}",
        in_service_at=at,
        trained_through=START,
        baseline_loss="0.3",
        request_id=request_id or None,
    )


def take_back(
    client: LedgerClient, job: str, token: int, *, request_id: str = "", at: datetime = START
) -> ChangedJob:
    return client.roll_back_job(job, token, in_service_at=at, request_id=request_id or None)


def now_of(client: LedgerClient) -> datetime:
    """Return the time of the ledger's newest event."""
    return client.get_ledger().head_recorded_at or START


def let_pass(client: LedgerClient, until: timedelta, *, request_id: str = "") -> None:
    """Make it so long after START, by an observation."""
    row = ("fares", "log-loss", 0.4, START + until, "v1", 100)
    client.submit([row], request_id=request_id or None)


# ---- lives ---------------------------------------------------------------------------------------


class Step(NamedTuple):
    """One step of a life: who calls, and what; the tokens of jobs are remembered between."""

    actor: str
    do: Callable[[LedgerClient, dict[str, int], str], object]
    """Called with a client, the tokens so far, and the request id."""
    is_of_job: bool = True
    """Whether it appends to a job; what is awaited the governor has appended."""


class Life:
    """The steps of one job from its proposal to its end, and on the way its time."""

    def __init__(self, model: str = "fares", job: str = "j1", recipe: str = "approved") -> None:
        self.name = named(model, job)
        self.steps: list[Step] = []
        self._now = timedelta()
        self._model, self._job, self._recipe = model, job, recipe

    def _add(
        self, actor: str, do: Callable[[LedgerClient, int, str], object], *, of_job: bool = True
    ) -> "Life":
        self.steps.append(Step(actor, lambda c, t, r: do(c, t.get(self.name, 0), r), of_job))
        return self

    def proposed(self) -> "Life":
        self._add(
            ANA,
            lambda c, _, r: c.propose_job(
                self._model, self._recipe, reason="it got worse", job_id=self._job, request_id=r
            ),
        )
        return self.approved()

    def approved(self) -> "Life":
        return self._add(BOB, lambda c, _, r: approve(c, self.name, request_id=r))

    def cancelled(self) -> "Life":
        return self._add(BOB, lambda c, _, r: c.cancel_job(self.name, "no", request_id=r))

    def leased(self, actor: str = ONE) -> "Life":
        def do(client: LedgerClient, tokens: dict[str, int], request_id: str) -> None:
            tokens[self.name] = token_of(client.lease_job(self.name, request_id=request_id))

        self.steps.append(Step(actor, do))
        return self

    def kept(self) -> "Life":
        """Have half of the lease pass, and a heartbeat make it longer."""
        self.passes(LEASE / 2)
        return self._add(ONE, lambda c, t, r: c.heartbeat_job(self.name, t, request_id=r))

    def given_up(self, actor: str = ONE) -> "Life":
        return self._add(
            actor, lambda c, t, r: c.give_up_job(self.name, t, "no disk", request_id=r)
        )

    def reported(self, *gates: str, actor: str = ONE, loss: int = 1) -> "Life":
        for one in gates:
            if one == "training":
                self._add(actor, lambda c, t, r: record_environment(c, self.name, t, request_id=r))
            self._add(
                actor,
                lambda c, t, r, g=one: report(c, self.name, t, g, loss=loss, request_id=r),  # type: ignore[misc]
            )
        return self

    def deployed(self) -> "Life":
        at = START + self._now
        return self._add(ONE, lambda c, t, r: deploy(c, self.name, t, request_id=r, at=at))

    def taken_back(self, actor: str) -> "Life":
        at = START + self._now
        return self._add(actor, lambda c, t, r: take_back(c, self.name, t, request_id=r, at=at))

    def passes(self, span: timedelta) -> "Life":
        self._now += span
        now = self._now
        return self._add(ANA, lambda c, _, r: let_pass(c, now, request_id=r), of_job=False)

    def governed(self, span: timedelta, state: str) -> "Life":
        """Have time pass, by which the governor brings the job into a state."""
        return self.passes(span).awaited(lambda job: job.state == state)

    def awaited(self, is_so: Callable[[RetrainingJob], bool]) -> "Life":
        """Wait until the governor has recorded something of the job."""

        def wait(client: LedgerClient, _: int, __: str) -> None:
            while not is_so(client.get_job(self.name).job):
                pass

        return self._add(ANA, wait)

    def replaced(self) -> "Life":
        """Have a person deploy another version by hand, and the governor end the job by that."""

        at = START + self._now

        def deploy_by_hand(client: LedgerClient, _: int, request_id: str) -> None:
            client.record_deployment(
                self._model, "by-hand", in_service_at=at, trained_through=START,
                baseline_loss="0.3", request_id=request_id,
            )  # fmt: skip

        self._add(ANA, deploy_by_hand, of_job=False)
        return self.awaited(lambda job: job.outcome == "LAPSED")

    def up_to_service(self) -> "Life":
        """Take it through every gate and an approval into service, by two leases."""
        self.proposed().leased().kept().reported(*GATES)
        return self.approved().leased().deployed()


LIVES: Final[dict[str, Callable[[], Life]]] = {
    "it is taken back": lambda: (
        Life()
        .up_to_service()
        .reported("observation", loss=500)
        .governed(WINDOW, "ROLLING_BACK")
        .leased(TWO)
        .taken_back(TWO)
    ),
    "none takes it back for long": lambda: (
        Life()
        .up_to_service()
        .cancelled()
        .passes(LEASE)
        .awaited(lambda job: job.is_return_overdue)
        .leased(TWO)
        .taken_back(TWO)
    ),
    "it is replaced while it is observed": lambda: Life().up_to_service().replaced(),
    "it is replaced while it is taken back": lambda: (
        Life()
        .up_to_service()
        .reported("observation", loss=500)
        .governed(WINDOW, "ROLLING_BACK")
        .leased(TWO)
        .replaced()
    ),
    "it succeeds": lambda: (
        Life().up_to_service().reported("observation").governed(WINDOW, "CLOSED")
    ),
    "a lease is lost, a gate failed": lambda: (
        Life()
        .proposed()
        .leased()
        .reported("data_integrity")
        .governed(LEASE, "READY")
        .leased(TWO)
        .reported("representativeness", actor=TWO)
        .reported("candidate", actor=TWO, loss=500)
    ),
    "every attempt is lost": lambda: (
        Life()
        .proposed()
        .leased()
        .governed(LEASE, "READY")
        .leased(TWO)
        .governed(LEASE, "READY")
        .leased()
        .governed(LEASE, "CLOSED")
    ),
    "it is given up": lambda: (
        Life()
        .proposed()
        .leased()
        .reported("data_integrity")
        .given_up()
        .leased(TWO)
        .given_up(TWO)
        .leased()
        .given_up()
    ),
    "it is cancelled": lambda: Life().proposed().leased().reported("data_integrity").cancelled(),
}
