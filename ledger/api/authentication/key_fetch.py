"""Fetching a provider's keys: one GET within bounds, and no way around them.

No redirect is followed, no proxy is asked and nothing is decompressed. Over `http://` the other end
must be this machine.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from contextlib import closing
from typing import Final
from urllib.parse import SplitResult, urlsplit

from ledger.tls_socket import connected, cut

_PORTS: Final = {"https": 443, "http": 80}


def fetch(url: str, ca: str, seconds: float, most: int) -> bytes:
    """Return what a URL answers; OSError or ValueError, with a sentence, where it does not.

    `ca` is a file of certificates to verify the server with, "" for those of the system. Connecting
    to each of the host's addresses may take the given seconds, and so may all that follows, however
    slowly bytes come.
    """
    parts = urlsplit(url)
    with closing(_connected(parts, ca, seconds)) as link:
        is_late = threading.Event()
        watch = threading.Timer(seconds, _cut, (link, is_late))
        watch.daemon = True
        watch.start()
        try:
            data = _answer(link, parts, most)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise _fault(error, seconds if is_late.is_set() else None) from error
        finally:
            watch.cancel()
        if is_late.is_set():  # a connection that was cut looks like an answer that has ended
            raise _late(seconds)
        return data


def _fault(error: Exception, seconds: float | None) -> Exception:
    if seconds is not None:
        return _late(seconds)
    if isinstance(error, http.client.HTTPException):
        return ValueError("its answer is not HTTP, or was cut short")
    return error


def _late(seconds: float) -> Exception:
    return TimeoutError(f"it took more than {seconds:g} s")


def _connected(parts: SplitResult, ca: str, seconds: float) -> socket.socket:
    host = parts.hostname or ""
    port = parts.port or _PORTS[parts.scheme]
    if parts.scheme == "https":  # the handshake comes later: the other end may be slow at it too
        return connected(ssl.create_default_context(cafile=ca or None), host, port, seconds)
    link = socket.create_connection((host, port), timeout=seconds)
    if ipaddress.ip_address(link.getpeername()[0]).is_loopback:
        return link
    link.close()
    raise ValueError("its host is not this machine, and http:// is for that only")


def _answer(link: socket.socket, parts: SplitResult, most: int) -> bytes:
    if isinstance(link, ssl.SSLSocket):
        link.do_handshake()
    connection = http.client.HTTPConnection(parts.netloc)
    connection.sock = link
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    connection.request("GET", path, headers={"Accept": "application/json", "Connection": "close"})
    with connection.getresponse() as response:
        if response.status != http.HTTPStatus.OK:
            raise ValueError(f"it answers with HTTP status {response.status}, not with keys")
        data = response.read(most + 1)
        if len(data) > most:
            raise ValueError(f"its answer has more than {most} bytes")
        if response.length:  # which `read` does not mind
            raise http.client.IncompleteRead(data, response.length)
        return data


def _cut(link: socket.socket, is_late: threading.Event) -> None:
    is_late.set()
    cut(link)
