"""A served ledger with an administrator, and the command line of that administrator.

Callers are believed to be whom they name, unless a server is `strict`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.conftest import Ran, Run, run_line
from tests.cli.test_printed_commands import commands_in, fault_of
from tests.support.served import ORIGIN, serving

ANA, BEN, EVE, MONITOR = "users/ana", "users/ben", "users/eve", "services/monitor-7"
WHY = ("--reason", "Work.")
NAMED = ("--administrator", ANA, "--person", "staff-1")
DNS = ("--certificate", "dns:monitor-7.example")
JWT = ("--jwt", "https://id.example", "ben@example")


@contextmanager
def administered(folder: Path, socket: str = "") -> Iterator[Run]:
    """Run a command as the administrator of a ledger; `--actor` runs it as another one."""
    with serving(folder, authentication__development=True, server__socket=socket) as served:

        def run(*args: str) -> Ran:
            actor = () if "--actor" in args else ("--actor", ANA)
            server = () if "--server" in args else ("--server", served.server.address)
            return run_line(*args, *server, *actor)

        done(run("ledger", "create", ORIGIN, *NAMED, "--actor", "users/ops"))
        yield run


def done(ran: Ran) -> str:
    """Return what a command printed that has to succeed."""
    assert ran.code == 0, ran.err
    return ran.out


def register(ana: Run, *actors: str) -> None:
    """Register actors, each with a person of its own."""
    for number, actor in enumerate(actors, start=2):
        done(ana("authority", "register", actor, "--person", f"staff-{number}"))


def refused_with(ran: Ran, reason: str) -> str:
    """Return how a command was refused: in one line, with its reason and a command that exists."""
    assert ran.code == 1
    assert ran.out == ""
    (line,) = ran.err.splitlines()
    assert line.endswith(f" [{reason}]"), line
    named = list(commands_in(line))
    assert named, f"no command says what to do: {line}"
    assert [fault_of(one) for one in named] == [""] * len(named), line
    return line
