"""A webhook: one POST of a CloudEvent, signed as Standard Webhooks has it.

The connection goes to an address that was looked at, with TLS unless it is this machine. No
redirect is followed and no proxy is asked. Of the answer the status counts; its body is not read.
"""

import base64
import binascii
import hashlib
import hmac
import http.client
import socket
import ssl
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from ledger.clock import Clock
from ledger.events.values import SECOND
from ledger.notification_settings import SubscriberSettings
from ledger.notifications.allow_list import AllowList, DeliveryError, is_loopback
from ledger.notifications.attempt import Attempt
from ledger.notifications.notification import CONTENT_TYPE, Notification
from ledger.secrecy import read_secret
from ledger.tls_socket import connected_to, cut, plainly_connected_to

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = range(24, 65)  # by the specification
_FILE_BYTES_MAX: Final = 1_024
_PORTS: Final = {"https": 443, "http": 80}


class Webhook:
    """Sends to one URL. Secrets are read for each attempt, so that they can be replaced."""

    def __init__(self, subscriber: SubscriberSettings, allow_list: AllowList, clock: Clock) -> None:
        self._subscriber = subscriber
        self._parts = subscriber.parts
        self._allow_list = allow_list
        self._clock = clock

    def send(self, notification: Notification, attempt: Attempt) -> None:
        """Send one notification; DeliveryError where the answer is no success."""
        headers = self._headers(notification)
        parts = self._parts
        with closing(attempt.apart(partial(self._connected, attempt))) as link:
            link.settimeout(attempt.seconds_left)
            attempt.ends_by(partial(cut, link))
            if isinstance(link, ssl.SSLSocket):
                link.do_handshake()
            connection = http.client.HTTPConnection(parts.netloc)
            connection.sock = link
            path = parts.path or "/"
            query = f"?{parts.query}" if parts.query else ""
            connection.request("POST", path + query, notification.body, headers)
            with connection.getresponse() as response:
                _refuse_failure(response.status)

    def _connected(self, attempt: Attempt) -> socket.socket:
        parts = self._parts
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        places = self._allow_list.places(host, port)
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self._subscriber.ca or None)
            return connected_to(context, host, places, attempt.seconds_left)
        link = plainly_connected_to(places, attempt.seconds_left)
        if is_loopback(link):
            return link
        link.close()
        raise DeliveryError("http:// is for this machine only; its URL must be https://")

    def _headers(self, notification: Notification) -> dict[str, str]:
        timestamp = str(self._clock.now_micros() // SECOND)
        signed = f"{notification.id}.{timestamp}.".encode() + notification.body
        named = self._subscriber.secret_file, self._subscriber.previous_secret_file
        secrets = [_secret(Path(name)) for name in named if name]
        signatures = [hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets]
        return {
            "Content-Type": CONTENT_TYPE,
            "User-Agent": "decision-ledger",
            "Connection": "close",
            "webhook-id": notification.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(
                f"v1,{base64.b64encode(signature).decode()}" for signature in signatures
            ),
        }


def _secret(path: Path) -> bytes:
    """Return the secret in a file; DeliveryError, which repeats nothing of it, for another text."""
    text = read_secret(path, _FILE_BYTES_MAX).decode("ascii", "replace").strip()
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        secret = b""
    if not text.startswith(_PREFIX) or len(secret) not in _SECRET_BYTES:
        raise DeliveryError(
            f"{path} holds no secret of a webhook: {_PREFIX} and 24 to 64 bytes in base64"
        )
    return secret


def _refuse_failure(status: int) -> None:
    if http.HTTPStatus.OK <= status < http.HTTPStatus.MULTIPLE_CHOICES:
        return
    if http.HTTPStatus.MULTIPLE_CHOICES <= status < http.HTTPStatus.BAD_REQUEST:
        raise DeliveryError(f"it redirects (HTTP status {status}), which is not followed")
    raise DeliveryError(f"it answered with HTTP status {status}")
