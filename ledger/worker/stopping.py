"""A worker told to end: by SIGTERM or Ctrl-C, whichever thread the system gives them to."""

import os
import select
import signal
from collections.abc import Sequence
from typing import Final

_STOPS: Final = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """Something that can be told once, and waited for together with other things."""

    def __init__(self) -> None:
        self._coming, self._told = os.pipe()
        os.set_blocking(self._told, False)

    def take_signals(self) -> None:
        """Be told by SIGTERM and Ctrl-C from now on; for the main thread.

        The interpreter writes each to the pipe at once; a handler would wait for the main thread.
        """
        signal.set_wakeup_fd(self._told, warn_on_full_buffer=False)
        for number in _STOPS:
            signal.signal(number, lambda *_: None)

    def tell(self) -> None:
        """Tell it, from any thread."""
        os.write(self._told, b".")

    @property
    def is_told(self) -> bool:
        """Whether it was told."""
        return self.wait(0.0)

    def wait(self, seconds: float, others: Sequence[int] = ()) -> bool:
        """Wait until it is told, or something can be read from one of others; return the first."""
        ready, _, _ = select.select([self._coming, *others], [], [], seconds)
        return self._coming in ready
