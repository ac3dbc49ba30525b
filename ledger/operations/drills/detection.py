"""The product's checks as a drill lets them look: which of them notices, and after how long."""

from collections.abc import Callable
from pathlib import Path

from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.clock import Clock, monotonic_nanos
from ledger.errors import LedgerError
from ledger.operations import PROGRAM
from ledger.service import Service
from ledger.setting_sections import Settings

_NANOS_PER_MICRO = 1_000


class Detection:
    """The checks that have noticed an attack since it was made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = monotonic_nanos(clock)
        self.names: list[str] = []
        self.micros: int | None = None
        self.said: list[str] = []

    def saw(self, name: str, what: str) -> None:
        """Note that a check has noticed the attack, and its words."""
        if self.micros is None:
            self.micros = (monotonic_nanos(self._clock) - self._began) // _NANOS_PER_MICRO
        if name not in self.names:
            self.names.append(name)
            self.said.append(f"{name}: {what}")

    def refused(self, act: Callable[[], object]) -> None:
        """Act, and note the reason where that is refused."""
        try:
            act()
        except LedgerError as error:
            self.saw(error.reason.name, error.message)

    def start(self, settings: Settings, clock: Clock) -> None:
        """Start a server's service, and note the reason where it refuses to."""
        self.refused(lambda: started(settings, clock))

    def audit(self, database: Path, origin: str) -> None:
        """Audit a database, and note each rule that something fails."""
        for rule, what in audited(database, origin):
            self.saw(rule, what)


def started(settings: Settings, clock: Clock) -> None:
    """Start a service and stop it; LedgerError where it refuses to serve."""
    with Service(settings, clock, create=False):
        pass


def audited(database: Path, origin: str) -> list[tuple[str, str]]:
    """Return the rules that an audit finds broken, each with what it says first."""
    try:
        source = DatabaseSource(str(database), origin)
    except LedgerError as error:
        return [(error.reason.name, error.message)]
    try:
        report = Audit(source, PROGRAM).run()
    finally:
        source.close()
    found: dict[str, str] = {}
    for one in report.findings:
        found.setdefault(one.rule, one.sentence)
    return list(found.items())
