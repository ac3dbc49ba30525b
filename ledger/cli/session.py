"""The parts of every command: settings, a client, and options allowed anywhere on the line.

`decision-ledger priorities --json --server HOST:PORT` and `decision-ledger --json --server
HOST:PORT priorities` are the same: the options in GLOBAL_OPTIONS are taken from wherever they are.
"""

import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import typer
from typer.core import TyperGroup

from ledger.cli import output
from ledger.cli.exits import Exit, as_misuse, described
from ledger.database_url import has_password
from ledger.operations.failures import MisuseError
from ledger.secrecy import without_tokens

if TYPE_CHECKING:
    from datetime import datetime

    from ledger.chain.witness_times import TimeBounds
    from ledger.client import LedgerClient
    from ledger.clock import Clock
    from ledger.setting_sections import Settings

# Name, and whether a value follows it.
GLOBAL_OPTIONS: Final = {
    "--config": True,
    "--server": True,
    "--ledger": True,
    "--actor": True,
    "--deadline": True,
    "--max-age": True,
    "--max-future": True,
    "--tls-ca": True,
    "--tls-certificate": True,
    "--tls-key": True,
    "--token-file": True,
    "--json": False,
}


T = TypeVar("T")
_FRESH_SECONDS: Final = 2.0

_current: ContextVar["Session"] = ContextVar("session")
_AS_JSON: Final = "ledger.cli.as_json"
"""Where a run notes that its line asks for JSON: known before anything of it was parsed."""


@dataclass
class Session:
    """The options that every command shares, and what is made from them when it is needed."""

    config: Path | None = None
    server: str | None = None
    ledger: str | None = None
    actor: str | None = None
    deadline_seconds: float | None = None
    as_json: bool = False
    max_age_seconds: int | None = None
    max_future_seconds: int | None = None
    purpose: str = field(default="", init=False)
    """The purpose that the command reads for, stated before the client is made."""
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    token_file: Path | None = None
    _settings: "Settings | None" = field(default=None, init=False)
    _client: "LedgerClient | None" = field(default=None, init=False)
    _unit_of_cost: str | None = field(default=None, init=False)

    @property
    def settings(self) -> "Settings":
        """The settings in force, without the flags."""
        from ledger.settings import load

        if self._settings is None:
            self._settings = load(self.config)
        return self._settings

    @property
    def clock(self) -> "Clock":
        """The machine's clock."""
        from ledger.clock import SystemClock

        return SystemClock()

    @property
    def times(self) -> "TimeBounds":
        """When a witness's cosignature counts, as of now."""
        from ledger.chain.witness_times import MAX_FUTURE_SECONDS, TimeBounds

        ahead = self.max_future_seconds
        return TimeBounds(
            self.clock.now_micros() // 1_000_000,
            MAX_FUTURE_SECONDS if ahead is None else ahead,
            self.max_age_seconds,
        )

    @property
    def target(self) -> str:
        """The server's address."""
        from ledger.client.target import address_of, by_tls

        stated = self.settings.server
        address = by_tls(stated.address) if stated.tls.certificate else stated.address
        try:
            return address_of(self.server or address)
        except ValueError as error:
            raise MisuseError(f"{error}.") from None

    @property
    def client(self) -> "LedgerClient":
        """The client of this run; made at the first use, closed with the run."""
        from ledger.client import LedgerClient

        if self._client is None:
            stated = self.settings.client
            try:
                self._client = LedgerClient(
                    self.target,
                    ledger=self.ledger or stated.ledger,
                    actor=self.actor or stated.actor,
                    deadline_seconds=self.deadline_seconds or stated.deadline_seconds,
                    clock=self.clock,
                    purpose=self.purpose,
                    tls_ca=self.tls_ca or stated.tls_ca,
                    tls_certificate=self.tls_certificate or stated.tls_certificate,
                    tls_key=self.tls_key or stated.tls_key,
                    token=self._token(),
                )
            except ValueError as error:  # an actor that cannot be, a file that cannot be used
                raise MisuseError(f"{str(error).removesuffix('.')}.") from error
        return self._client

    def _token(self) -> "Path | str | None":
        """Return the bearer token of this run, or the file that holds it."""
        stated = self.settings.client
        if self.token_file is not None:
            return self.token_file
        if stated.token and stated.token_file:
            raise MisuseError(
                "client.token and client.token_file are both set.", "Leave one of them out."
            )
        return stated.token or (Path(stated.token_file) if stated.token_file else None)

    @property
    def unit_of_cost(self) -> str:
        """The ledger's unit of cost, for sentences; empty if it has none."""
        if self._unit_of_cost is None:
            self._unit_of_cost = self.client.get_ledger().unit_of_cost
        return self._unit_of_cost

    def now(self) -> "datetime":
        """Return the ledger's own now."""
        from ledger.cli.values import now_of

        one = self.client.get_ledger()
        return now_of(one.clock, one.head_recorded_at, self.clock.now_micros())

    def fresh(self, ask: "Callable[[LedgerClient, int], T]") -> "T":
        """Return what projections answer once they hold what the commands before this one wrote.

        They follow the log by themselves, commonly within milliseconds. Where one lags or has
        stopped, what it has is returned, and that is said. `ask` is given the position to wait for.
        """
        from ledger.client import BusyError, DeadlineError

        head = self.client.get_ledger().head_position
        try:
            return ask(self.client.using(deadline_seconds=_FRESH_SECONDS), head)
        except (BusyError, DeadlineError):
            output.say(
                f"The projection has not applied position {head} yet, so this shows an earlier "
                "one. See `decision-ledger projection status`."
            )
            return ask(self.client, 0)

    @property
    def trust_file(self) -> Path:
        """The file in which verified keys and checkpoints are remembered."""
        stated = self.settings.client.trust
        if stated:
            return Path(stated)
        return _state_folder() / "trust.json"

    def close(self) -> None:
        """Close the client, if one was made."""
        if self._client is not None:
            self._client.close()

    def show(self, value: Any, text: str) -> None:  # noqa: ANN401 - any result there is
        """Write a result: as JSON if that was asked for, else the text."""
        if self.as_json:
            output.write_json(value)
        else:
            output.write(text)


def session(purpose: str = "") -> Session:
    """Return the session of the command that runs, and state what that reads for."""
    found = _current.get()
    found.purpose = purpose or found.purpose
    return found


def begin(made: Session) -> None:
    """Make this the session of the command that runs."""
    _current.set(made)


class Root(TyperGroup):
    """The command line as a whole: moves shared options to the front, turns failures into exits."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - as below
        """Parse with the shared options first, wherever they were on the line."""
        ctx.meta[_AS_JSON] = ["--json"] in _split(args)[0]
        try:
            _refuse_secrets(args)
            return super().parse_args(ctx, hoisted(args))
        except typer.Exit:  # after --help or --version
            raise
        except Exception as error:  # noqa: BLE001 - as in `invoke`
            _end(ctx, error)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - a context of typer, which it does not export
        """Run the command; a failure it may end with becomes a message and an exit code."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _discard_output()
            ctx.exit(Exit.UNREAD)
        except KeyboardInterrupt:
            _tell(Exit.INTERRUPTED, "Interrupted.", "", "", as_json=ctx.meta[_AS_JSON])
            ctx.exit(Exit.INTERRUPTED)
        except typer.Exit:
            raise
        except Exception as error:  # noqa: BLE001 - `described` raises again what is no ending
            _end(ctx, error)
        finally:
            if (made := _current.get(None)) is not None:
                made.close()


def _refuse_secrets(args: Sequence[str]) -> None:
    """Refuse a secret on the line, where all users of the machine can read it."""
    words = [arg.partition("=")[2] if arg.startswith("--") else arg for arg in args]
    if any(has_password(word) or without_tokens(word) != word for word in words):
        raise MisuseError(
            "This line holds a password or a token: every user of this machine can read it there.",
            "Put a database's password into a file (PGPASSFILE), or its whole URL into "
            "LEDGER_STORAGE__DATABASE. Then replace the secret that was shown.",
        )


def _end(ctx: Any, error: Exception) -> NoReturn:  # noqa: ANN401 - a context of typer
    """End a run with the message and exit code of its failure, or raise any other error."""
    if (usage := as_misuse(error)) is not None:
        if not ctx.meta[_AS_JSON]:
            raise error  # typer shows how the command is used
        error = usage
    try:
        code, message, remedy, reason = described(error)
    except Exception as defect:  # noqa: BLE001 - no person is shown a traceback
        code, reason = Exit.DEFECT, ""
        message, remedy = _defect(defect)
    _tell(code, message, remedy, reason, as_json=ctx.meta[_AS_JSON])
    ctx.exit(code)
    raise AssertionError("the run has ended")


def _defect(error: Exception) -> tuple[str, str]:
    """Keep the traceback of what should not happen; return what happened and what to do."""
    import traceback

    from ledger.private import make_folder, open_file

    what = f"This should not happen: {type(error).__name__}: {str(error)[:300]}."
    file = _state_folder() / "defect.txt"
    try:
        make_folder(file.parent)
        with open_file(file, "w") as kept:
            kept.write("".join(traceback.format_exception(error)))
    except OSError:
        return what, "Please report it; what was written before it is on record."
    return what, f"Please report it with {file}; what was written before it is on record."


def _state_folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "decision-ledger"


def _discard_output() -> None:
    """Let what is still buffered go nowhere, so that the interpreter's end does not fail on it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, io.UnsupportedOperation):
            stream.flush()
            continue
        with suppress(OSError, io.UnsupportedOperation):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def hoisted(args: Sequence[str]) -> list[str]:
    """Return the arguments with the shared options first; what follows `--` stays."""
    front, rest = _split(args)
    return [*(word for option in front for word in option), *rest]


def _split(args: Sequence[str]) -> tuple[list[list[str]], list[str]]:
    """Return the shared options, each with its value, and all the rest."""
    front: list[list[str]] = []
    rest: list[str] = []
    at = 0
    while at < len(args):
        name, equals, _ = args[at].partition("=")
        if args[at] == "--":
            return front, [*rest, *args[at:]]
        takes_value = GLOBAL_OPTIONS.get(name)
        count = 2 if takes_value and not equals else 1
        words = list(args[at : at + count])
        if takes_value is None:
            rest += words
        else:
            front.append(words)
        at += count
    return front, rest


def _tell(code: Exit, message: str, remedy: str, reason: str, *, as_json: bool) -> None:
    if as_json:
        error = {"exit_code": int(code), "message": message, "remedy": remedy, "reason": reason}
        output.say(output.json_text({"error": error}))
        return
    parts = [part for part in (message, remedy, f"[{reason}]" if reason else "") if part]
    output.say(output.lines([" ".join(parts)]))
