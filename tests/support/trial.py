"""Certificates for servers and clients of tests, made as `certificate dev` makes them.

One set for each process of tests, in a folder that ends with it; what is wrong with the others is
in their names.
"""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from ledger.clock import SystemClock
from ledger.events.values import DAY
from ledger.operations.trial_certificates import TrialCertificates, make_trial_certificates
from tests.support.clocks import ManualClock

ANA, BO = "users/ana", "users/bo"


@cache
def trial(name: str = "good", days_from_now: int = 0) -> TrialCertificates:
    """Return a set of that name, made so many days from now: each has a CA of its own."""
    clock = ManualClock(SystemClock().now_micros() + days_from_now * DAY)
    for _ in range(sum(name.encode())):
        clock.random_bytes(1)  # so that no two sets have the same keys
    return make_trial_certificates(_folder() / name, clock, clients=[ANA, BO])


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def expired() -> TrialCertificates:
    """Return a set that ended ten days ago."""
    return trial("expired", -100)


def of_tomorrow() -> TrialCertificates:
    """Return a set that does not hold yet."""
    return trial("tomorrow", 1)


def served_by(made: TrialCertificates, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - settings
    """Return the settings of a server that shows these, as `quiet` takes them."""
    return {
        "server__tls": {"certificate": str(made.certificate), "key": str(made.key)}
        | {name: str(value) for name, value in more.items()}
    }


def known_by(made: TrialCertificates, actor: str = "") -> dict[str, Any]:
    """Return what a client states: the CA, and the actor's certificate if one is named."""
    stated: dict[str, Any] = {"tls_ca": made.ca}
    if actor:
        stated["tls_certificate"], stated["tls_key"] = made.clients[actor]
    return stated
