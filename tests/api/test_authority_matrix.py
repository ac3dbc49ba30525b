"""The table of authority is what a server does: action, role, scope and identity, cell by cell.

Method: one server with TLS, a provider and tokens; an actor for each role in each scope. Every
method of the contract is called as each of them, by each kind of credential. A write is sent
without a deadline, which is asked for behind the gate: it is let in exactly where it is refused for
that, and no cell changes what another one meets. What is expected is made from the table, and for
some cells, apart from it, written by hand in `authority_cells.txt`.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from ledger.authority.table import ADMINISTRATOR, METHODS, ROLES
from ledger.events.authority import CredentialUsed
from ledger.v1 import model_service_pb2, signal_service_pb2
from tests.support.audits import audited
from tests.support.authorities import (
    ALLOWED,
    ANA,
    PATHS,
    Metadata,
    Team,
    bearing,
    naming,
    spiffe,
    team,
    told,
)
from tests.support.served import TIMEOUT, model_named, observation, signal_named

DENIED: Final = "ACTOR_NOT_AUTHORISED"
NOBODY: Final = "none"
TEAMS: Final = "team-role"
TEAMS_ACTIONS: Final = ("bodies.erase", "events.read", "roles.grant", "signals.submit")

SCOPES: Final[dict[str, dict[str, Any]]] = {
    "whole": {},
    "label": {"labels": {"region": "east"}},
    "model": {"models": ["fares"]},
    "signal": {"signals": ["psi"]},
    "outside": {"models": ["maps"], "signals": ["auc"]},
}
"""Every request that names a model or a signal names `fares` of region east, and `psi`."""

MODEL: Final = {
    "AcknowledgeEscalation", "ApproveJob", "CancelJob", "CloseTask", "DenyJob", "DeployJobVersion",
    "Evaluate", "ExplainAuthority", "ExplainDecision", "GetDecision", "GetJob", "GetModel",
    "GetRun", "GetRunDocument", "GiveUpJob", "HeartbeatJob", "LeaseJob", "ListBenchmarks",
    "ListDecisions", "ListEscalations", "ListJobs", "ListPutBacks", "ListSignalStates", "ListTasks",
    "OverrideDecision", "ProposeJob", "PutBackVersion", "RecordDeployment", "RegisterBenchmark",
    "RegisterModel", "ReplayDecision",
    "ReportGate", "ResolveEscalation",
    "RetireBenchmark", "RetireModel", "RollBackJob", "RollBackModel", "StreamSignals",
    "SubmitSignals", "TakeTask", "TryPolicy", "UpdateModel",
}  # fmt: skip
"""The methods whose request names a model, and below those whose request names a signal."""
SIGNAL: Final = {"DefineSignal", "StreamSignals", "SubmitSignals"}
COVERED: Final = {"label": MODEL, "model": MODEL, "signal": SIGNAL, "outside": set[str]()}

DECISION: Final = "models/fares/decisions/9"
PLACES: Final = {
    "ActivatePolicy": "policies/main/versions/1",
    "DeleteExport": "exports/none",
    "DraftPolicy": "policies/main",
    "DraftRecipe": "recipes/weekly",
    "GetExport": "exports/none",
    "GetPlan": "plans/none",
    "GetPlanOperation": "planOperations/none",
    "GetPolicy": "policies/main",
    "GetProjection": "projections/none",
    "GetRecipe": "recipes/weekly",
    "ReadExport": "exports/none",
    "RebuildProjection": "projections/none",
    **dict.fromkeys(("ExplainDecision", "GetDecision", "ReplayDecision"), DECISION),
    **dict.fromkeys(("AcknowledgeEscalation", "ResolveEscalation"), "models/fares/escalations/9"),
    **dict.fromkeys(("CloseTask", "TakeTask"), "models/fares/tasks/9"),
    **dict.fromkeys(
        (
            "ApproveJob", "CancelJob", "DenyJob", "DeployJobVersion", "GetJob", "GetRun",
            "GetRunDocument", "GiveUpJob", "HeartbeatJob", "LeaseJob", "ReportGate", "RollBackJob",
        ),
        "models/fares/jobs/j1",
    ),
    **dict.fromkeys(
        ("OverrideDecision", "PutBackVersion", "RecordDeployment", "RetireModel", "RollBackModel"),
        "models/fares",
    ),
    "GetModel": "models/fares",
}  # fmt: skip


class Cell(NamedTuple):
    """One question: may such an actor, by such a credential, make such a call?"""

    role: str
    scope: str
    identity: str
    method: str


def request_of(method: str) -> Message:
    """Return the least request of a method that names all that it can."""
    service = descriptor_pool.Default().FindServiceByName(PATHS[method].split("/")[1])
    message = GetMessageClass(service.FindMethodByName(method).input_type)()
    made: Any = message
    fields = message.DESCRIPTOR.fields_by_name
    if method in PLACES:
        made.name = PLACES[method]
    if "observations" in fields:  # without its value it is good for nothing
        made.observations.append(observation("fares", "psi", None))
    if "models" in fields:
        made.models.append("fares")
    if "parent" in fields:
        made.parent = "recipes/weekly" if method == "ListRecipes" else "models/fares"
    if "model" in fields and fields["model"].message_type is None:
        made.model = "fares"
    elif "model" in fields:
        made.model.CopyFrom(model_named("fares"))
    if "signal" in fields and fields["signal"].message_type is not None:
        made.signal.CopyFrom(signal_named("psi"))
    return message


REQUESTS: Final = {method: request_of(method) for method in PATHS}


def is_write(method: str) -> bool:
    return "request_id" in REQUESTS[method].DESCRIPTOR.fields_by_name and method != "StreamSignals"


# ---- the actors ----------------------------------------------------------------------------------


def pairs() -> list[tuple[str, str]]:
    """Return every role with every scope that it can be granted in."""
    limited = [one for one in (*ROLES, TEAMS) if one != ADMINISTRATOR]
    found = [(role, scope) for role in limited for scope in SCOPES]
    return [(NOBODY, "whole"), (ADMINISTRATOR, "whole"), *found]


def named(role: str, scope: str) -> str:
    return ANA if role == ADMINISTRATOR else f"services/{role}.{scope}"


HOLDERS: Final = [named(role, scope) for role, scope in pairs() if scope == "whole"]
STRANGER: Final = "users/stranger"


class Matrix:
    """The actors at a server, and how each of them calls."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.tokens: dict[str, str] = {}
        self.revoked: dict[str, str] = {}
        self.jwts: dict[str, str] = {}
        team.define_role(TEAMS, *TEAMS_ACTIONS)
        for number, (role, scope) in enumerate(pairs()):
            if role != ADMINISTRATOR:
                self._let_in(role, scope, f"staff-{100 + number}")
        self._furnish()
        self.began = team.served.head()

    def _let_in(self, role: str, scope: str, person: str) -> None:
        actor = named(role, scope)
        self.team.register(actor, person)
        if role != NOBODY:
            self.team.grant(actor, role, **SCOPES[scope])
        if actor in HOLDERS:
            self.team.bind(actor, spiffe(actor))
        lost = self.team.issue(actor)
        self.team.revoke(lost.token)
        self.revoked[actor] = lost.secret
        self.tokens[actor] = self.team.issue(actor).secret

    def _furnish(self) -> None:
        how: Any = {"timeout": TIMEOUT, "metadata": bearing(self.tokens["services/operator.whole"])}
        channel = self.team.bearers
        for method, request in (
            ("DefineSignal", signal_service_pb2.DefineSignalRequest(signal=signal_named("psi"))),
            ("RegisterModel", model_service_pb2.RegisterModelRequest(model=model_named("fares"))),
        ):
            assert told(channel, method, request, how["metadata"]) == ALLOWED

    def _jwt(self, subject: str) -> str:
        if subject not in self.jwts:
            self.jwts[subject] = self.team.jwt(subject)
        return self.jwts[subject]

    def answer(self, cell: Cell) -> str:
        """Ask a cell's question of the server."""
        actor, channel = named(cell.role, cell.scope), self.team.bearers
        metadata: Metadata = ()
        if cell.identity == "certificate":
            channel = self.team.holding(actor)
        elif cell.identity == "unbound-certificate":
            channel = self.team.holding(STRANGER)
        else:
            metadata = {
                "token": lambda: bearing(self.tokens[actor]),
                "revoked": lambda: bearing(self.revoked[actor]),
                "jwt": lambda: bearing(self._jwt(actor)),
                "unbound": lambda: bearing(self._jwt("mallory")),
                "development": lambda: naming(actor),
            }[cell.identity]()
        timeout = None if is_write(cell.method) else TIMEOUT
        said = told(channel, cell.method, REQUESTS[cell.method], metadata, timeout)
        if is_write(cell.method):
            assert said != ALLOWED, "a write was carried out"
            return ALLOWED if said == "DEADLINE_MISSING" else said
        return said if said == DENIED or said in UNKNOWN else ALLOWED


UNKNOWN: Final = {
    "CREDENTIAL_EXPIRED", "CREDENTIAL_INVALID", "CREDENTIAL_REVOKED", "IDENTITY_UNBOUND",
    "TOKEN_ALGORITHM_REFUSED", "TOKEN_AUDIENCE_WRONG", "TOKEN_ISSUER_WRONG", "TOKEN_KEY_UNKNOWN",
    "TOKEN_OF_OTHER_LEDGER", "TOKEN_TOO_LARGE", "UNAUTHENTICATED",
}  # fmt: skip


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    """The actors; at the end nothing is on record but what is due, and an auditor agrees."""
    folder = tmp_path_factory.mktemp("matrix")
    others = [actor for actor in HOLDERS if actor != ANA]
    with team(folder, [*others, STRANGER], is_trying=True) as found:
        matrix = Matrix(found)
        yield matrix
        left = {event.type for event in found.events(matrix.began)}
        assert left <= {CredentialUsed.TYPE}, left
    report = audited(folder / "ledger.sqlite")
    assert report.passed, report.text()


# ---- from the table ------------------------------------------------------------------------------


def cells() -> list[Cell]:
    """Return every cell there is."""
    found = [Cell(NOBODY, "whole", "unbound", method) for method in PATHS]
    found += [Cell(NOBODY, "whole", "unbound-certificate", method) for method in PATHS]
    for role, scope in pairs():
        identities = ["jwt", "development"]
        identities += ["certificate"] if scope == "whole" else []
        identities += ["token", "revoked"] if role != ADMINISTRATOR else []
        found += [Cell(role, scope, one, method) for one in identities for method in PATHS]
    return found


def expected(cell: Cell) -> str:
    """Return the answer by the table alone."""
    if cell.method == "NameAdministrator":
        return DENIED
    if cell.identity.startswith("unbound"):
        return "IDENTITY_UNBOUND"
    if cell.identity == "revoked":
        return "CREDENTIAL_REVOKED"
    roles = {**ROLES, TEAMS: frozenset(TEAMS_ACTIONS), NOBODY: frozenset[str]()}
    action = METHODS[cell.method]
    if action not in roles[cell.role]:
        return DENIED
    # Who may grant anywhere may ask to; the change itself says where, and is judged by that.
    if cell.scope == "whole" or action == "roles.grant":
        return ALLOWED
    return ALLOWED if cell.method in COVERED[cell.scope] else DENIED


def wrong(matrix: Matrix, asked: dict[Cell, str]) -> list[str]:
    """Return each cell that the server answers otherwise."""
    found = ((cell, due, matrix.answer(cell)) for cell, due in asked.items())
    return [f"{' '.join(cell)}: {said}, not {due}" for cell, due, said in found if said != due]


def test_a_sample_of_the_matrix_is_enforced_as_the_table_says(matrix: Matrix) -> None:
    asked = {cell: expected(cell) for cell in cells()[::41]}
    counted = Counter(asked.values())
    assert len(asked) > 300
    assert counted[ALLOWED] > 20
    assert wrong(matrix, asked) == []


@pytest.mark.slow
def test_the_whole_matrix_is_enforced_as_the_table_says(matrix: Matrix) -> None:
    asked = {cell: expected(cell) for cell in cells()}
    assert len(asked) > 15_000
    assert wrong(matrix, asked) == []


def test_the_matrix_has_every_action_role_scope_and_identity() -> None:
    every = cells()
    assert {METHODS[one.method] for one in every if one.method in METHODS} == set(METHODS.values())
    assert {one.role for one in every} == {*ROLES, TEAMS, NOBODY}
    assert {one.scope for one in every} == SCOPES.keys()
    assert len({one.identity for one in every}) == 7
    allowed = {(one.role, one.method) for one in every if expected(one) == ALLOWED}
    assert {method for _, method in allowed} == METHODS.keys()


# ---- by hand -------------------------------------------------------------------------------------


def by_hand() -> dict[Cell, str]:
    """Return the cells that were written by hand, with the answer that each must get."""
    text = Path(__file__).with_name("authority_cells.txt").read_text("utf-8")
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return {Cell(*line[:4]): line[4] for line in lines}


def test_the_cells_that_were_written_by_hand_are_enforced(matrix: Matrix) -> None:
    asked = by_hand()
    assert len(asked) >= 150
    assert asked.keys() <= set(cells())
    assert wrong(matrix, asked) == []
