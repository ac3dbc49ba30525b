"""A server, or an executor, killed at every event of a job: goal: nothing is lost, nothing doubled.

Method: a real server on loopback and the whole life of a job, told as the calls of people and
executors. The server kills itself within each append about the job, or right behind its commit, or
is killed once it has answered; it is started again, and the caller repeats its call with the same
request id. In the end every event of the job, its money and its model is what it was without kills,
and the audit finds nothing.
"""

import itertools
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from ledger.audit.database import DatabaseSource
from ledger.client import LedgerClient, LedgerRefusedError, UnreachableError
from ledger.clock import SystemClock
from ledger.errors import Reason
from ledger.events.budgets import BudgetReleased, BudgetReserved, BudgetSpent
from ledger.events.jobs import JobClosed
from ledger.events.models import ModelDeployed
from ledger.events.registry import decode_data
from ledger.storage import open_store
from tests.support.audits import audited
from tests.support.check_ledger import check_ledger
from tests.support.dying import BEHIND, WITHIN
from tests.support.executing import CALLS, ExecutorProcess
from tests.support.job_calls import (
    ANA,
    BOB,
    GATES,
    LEASE,
    LIVES,
    MODELS,
    ONE,
    REFILL,
    TESTS_REFILL,
    TWO,
    WINDOW,
    Life,
    approve,
    deploy,
    furnish_jobs,
    let_pass,
    named,
    now_of,
    record_environment,
    report,
    staff,
    take_back,
    token_of,
)
from tests.support.own_postgres import run
from tests.support.served import ORIGIN, serving
from tests.support.server_process import ServerProcess, client, until

ANSWERED: Final = "answered"
"""Killed from outside, right after each answer."""
MOMENTS: Final = (WITHIN, BEHIND, ANSWERED)
_ALWAYS: Final = {("a lease is lost, a gate failed", BEHIND), ("it is cancelled", WITHIN)}
"""These are killed in every run of the tests, all others in the slow ones."""


class Ground(NamedTuple):
    """A ledger of its own: its database, and the folder for what is beside it."""

    folder: Path
    database: str


Copy = Callable[[], Ground]
"""Makes a ledger of its own, furnished for jobs."""


def furnish(folder: Path, **settings: Any) -> None:  # noqa: ANN401 - as `quiet` takes them
    with serving(folder, **settings) as server:
        server.create()
        with server.client(actor=ANA) as one, server.client(actor=BOB) as other:
            furnish_jobs(one, other, MODELS)
        staff(server.service.ledger())


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("furnished")
    furnish(folder)
    return folder


@pytest.fixture
def copy(furnished: Path, tmp_path: Path) -> Copy:
    def fresh() -> Ground:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        shutil.copytree(furnished, folder)
        return Ground(folder, str(folder / "ledger.sqlite"))

    return fresh


@pytest.fixture
def postgres_copy(tmp_path: Path) -> Iterator[Copy]:
    """Makes the same on PostgreSQL."""
    numbers = itertools.count(1)
    with run() as postgres:
        url = postgres.create("furnished")
        furnish(tmp_path, storage__database=url, keys__secret="00" * 32)

        def fresh() -> Ground:
            name = f"copy_{next(numbers)}"
            return Ground(tmp_path, postgres.create(name, "TEMPLATE furnished"))

        yield fresh


class Killed:
    """A ledger whose server is killed at one kind of moment, again and again, while a job lives."""

    def __init__(self, ground: Ground, moment: str) -> None:
        self._ground = ground
        self._moment = moment
        self._server: ServerProcess | None = None
        self.kills = 0

    def live(self, life: Life) -> None:
        """Take every step of a life, each until it is answered."""
        tokens: dict[str, int] = {}
        self._start()
        try:
            for number, step in enumerate(life.steps):
                self._take(step.actor, lambda c: step.do(c, tokens, f"step-{number}"))  # noqa: B023
                if self._moment == ANSWERED:
                    self._kill()
        finally:
            assert self._server is not None
            self._server.kill()

    def _take(self, actor: str, do: Callable[[LedgerClient], object]) -> None:
        while True:
            assert self._server is not None
            try:
                with client(self._server.address(), actor) as caller:
                    do(caller)
            except UnreachableError:
                assert self._server.ends_within(60.0), "it was out of reach, and had not died"
                self._kill()
            else:
                return

    def _kill(self) -> None:
        assert self._server is not None
        self._server.kill()
        self.kills += 1
        self._start()

    def _start(self) -> None:
        self._server = ServerProcess(self._ground.folder / "server.log")
        dies = None
        if self._moment == BEHIND:
            dies = (BEHIND, 1)
        elif self._moment == WITHIN:  # the append that was lost comes again first
            dies = (WITHIN, 1 if not self.kills else 2)
        options = {} if dies is None else {"dies": dies}
        self._server.serve(
            self._ground.database, authentication__development=True, governs_at_once=True, **options
        )


Told = tuple[str, str, str, dict[str, Any]]
"""Stream, type, actor and data of an event."""


def told(ground: Ground) -> list[Told]:
    """Return what a ledger says of jobs, money and models, once chain and audit are whole."""
    store = open_store(ground.database, SystemClock(), read_only=True)
    events = check_ledger(store, ORIGIN)
    store.close()
    verdict = audited(DatabaseSource(ground.database))
    assert verdict.passed, verdict.text()
    found: list[Told] = []
    for one in events:
        if one.stream.startswith(("jobs/", "budgets/")) or one.type == ModelDeployed.TYPE:
            data = decode_data(one).to_data()
            for member in (
                "ended_by",
                "report",
                "seen_position",
            ):  # what else is recorded moves positions
                if (place := data.get(member)) is not None:
                    data[member] = events[place - 1].type
            found.append((one.stream, one.type, one.body.actor, data))
    return found


def check_money(events: list[Told], jobs: int = 1) -> None:
    """Fail unless each job ends once and is paid once, never with more than its budget has."""
    held: dict[tuple[str, str], int] = {}
    spent, ended = Counter[str](), Counter[str]()
    for _, type_, _, data in events:
        claim = data.get("envelope", ""), data.get("job", "")
        if type_ == BudgetReserved.TYPE:
            held[claim] = held.get(claim, 0) + int(data["amount_micros"])
        elif type_ in {BudgetSpent.TYPE, BudgetReleased.TYPE}:
            del held[claim]
            spent[claim[0]] += int(data.get("spent_micros", "0"))
        elif type_ == JobClosed.TYPE:
            ended[data["job"]] += 1
        for envelope, given in (("jobs", REFILL), ("tests", TESTS_REFILL)):
            kept = sum(micros for (of, _), micros in held.items() if of == envelope)
            assert kept + spent[envelope] <= given
    assert not held
    assert len(ended) == jobs
    assert set(ended.values()) == {1}


def moments() -> Iterator[Any]:
    for name in LIVES:
        for moment in MOMENTS:
            marks = [] if (name, moment) in _ALWAYS else [pytest.mark.slow]
            yield pytest.param(name, moment, marks=marks, id=f"{name}-{moment}")


@pytest.mark.parametrize(("name", "moment"), [*moments()])
def test_a_server_killed_at_every_event_of_a_job_loses_and_doubles_nothing(
    name: str, moment: str, copy: Copy
) -> None:
    check_killed(name, moment, copy)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("moment", MOMENTS)
def test_on_postgres_a_killed_server_loses_and_doubles_nothing_of_a_job_either(
    moment: str, postgres_copy: Copy
) -> None:
    check_killed("a lease is lost, a gate failed", moment, postgres_copy)


def check_killed(name: str, moment: str, copy: Copy) -> None:
    """Fail unless a life with kills leaves what the same life leaves without any."""
    whole, torn = copy(), copy()
    Killed(whole, "never").live(LIVES[name]())
    expected = told(whole)
    check_money(expected)
    killed = Killed(torn, moment)
    killed.live(life := LIVES[name]())
    appends = len(life.steps) if moment == ANSWERED else sum(one.is_of_job for one in life.steps)
    assert killed.kills == appends
    assert told(torn) == expected


# ---- executors -----------------------------------------------------------------------------------

JOB: Final = "models/fares/jobs/j1"


@pytest.fixture
def served(copy: Copy) -> Iterator[tuple[ServerProcess, Ground]]:
    ground = copy()
    with ServerProcess(ground.folder / "server.log") as server:
        server.serve(ground.database, authentication__development=True, governs_at_once=True)
        yield server, ground


def lost(call: Callable[[], object]) -> None:
    """Fail unless a call is refused because its lease is another one's by now."""
    with pytest.raises(LedgerRefusedError) as refused:
        call()
    assert refused.value.reason is Reason.LEASE_LOST, refused.value


def all_lost(client: LedgerClient, token: int) -> None:
    """Fail unless every kind of call of an executor is refused to a stale token."""
    lost(lambda: client.heartbeat_job(JOB, token))
    for gate in (*GATES, "observation"):
        lost(lambda: report(client, JOB, token, gate))  # noqa: B023
    lost(lambda: record_environment(client, JOB, token))
    lost(lambda: deploy(client, JOB, token))
    lost(lambda: take_back(client, JOB, token))


def killed_at() -> Iterator[Any]:
    for name in CALLS:
        for heard in ("calls", "done"):
            marks = [] if (heard, name) == ("calls", "candidate") else [pytest.mark.slow]
            yield pytest.param(f"{heard} {name}", marks=marks)


@pytest.mark.parametrize("line", [*killed_at()])
def test_the_job_of_a_killed_executor_is_finished_by_another_and_the_first_is_refused(
    line: str, served: tuple[ServerProcess, Ground], tmp_path: Path
) -> None:
    server, ground = served
    address = server.address()
    with client(address, ANA) as ana, client(address, BOB) as bob:
        ana.propose_job("fares", "plain", reason="it got worse", job_id="j1")
        approve(bob, JOB)
        with ExecutorProcess(tmp_path / "executor.log", address, ONE, JOB, 60.0) as executor:
            executor.heard(line)
            executor.kill()
        let_pass(ana, LEASE)
        waits = {"READY", "OBSERVING"}
        until(lambda: ana.get_job(JOB).job.state in waits, "another may take it")
        known = ana.get_job(JOB).job
        first = known.attempt - 1
        with client(address, ONE) as one, client(address, TWO) as two:
            if known.state == "READY":
                token = token_of(two.lease_job(JOB))
                assert token == first + 1
                for gate in GATES[known.gates_passed :]:
                    if first:
                        all_lost(one, first)
                    if gate == "training":
                        record_environment(two, JOB, token)
                    report(two, JOB, token, gate)
                deploy(two, JOB, token, at=now_of(ana))
            observer = two if known.state == "READY" else one  # it has deployed the version
            report(observer, JOB, ana.get_job(JOB).job.attempt, "observation", loss=500)
            let_pass(ana, LEASE + WINDOW)
            until(lambda: ana.get_job(JOB).job.state == "ROLLING_BACK", "its observation is over")
            token = token_of(two.lease_job(JOB))
            all_lost(one, token - 1)
            let_pass(ana, 2 * LEASE + WINDOW)
            until(lambda: ana.get_job(JOB).job.state == "ROLLING_BACK", "the lease is over")
            lost(lambda: take_back(two, JOB, token))
            last = token_of(one.lease_job(JOB))
            all_lost(two, token)
            take_back(one, JOB, last, at=now_of(ana))
            all_lost(two, token)
        assert ana.get_job(JOB).job.outcome == "ROLLED_BACK"
    server.stop()
    events = told(ground)
    check_money(events)
    kinds = Counter((type_, data.get("gate")) for _, type_, _, data in events)
    for gate in (*GATES, "deployment", "observation"):
        assert kinds["gate.judged.v1", gate] == 1
    assert kinds["job.deployed.v1", None] == kinds["job.rolled_back.v1", None] == 1


def test_a_repeated_lease_is_not_answered_with_the_token_of_another_process(
    served: tuple[ServerProcess, Ground],
) -> None:
    address = served[0].address()
    with client(address, ANA) as ana, client(address, BOB) as bob, client(address, ONE) as one:
        ana.propose_job("fares", "plain", reason="it got worse", job_id="j1")
        approve(bob, JOB)
        assert token_of(one.lease_job(JOB, request_id="first")) == 1
        assert token_of(one.lease_job(JOB, request_id="first")) == 1
        let_pass(ana, LEASE)
        until(lambda: ana.get_job(JOB).job.state == "READY", "the lease is over")
        lost(lambda: one.lease_job(JOB, request_id="first"))
        assert token_of(one.lease_job(JOB, request_id="of-another-process")) == 2
        lost(lambda: one.lease_job(JOB, request_id="first"))


@pytest.mark.parametrize("rounds", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_of_many_executors_that_lease_a_job_at_one_moment_one_is_accepted(
    rounds: int, served: tuple[ServerProcess, Ground]
) -> None:
    server, ground = served
    address = server.address()
    actors = (ONE, ONE, ONE, ONE, TWO, TWO, TWO, TWO)
    begin, reasons = threading.Barrier(len(actors)), set[Reason]()
    with ExitStack() as every, ThreadPoolExecutor(len(actors)) as threads:
        ana, bob = (every.enter_context(client(address, one)) for one in (ANA, BOB))
        callers = [every.enter_context(client(address, one)) for one in actors]

        def lease(caller: LedgerClient, name: str) -> int:
            begin.wait()
            try:
                return token_of(caller.lease_job(name))
            except LedgerRefusedError as refused:
                reasons.add(refused.reason)
                return 0

        for number in range(rounds):
            name = named("fares", f"j{number}")
            ana.propose_job("fares", "plain", reason="it got worse", job_id=f"j{number}")
            approve(bob, name)
            tokens = [*threads.map(lease, callers, [name] * len(callers))]
            assert sorted(tokens) == [0] * (len(actors) - 1) + [1]
            report(callers[tokens.index(1)], name, 1, "data_integrity")
            bob.cancel_job(name, "only its lease counted")
    server.stop()
    assert reasons == {Reason.JOB_REFUSED}
    events = told(ground)
    check_money(events, rounds)
    assert sum(type_ == "job.leased.v1" for _, type_, _, _ in events) == rounds
