"""A program that is run for each event: it reads the CloudEvent from standard input.

No shell reads its words. It has none of our settings and no password in its environment, and a
bounded time; what it prints is not read. It has taken the event if it ends with status 0.
"""

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from functools import partial

from ledger.notification_settings import SubscriberSettings
from ledger.notifications.allow_list import DeliveryError
from ledger.notifications.attempt import Attempt
from ledger.notifications.notification import Notification
from ledger.secrecy import child_environment


class Program:
    """Runs one program for each notification."""

    def __init__(self, subscriber: SubscriberSettings) -> None:
        self._command = subscriber.command

    def send(self, notification: Notification, attempt: Attempt) -> None:
        """Run it once; DeliveryError where it fails."""
        # A file rather than a pipe: a program that does not read holds up nothing.
        with tempfile.TemporaryFile() as event:
            event.write(notification.body)
            event.seek(0)
            try:
                process = subprocess.Popen(  # noqa: S603 - which the operator has named
                    self._command,
                    stdin=event,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=child_environment(),
                    start_new_session=True,
                )
            except OSError as error:
                raise DeliveryError(f"it cannot be started: {error.strerror}") from error
            attempt.ends_by(partial(_kill, process))
            code = process.wait()
        if code:
            said = f"it ended with status {code}" if code > 0 else f"signal {-code} ended it"
            raise DeliveryError(said)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End a process with all of its group, if it has not ended."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
