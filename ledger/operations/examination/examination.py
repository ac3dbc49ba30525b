"""Every check of `doctor`, each of which says what it found and what to do about it."""

import platform
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import TYPE_CHECKING, Final

from ledger import __version__
from ledger.application.signing.evidence import evidence_folder
from ledger.application.signing.published_checkpoints import (
    SILENT_LOSS_REMEDY,
    read_policy,
    silent_loss,
)
from ledger.clock import SystemClock
from ledger.errors import LedgerError
from ledger.events.access import ACCESS_KINDS
from ledger.events.notation import duration
from ledger.operations.examination import (
    Check,
    database,
    identity,
    secrets,
    server,
    transport,
)
from ledger.operations.examination.rights import kept_elsewhere
from ledger.operations.failures import INTEGRITY_REASONS
from ledger.operations.places import check_place

if TYPE_CHECKING:
    from ledger.client import LedgerClient
    from ledger.setting_sections import Settings

_PACKAGES: Final = ("cryptography", "eventsourcing", "grpcio", "protobuf", "pydantic", "sqlalchemy")


def examine(
    settings: "Settings", client: "LedgerClient", target: str, place: str | None = None
) -> list[Check]:
    """Return what every check found, in an order in which the first failure explains the rest.

    `place` is the database, if it is not the one in the settings; `target` the server's address.
    """
    checks = [_installation(), Check("settings", "ok", "every LEDGER_* variable is known")]
    checks.append(_reads(settings))
    where = place or settings.storage.database
    check_place(where, "--db" if place else "storage.database")
    evidence = evidence_folder(settings.checkpoints.evidence, where)
    kept = [evidence, *kept_elsewhere(settings)]
    checks += _guarded("loss", lambda: _loss(settings, where))
    checks += _guarded("database", lambda: database.checks(where, evidence, kept, settings.keys))
    checks += secrets.checks(settings)
    checks += _guarded(
        "transport", lambda: transport.checks(settings, client, where, SystemClock())
    )
    checks += identity.checks(settings.authentication)
    checks += _guarded("server", lambda: server.checks(client, target))
    return checks


def _guarded(name: str, check: Callable[[], Iterator[Check]]) -> list[Check]:
    """Return the checks of a part; what it raises is a failed check of its own."""
    done: list[Check] = []
    try:
        done += check()  # extends one by one, so what was found before a failure stays
    except LedgerError as error:
        is_integrity = error.reason in INTEGRITY_REASONS
        done.append(Check(name, "fail", error.message, error.remedy, is_integrity))
    return done


def _installation() -> Check:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES)
    return Check(
        "installation",
        "ok",
        f"decision-ledger {__version__}, Python {platform.python_version()}, {versions}",
    )


def _reads(settings: "Settings") -> Check:
    """Say which reads a server with these settings records, and warn of what it does not."""
    access = settings.access
    off = [kind for kind in ACCESS_KINDS if kind not in access.recorded]
    counted = "not counted"
    if access.seconds:
        counted = f"counted on record every {duration(round(access.seconds))}"
    found = f"{counted}; recorded one by one: {', '.join(sorted(access.recorded)) or 'none'}"
    if access.seconds and not off:
        return Check("reads", "ok", found)
    why = [] if access.seconds else ["access.seconds is 0"]
    why += [f"access.recorded lacks {', '.join(off)}"] if off else []
    remedy = f"{' and '.join(why)}: an audit names the time of a server with these settings as "
    return Check("reads", "warn", found, f"{remedy}a gap.")


def _loss(settings: "Settings", where: str) -> Iterator[Check]:
    """Fail where a fail-over could lose events and nothing would show it."""
    if "://" not in where or where.startswith("sqlite"):
        return
    policy, accepted = read_policy(settings.checkpoints.policy), settings.storage.accept_silent_loss
    why = silent_loss(where, settings.checkpoints.published, policy, is_accepted=accepted)
    if why:
        yield Check("loss", "fail", why, SILENT_LOSS_REMEDY)
    elif accepted:
        yield Check("loss", "ok", "storage.accept_silent_loss: not looked for at a start")
    else:
        yield Check("loss", "ok", "a start compares with what is kept outside the database")
