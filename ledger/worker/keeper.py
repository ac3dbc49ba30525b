"""The process between a worker and one step: it holds the step to its limits, and ends with both.

Run by path, with the standard library alone: `python -I -S keeper.py`. The first line of its input
is an order in JSON. It answers with one line of JSON on its output once nothing of the step runs
any more. The input's end, also by the worker's death, ends the step: first by SIGTERM, so that it
can put away what it has, after a while by SIGKILL. Processes that the step leaves are killed.
"""

import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_DEATH_SIGNAL: Final = 1  # of prctl(2): the signal that a child gets when its parent dies
_SUBREAPER: Final = 36  # of prctl(2): orphans below this process become its children
_MIB: Final = 1024 * 1024


def main() -> None:
    """Run the step that the first line of the input orders, and answer how it ended."""
    line = sys.stdin.buffer.readline()
    if not line:
        return
    order = json.loads(line)
    _prctl(_SUBREAPER, 1)
    with Path(order["lock"]).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # an earlier keeper of this folder may still be ending
        answer = _kept(order)
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _kept(order: dict[str, Any]) -> dict[str, Any]:
    """Run a step to its end."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    failed, fail = os.pipe()
    child = os.fork()
    if not child:
        _become(order, fail)
    os.close(fail)
    text = b""
    while part := os.read(failed, 4096):  # ends as soon as the step's program runs
        text += part
    if text:
        os.waitpid(child, 0)
        return {"exit": None, "signal": None, "why": "unstartable", "text": text.decode()}
    status, why = _waited(child, woken, order)
    _end_the_rest(child)
    code = os.waitstatus_to_exitcode(status)
    return {
        "exit": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "why": why,
        "text": "",
        "peak_kib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
    }


def _waited(child: int, woken: int, order: dict[str, Any]) -> tuple[int, str]:
    """Wait for the end of a step; return its status, and why it was ended if it was."""
    end, why, told = time.monotonic() + order["seconds"], "", sys.stdin.fileno()
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status, why
        left = end - time.monotonic()
        if left <= 0 and why:
            _kill(child, signal.SIGKILL)
            left = 1.0
        ready = select.select([woken] if why else [woken, told], [], [], max(0.0, left))[0]
        if woken in ready:
            os.read(woken, 512)
        if not why and (told in ready or left <= 0):
            why = "stopped" if told in ready else "time"
            _kill(child, signal.SIGTERM)
            end = time.monotonic() + order["grace_seconds"]


def _become(order: dict[str, Any], fail: int) -> None:
    """Become the step, in the process that was forked for it."""
    try:
        os.setsid()
        _prctl(_DEATH_SIGNAL, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.chdir(order["folder"])
        size = order["memory_mib"] * _MIB
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.execvpe(order["argv"][0], order["argv"], order["environment"])  # noqa: S606 - no shell
    except (OSError, ValueError) as error:
        os.write(fail, str(error).encode())
    finally:
        os._exit(127)


def _end_the_rest(child: int) -> None:
    """Kill all that a step has left running, and wait until none of it is there."""
    _kill(child, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            left = _children()
            for pid in left:
                _kill(pid, signal.SIGKILL)
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if os.waitpid(-1, 0 if left else os.WNOHANG) == (0, 0):
                return


def _children() -> list[int]:
    """Return the processes below this one, its orphans among them; none where nothing says."""
    here = Path(f"/proc/self/task/{os.getpid()}/children")
    with suppress(OSError):
        return [int(one) for one in here.read_text("ascii").split()]
    return []


def _kill(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _prctl(option: int, value: int) -> None:
    """Ask Linux for something that other systems do not have."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
