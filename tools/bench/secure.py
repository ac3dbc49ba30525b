"""TLS and a token against neither: single calls and a stream, in one run.

The secure server has an administrator, so that every call is judged by its grants, and the monitor
calls with a token that the ledger issued, over TLS 1.3. The plain one believes its callers.
"""

import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final

from ledger.application.commands import Caller
from ledger.application.ledger import LedgerApplication
from ledger.authority.tokens import ID_BYTES, SECRET_BYTES, make_token
from ledger.client import LedgerClient
from ledger.clock import SystemClock
from ledger.events.authority import (
    OPERATOR,
    ActorRegistered,
    AdministratorNamed,
    GrantScopePart,
    RoleGranted,
    TokenIssued,
)
from ledger.operations.trial_certificates import make_trial_certificates
from tools.bench import fleet, unary
from tools.bench.rows import Peer, Row, at_least
from tools.bench.run import Run, fresh, say
from tools.bench.serving import serving

CALLS: Final = 16_000
OBSERVATIONS: Final = 400_000
TOKEN: Final = make_token(bytes(range(ID_BYTES + SECRET_BYTES)))
"""The token of a service that was let in: known to all, for ledgers that end with their run."""

_STEP: Final = 10 * fleet.MINUTE
_WINDOW: Final = 8
_ROUNDS: Final = 2  # of each, in turns: the better one counts


def measure(run: Run) -> list[Row]:
    """Return the rows of this section."""
    called: dict[bool, float] = {}
    streamed: dict[bool, float] = {}
    for turn in range(_ROUNDS):
        for is_secure in (False, True):
            rates = fresh(_pass, run, turn, is_secure=is_secure)
            called[is_secure] = max(called.get(is_secure, 0.0), rates[0])
            streamed[is_secure] = max(streamed.get(is_secure, 0.0), rates[1])
    names = (
        (f"SubmitSignals × 1, {unary.CALLERS} callers", "calls/s", called, 0.85),
        ("StreamSignals × 500", "obs/s", streamed, 0.9),
    )
    rows = []
    for name, unit, found, target in names:
        peer = Peer("without either", found[False])
        rows.append(Row("secure", f"{name}, TLS and a token", found[True], unit, None, peer))
        ratio = found[True] / found[False]
        title = f"{name}, TLS and a token against neither"
        rows.append(Row("secure", title, ratio, "×", at_least(target)))
    return rows


def _pass(run: Run, turn: int, *, is_secure: bool) -> tuple[float, float]:
    """Return calls a second and observations a second at a fresh server."""
    what = "secure" if is_secure else "plain"
    folder = run.made(f"{what}-{turn}")
    database = folder / "ledger.sqlite"
    fresh(fleet.create, str(database))
    variables: dict[str, str] = {}
    options: dict[str, Any] = {"actor": fleet.MONITOR}
    if is_secure:
        variables, options = _secured(database, folder / "trial")
    with serving(database, is_live=False, variables=variables) as server:

        def connect() -> LedgerClient:
            return LedgerClient(server.address, **options)

        say(f"{what}: single calls")
        calls = run.count(CALLS, multiple=unary.CALLERS) // unary.CALLERS
        many = unary.callers(connect, unary.CALLERS, calls)
        say(f"{what}: a stream")
        return many.rate, _stream(connect, run.count(OBSERVATIONS, multiple=fleet.BATCH))


def _stream(connect: Callable[[], LedgerClient], total: int) -> float:
    with connect() as client, client.stream_signals(window=_WINDOW) as stream:
        started = time.perf_counter()
        for rows in fleet.batches(total, _STEP):
            stream.send([(m, s, value, at, v, size) for m, s, v, value, at, size in rows])
        stream.flush()
        assert stream.recorded == total
        return total / (time.perf_counter() - started)


def _secured(database: Path, folder: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """Let the monitor in by a token; return settings of the server and the client."""
    with redirect_stdout(sys.stderr), fleet.still(str(database)) as service:
        let_in(service.ledger(), fleet.MONITOR, "monitor")
    files = make_trial_certificates(folder, SystemClock())
    variables = {
        "LEDGER_SERVER__TLS__CERTIFICATE": str(files.certificate),
        "LEDGER_SERVER__TLS__KEY": str(files.key),
    }
    return variables, {"tls_ca": str(files.ca), "token": TOKEN.text}


def let_in(ledger: LedgerApplication, service: str, role: str) -> None:
    """Name an administrator, who grants a role to a service, and issues `TOKEN` to it."""
    ana, reason = Caller("users/ana"), "It is tried."
    whole = GrantScopePart(labels={}, models=[], signals=[])
    named = AdministratorNamed(actor=ana.actor, person="p-1", identities=[], reason=reason)
    changes = ledger.authority_changes
    changes.record(Caller(OPERATOR), named.METHOD, named)
    for data in (
        ActorRegistered(actor=service, person="p-2", meaning=""),
        RoleGranted(
            actor=service, role=role, scope=whole, expires_at=None, reason=reason, proposal=None
        ),
        TokenIssued(
            token=TOKEN.id, actor=service, digest=TOKEN.digest, expires_at=None, reason=reason
        ),
    ):
        changes.record(ana, data.METHOD, data)
