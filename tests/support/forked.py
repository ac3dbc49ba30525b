"""Server processes that start at once: forks of one interpreter that has imported everything.

That interpreter is the only child of a test process. It has one thread and has used no gRPC, so a
fork of it is as good as a fresh one. An order comes with the streams of the process to be, and with
a pipe on which its number and, in the end, its exit code are told. It ends with the test process.
"""

import atexit
import gc
import json
import os
import select
import selectors
import signal
import socket
import struct
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = "tests.support.server_process"

_NUMBER = struct.Struct("<q")
_ORDER_BYTES_MAX = 1 << 18


@cache
def _interpreter() -> socket.socket:
    """Return what takes orders; the interpreter starts with the first."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", PROGRAM, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


class Forked:
    """A process as `subprocess.Popen` would give it, with its input, output and end."""

    def __init__(self, errors: int, modules: Path) -> None:
        """Begin it; `modules` is one more folder that it can import from."""
        (its_input, ours), (output, its_output), (self._end, end) = (os.pipe() for _ in range(3))
        order = {"environment": dict(os.environ), "modules": str(modules)}
        streams = [its_input, its_output, errors, end]
        socket.send_fds(_interpreter(), [json.dumps(order).encode()], streams)
        for descriptor in (its_input, its_output, end):
            os.close(descriptor)
        self.stdin = open(ours, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as a pipe of Popen
        self.stdout = open(output, encoding="utf-8")  # noqa: PTH123, SIM115
        self.returncode: int | None = None
        self.pid = self._told()

    def _told(self) -> int:
        data = os.read(self._end, _NUMBER.size)
        assert data, "the interpreter that forks has ended"
        return int(_NUMBER.unpack(data)[0])

    def poll(self) -> int | None:
        """Return the exit code once it has ended."""
        return self._ended(0)

    def wait(self, seconds: float) -> int:
        """Wait for its end and return the exit code."""
        code = self._ended(seconds)
        if code is None:
            raise subprocess.TimeoutExpired("a fork", seconds)
        return code

    def _ended(self, seconds: float) -> int | None:
        if self.returncode is None and select.select([self._end], [], [], seconds)[0]:
            self.returncode = self._told()
            os.close(self._end)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def forks(channel: socket.socket) -> bool:
    """Fork for each order that comes. Returns True in each fork, False when no more will come."""
    gc.freeze()  # what was imported is no garbage: no fork looks through it and so copies it
    alive = selectors.DefaultSelector()
    alive.register(channel, selectors.EVENT_READ)
    while True:
        for key, _ in alive.select():
            if key.fileobj is not channel:  # a fork has ended
                pid, end = key.data
                alive.unregister(key.fileobj)
                os.close(key.fd)
                _tell(end, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                os.close(end)
                continue
            order, streams, _, _ = socket.recv_fds(channel, _ORDER_BYTES_MAX, 4)
            if not order:
                return False
            *standard, end = streams
            threads = list(Path("/proc/self/task").iterdir())
            assert len(threads) == 1, "only one thread survives a fork"
            pid = os.fork()
            if not pid:
                others = [one.fd for one in alive.get_map().values() if one.fileobj is not channel]
                ends = [one.data[1] for one in alive.get_map().values() if one.data]
                alive.close()
                channel.close()
                _become(json.loads(order), standard, [*others, *ends, end])
                return True
            for descriptor in standard:
                os.close(descriptor)
            alive.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, end))
            _tell(end, pid)


def _tell(end: int, number: int) -> None:
    try:
        os.write(end, _NUMBER.pack(number))
    except BrokenPipeError:  # nothing waits for it
        return


def _become(order: dict[str, dict[str, str]], standard: list[int], others: list[int]) -> None:
    """Make this fork what was ordered: its streams, its environment, where it imports from."""
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
    for descriptor in (*standard, *others):
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.path.insert(1, str(order["modules"]))
