"""The server of `decision-ledger serve`: in the foreground, until it is told to stop."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ledger.cli import identities, output
from ledger.cli.exits import Exit
from ledger.cli.identities import (
    AdministratorCertificate,
    AdministratorName,
    AdministratorPerson,
    Jwt,
)
from ledger.cli.session import session
from ledger.events.inert import inert
from ledger.limits import STOP_SECONDS_MAX
from ledger.operations.failures import MisuseError
from ledger.secrecy import without_tokens

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from ledger.api.server import ApiServer
    from ledger.client import Administrator
    from ledger.events.authority import AdministratorNamed
    from ledger.service import Service
    from ledger.setting_sections import Settings


def serve(
    database: Annotated[
        str | None,
        typer.Option("--db", help="Path of a SQLite file, or URL of a PostgreSQL database."),
    ] = None,
    listen: Annotated[
        str | None, typer.Option(help="HOST:PORT, loopback without TLS; port 0 takes a free one.")
    ] = None,
    create: Annotated[
        str | None,
        typer.Option(metavar="ORIGIN", help="Create this ledger first, if it does not exist."),
    ] = None,
    clock: Annotated[
        str, typer.Option(help="How a created ledger tells time: `wall` or `data`.")
    ] = "wall",
    currency: Annotated[
        str, typer.Option(help="The unit of cost of a created ledger: EUR, kWh, GPU hours.")
    ] = "",
    administrator: AdministratorName = None,
    person: AdministratorPerson = None,
    certificate: AdministratorCertificate = None,
    jwt: Jwt = None,
    port_file: Annotated[
        Path | None, typer.Option(help="Write the port there once calls are answered.")
    ] = None,
) -> None:
    """Serve ledgers over gRPC, until SIGTERM or Ctrl-C; then calls under way are finished.

    Without a certificate (`server.tls.certificate`) it listens on loopback only.
    """
    from ledger.api.listening import Listening
    from ledger.api.server import ApiServer
    from ledger.errors import LedgerError
    from ledger.service import Service

    chosen = session()
    settings = _served(chosen.settings, database)
    if clock not in {"wall", "data"}:
        raise MisuseError(f"--clock: {clock!r} is neither `wall` nor `data`.")
    first = _administrator(
        create, identities.administrator(administrator, person, certificate, jwt)
    )
    address = listen or chosen.server or settings.server.address
    log_to_stderr(settings.log.level, settings.log.form)
    try:
        listening = Listening(address, settings.server, chosen.clock)
        listening.refuse_taken()  # before anything is opened or created
    except LedgerError as error:
        raise MisuseError(error.message, error.remedy) from error
    _warn_of_silent_loss(settings)
    wait = stop_signal()
    with Service(settings, create=bool(create)) as service:
        _quiet_collector()
        with ApiServer(service, listening, authentication=settings.authentication) as server:
            if create:  # once the port is ours: what fails must not have begun a ledger
                _create(service, create, clock, currency, first)
            _tell_ready(service, server, port_file, as_json=chosen.as_json)
            wait()
            output.say("Stopping: calls under way are being finished.")
            _end_in_any_case()


def _served(settings: "Settings", database: str | None) -> "Settings":
    """Return the settings in force; the flag counts before them."""
    if database is None:
        return settings
    storage = settings.storage.model_copy(update={"database": database})
    return settings.model_copy(update={"storage": storage})


def _warn_of_silent_loss(settings: "Settings") -> None:
    """Say at each start that nothing would show what a fail-over has lost."""
    import structlog

    from ledger.application.signing.published_checkpoints import (
        SILENT_LOSS_REMEDY,
        read_policy,
        silent_loss,
    )

    policy = read_policy(settings.checkpoints.policy)
    accepted = settings.storage.accept_silent_loss
    why = silent_loss(
        settings.storage.database, settings.checkpoints.published, policy, is_accepted=accepted
    )
    if why:
        log = structlog.get_logger("ledger.serve")
        log.warning("storage.silent_loss", why=why, todo=SILENT_LOSS_REMEDY)


def _end_in_any_case() -> None:
    """End the process soon after the grace, even if a thread, a disk or a library hangs.

    Nothing is lost by it: what was acknowledged was durable before it was.
    """
    import os

    def say() -> None:
        output.say("Something hangs and is left behind. Acknowledged events are on record.")

    def end() -> None:
        os._exit(Exit.REFUSED)

    for seconds, act in ((STOP_SECONDS_MAX - 1, say), (STOP_SECONDS_MAX, end)):
        timer = threading.Timer(seconds, act)  # each its own: even saying so may hang
        timer.daemon = True
        timer.start()


def _quiet_collector() -> None:
    """Let the garbage collector leave alone what is loaded now, and look less often.

    What came with the imports stays for good, and a batch makes thousands of objects that no cycle
    holds: as Python comes, looking through them costs a twentieth of the time of an observation.
    """
    import gc

    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _administrator(
    create: str | None, named: "Administrator | None"
) -> "AdministratorNamed | None":
    """Return the event that names a first administrator; MisuseError says what is wrong."""
    from dataclasses import asdict

    from ledger.application.commands import fields_named
    from ledger.errors import LedgerError
    from ledger.events.authority import NAMED_WITH_LEDGER, AdministratorNamed

    if named is None:
        return None
    if not create:
        raise MisuseError(
            "--administrator is for a ledger that is created.", "Add --create ORIGIN."
        )
    if warning := identities.unbound(named):
        output.say(warning)
    bound = [asdict(one) for one in named.identities]
    data = {"actor": named.actor, "person": named.person, "identities": bound}
    try:
        with fields_named():
            return AdministratorNamed.from_data({**data, "reason": NAMED_WITH_LEDGER})
    except LedgerError as error:
        raise MisuseError(error.message, error.remedy) from error


def _create(
    service: "Service",
    origin: str,
    clock: str,
    currency: str,
    administrator: "AdministratorNamed | None",
) -> None:
    kept = next((info for info in service.ledgers() if info.origin == origin), None)
    if kept is not None:
        others = [
            f"{name} {is_ or 'none'}, not {asked}"
            for name, asked, is_ in (
                ("clock", clock, kept.clock.lower()),
                ("unit of cost", currency, kept.unit_of_cost),
            )
            if asked and asked != is_
        ]
        if others:
            output.say(f"The ledger {origin} was created before, with {'; '.join(others)}.")
        if administrator and not service.ledger(origin).authority.state.is_administrator(
            administrator.actor
        ):
            output.say(
                f"The ledger {origin} was created before, and {administrator.actor} is no "
                "administrator of it: `authority begin` names one."
            )
        return
    service.create_ledger(
        origin,
        clock=clock,
        unit_of_cost=currency,
        actor="system/serve",
        administrator=administrator,
    )
    unit = f" and amounts in {currency}" if currency else ""
    output.say(f"Created the ledger {origin} with clock {clock}{unit}.")


def _warn_of_believed(service: "Service", server: "ApiServer") -> None:
    """Say at each start whose names are taken for what they are, without any proof."""
    if server.authenticator.believes_names:
        output.say(
            "WARNING: `authentication.development` is on: callers on this machine are believed to "
            "be the actor that they name."
        )
    for info in service.ledgers():
        if not service.ledger(info.origin).authority.is_in_force:
            output.say(f"No administrator of {info.origin} is named: its callers are believed.")


def _tell_ready(
    service: "Service", server: "ApiServer", port_file: Path | None, *, as_json: bool
) -> None:
    _warn_of_believed(service, server)
    operators = server.listening.socket
    address, bearers = server.address, server.bearer_address
    socket = operators.target if operators else ""
    if as_json:
        said = {"port": server.port, "bearer_address": bearers, "socket": socket}
        output.write_json({"address": address, **said}, is_line=True)
    else:
        output.write(f"Serving on {', '.join(filter(None, (address, bearers, socket)))}")
    if port_file:
        write_port(server.port, port_file)


def write_port(port: int, port_file: Path) -> None:
    """Write the port whole or not at all: its reader must not see half a number."""
    partial = port_file.with_name(f"{port_file.name}.partial")
    partial.write_text(f"{port}\n", encoding="ascii")
    partial.replace(port_file)


def _inert(_logger: object, _method: str, event: "MutableMapping[str, Any]") -> Any:  # noqa: ANN401
    """Let nothing that others wrote act on the terminal that shows the log."""
    return {key: inert(one) if isinstance(one, str) else one for key, one in event.items()}


class StandardError:
    """Where lines go: what is standard error at that moment. A line that it does not take is lost.

    A reader that is gone must not end the thread that had something to say.
    """

    def msg(self, line: str) -> None:
        """Write one line."""
        import sys

        with suppress(OSError, ValueError):  # a broken pipe; a file that was closed
            sys.stderr.write(f"{without_tokens(line)}\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = exception = msg


def log_to_stderr(level: str, form: str) -> None:
    """Let what is logged go to standard error, in the form that the settings ask for."""
    import logging
    import sys

    import structlog

    is_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if is_json
        else [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _inert,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=lambda *_: StandardError(),
    )


_STOPS: Final = frozenset({signal.SIGTERM, signal.SIGINT})


def stop_signal() -> Callable[[], None]:
    """Take SIGTERM and Ctrl-C from now on; return what waits until one of them has come.

    The interpreter writes each to a pipe at once, whichever thread the system gave it to. A handler
    is run by the main thread alone, which a signal does not wake if another thread took it, or if
    it came just before the wait for a lock: that server would never stop.
    """
    coming, told = os.pipe()  # both stay open: a second signal must find them
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    for number in _STOPS:
        signal.signal(number, lambda *_: None)

    def wait() -> None:
        while os.read(coming, 1)[0] not in _STOPS:
            pass

    return wait
