"""The master key as a program prints it: a client of a key-management service, or a card reader.

No shell reads the command. It has no input, none of our settings in its environment, a bounded time
and a bounded output, of which a refusal repeats nothing. Of what it says on standard error one line
is repeated, without long words: a key may be among them.
"""

import os
import re
import selectors
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Final

from ledger.clock import SystemClock
from ledger.errors import LedgerError
from ledger.events.inert import inert
from ledger.limits import KEY_COMMAND_BYTES_MAX, KEY_COMMAND_SECONDS_MAX
from ledger.secrecy import child_environment
from ledger.storage.database import unavailable

_SAID_CHARS_MAX: Final = 200
_LONG_WORD: Final = re.compile(r"[0-9A-Za-z+/=_:-]{32,}")  # hexadecimal, base64, parts of a JWT


class _NotHadError(Exception):
    """The command gave no key; says why."""


def output_of(command: Sequence[str], seconds: float = KEY_COMMAND_SECONDS_MAX) -> bytes:
    """Run a command and return what it printed; STORE_UNAVAILABLE where it failed.

    It has failed where it cannot be started, ends with another status than 0, prints more than
    KEY_COMMAND_BYTES_MAX, or has not ended in time: then it is killed with all that it started.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - which the operator has named
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(),
            start_new_session=True,
            bufsize=0,
        )
    except OSError as error:
        raise command_failed(command, f"it cannot be started: {error.strerror}") from None
    try:
        printed, said = _heard(process, seconds)
    except _NotHadError as error:
        raise command_failed(command, str(error)) from None
    finally:
        _end(process)
    if process.returncode:
        raise command_failed(command, f"{_ending(process.returncode)}{_quoted(said)}")
    return printed


def command_failed(command: Sequence[str], why: str) -> LedgerError:
    """Return the refusal of what a command did; its arguments are not repeated."""
    return unavailable(
        f"The master key cannot be had from the command {inert(command[0])[:200]}: {why}.",
        remedy="Run the command by hand, as the user who runs this: it must print 64 hexadecimal "
        "digits and nothing else. It is named by the setting `keys.command`.",
        retry=False,
    )


def _heard(process: "subprocess.Popen[bytes]", seconds: float) -> tuple[bytes, bytes]:
    """Return what a process printed and said until it ended, or raise _NotHadError."""
    assert process.stdout is not None
    assert process.stderr is not None
    clock = SystemClock()
    until = clock.monotonic_seconds() + seconds
    late = _NotHadError(f"it had not ended after {seconds:g} seconds, and was killed")
    heard: dict[IO[bytes], bytes] = {process.stdout: b"", process.stderr: b""}
    with selectors.DefaultSelector() as open_ones:
        for stream in heard:
            open_ones.register(stream, selectors.EVENT_READ)
        while process.stdout in open_ones.get_map():
            if not (ready := open_ones.select(until - clock.monotonic_seconds())):
                raise late
            _read(open_ones, [key.fileobj for key, _ in ready], heard)  # type: ignore[misc]
            if len(heard[process.stdout]) > KEY_COMMAND_BYTES_MAX:
                raise _NotHadError(f"it printed more than {KEY_COMMAND_BYTES_MAX} bytes")
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(until - clock.monotonic_seconds(), 0))
        if process.returncode is None:
            raise late
        while ready := open_ones.select(0):  # a process that it left behind may hold the rest open
            _read(open_ones, [key.fileobj for key, _ in ready], heard)  # type: ignore[misc]
    return heard[process.stdout], heard[process.stderr]


def _read(
    open_ones: selectors.BaseSelector,
    ready: Sequence[IO[bytes]],
    heard: dict[IO[bytes], bytes],
) -> None:
    """Read once from each stream that has something; what is beyond the bound is dropped."""
    for stream in ready:
        part = os.read(stream.fileno(), KEY_COMMAND_BYTES_MAX)
        if part:
            heard[stream] = (heard[stream] + part)[: KEY_COMMAND_BYTES_MAX + 1]
        else:
            open_ones.unregister(stream)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process with all of its group, if it has not, and let go of its streams."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        stream.close()


def _ending(code: int) -> str:
    return f"it ended with status {code}" if code > 0 else f"signal {-code} ended it"


def _quoted(said: bytes) -> str:
    """Return the first line of what was said, short, inert and without words as long as a key."""
    lines = filter(None, map(str.strip, said.decode("utf-8", "replace").splitlines()))
    line = inert(_LONG_WORD.sub("\N{HORIZONTAL ELLIPSIS}", next(lines, "")))
    return f", and said: {line[:_SAID_CHARS_MAX].rstrip('.')}" if line else ""
