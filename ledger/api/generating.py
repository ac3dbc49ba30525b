"""A servicer's generator, taken a step at a time on whatever thread is free."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from ledger.api.steps import NotYetError, Pause


class Generating:
    """Steps are taken one after the other; `leave` may come at any time, on another thread."""

    def __init__(
        self, begin: Callable[[], Iterator[Any]], serialize: Callable[[Any], bytes]
    ) -> None:
        self._begin = begin
        self._serialize = serialize
        self._steps: Iterator[Any] | None = None
        self._lock = threading.Lock()
        self._is_running = self._is_left = False

    def next(self) -> bytes | Pause | None:
        """Return the next message or pause, None at the end.

        A NotYetError before the first message begins the generator again with the next step.
        """
        with self._lock:
            if self._is_left:
                return None
            self._is_running = True
        try:
            found = self._taken()
        except NotYetError:
            self._steps = None
            raise
        else:
            return found if found is None or isinstance(found, Pause) else self._serialize(found)
        finally:
            if self._is_last():
                self.close()

    def _is_last(self) -> bool:
        """End a step; return whether none is left to take."""
        with self._lock:
            self._is_running = False
            return self._is_left

    def _taken(self) -> Any:  # noqa: ANN401 - a message of whatever kind, a pause, or None
        if self._steps is None:
            self._steps = self._begin()
        return next(self._steps, None)

    def leave(self) -> bool:
        """Say that no steps are taken any more; return whether `close` is left to be called.

        It is not where a step is under way, which closes when it is done.
        """
        with self._lock:
            self._is_left = True
            return not self._is_running and self._steps is not None

    def close(self) -> None:
        """Let the generator give back what it holds."""
        steps: Any = self._steps
        if steps is not None:
            steps.close()
