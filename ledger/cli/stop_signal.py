"""How a server waits to be stopped."""

import os
import signal
from collections.abc import Callable
from typing import Final

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
